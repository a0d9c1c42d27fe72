"""Saying no, with the remedy: the pixels do not fit into the format."""

import numpy as np

from imgpool.core.axes import has_alpha, page_shape
from imgpool.core.errors import WriteError
from imgpool.core.format import Format
from imgpool.core.image import Properties

TO_TIFF = "--to tiff"
TO_8_BIT = "add -f rescale_intensity:out=uint8, or --to tiff"


def refuse(target: Format, properties: Properties) -> WriteError:
    """The error for an image that `target` cannot hold, to be raised by the caller.

    What stands in the way is found by asking the format about images that differ in one thing only: one
    page, no alpha, 8 bits. The hint names the first of these that would do.
    """
    what = f"{target.name.upper()} holds {target.holds}"
    it = f"{properties.dtype} {properties.axes} of shape {'×'.join(map(str, properties.shape))}"
    return WriteError(f"{what}; this is {it}", _remedy(target, properties))


def _remedy(target: Format, properties: Properties) -> str:
    page = _one_page(properties)
    opaque = _opaque(page)
    if page != properties and target.can_hold(page):
        return TO_TIFF
    if opaque != page and target.can_hold(opaque):
        return "--to png or tiff"
    if target.can_hold(_eight_bit(page)):
        return TO_8_BIT if page == properties else TO_TIFF
    if properties.dtype == bool:
        return "make it a mask of 0 and 255: uint8"
    if target.name == "tiff":
        return "convert it to an integer or float type that TIFF has"
    return TO_TIFF


def _one_page(properties: Properties) -> Properties:
    pages = len(page_shape(properties.axes, properties.shape))
    return Properties(properties.shape[pages:], properties.dtype, properties.axes[pages:])


def _opaque(page: Properties) -> Properties:
    if not has_alpha(page.axes, page.shape):
        return page
    grey = page.shape[-1] == 2  # noqa: PLR2004 - grey and alpha
    return Properties(page.shape[:2] if grey else (*page.shape[:2], 3), page.dtype, "YX" if grey else "YXS")


def _eight_bit(page: Properties) -> Properties:
    return Properties(page.shape, np.dtype(np.uint8), page.axes)
