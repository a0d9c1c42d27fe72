"""Saying no, with the remedy: the pixels do not fit into the format."""

from dataclasses import replace

import numpy as np

from imgpool.core.axes import has_alpha, page_shape
from imgpool.core.errors import WriteError
from imgpool.core.format import Format
from imgpool.core.image import Properties

TO_TIFF = "--to tiff"
TO_8_BIT = "add -f rescale_intensity:out=uint8, or --to tiff"


def refuse(target: Format, properties: Properties) -> WriteError:
    """The error for an image that `target` cannot hold, to be raised by the caller.

    The hint names what stands in the way first: pages, then alpha, then depth. For the last two, the format is
    asked whether it could hold the image without.
    """
    what = f"{target.name.upper()} holds {target.holds}"
    it = f"{properties.dtype} {properties.axes} of shape {'×'.join(map(str, properties.shape))}"
    return WriteError(f"{what}; this is {it}", _remedy(target, properties))


def _remedy(target: Format, properties: Properties) -> str:
    if properties.dtype == bool:
        return "make it a mask of 0 and 255: uint8"
    if target.name == "tiff":
        return "convert it to an integer or float type that TIFF has"
    if page_shape(properties.axes, properties.shape):
        return TO_TIFF
    if has_alpha(properties.axes, properties.shape) and target.can_hold(_opaque(properties)):
        return "--to png or tiff"
    return TO_8_BIT if target.can_hold(replace(properties, dtype=np.dtype(np.uint8))) else TO_TIFF


def _opaque(page: Properties) -> Properties:
    grey = page.shape[-1] == 2  # noqa: PLR2004 - grey and alpha
    return replace(page, shape=page.shape[:2] if grey else (*page.shape[:2], 3), axes="YX" if grey else "YXS")
