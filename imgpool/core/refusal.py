"""The error for an image that an output format cannot store: what it cannot store, and what to do about it."""

from dataclasses import replace

import numpy as np

from imgpool.core.axes import has_alpha, has_samples, page_shape
from imgpool.core.errors import WriteError
from imgpool.core.format import Format
from imgpool.core.hint import Hint
from imgpool.core.image import Properties

_TO_TIFF = f"add {Hint('to', 'tiff')}"
_TO_PNG_OR_TIFF = f"add {Hint('to', 'png')} or {Hint('to', 'tiff')}"
_TO_8_BIT = f"add {Hint('filters', 'rescale_intensity:out=uint8')}, or {Hint('to', 'tiff')}"

_PAGE_NAMES = {"T": "frame", "C": "channel", "Z": "slice", "I": "page"}
_VALUE_NAMES = {"b": "true/false values", "u": "{bits}-bit values", "i": "signed {bits}-bit values",
                "f": "floating-point values", "c": "complex values"}  # fmt: skip
_SIMPLE_IMAGES = tuple(
    Properties(shape, np.dtype(dtype), axes)
    for dtype in (np.uint8, np.uint16, np.float32)
    for shape, axes in (((8, 8, 3), "YXS"), ((8, 8), "YX"))
)
"""Small images, of which nearly every format can store one."""

_GREY_ALPHA, _RGB, _RGBA = 2, 3, 4  # numbers of samples


def refuse(target: Format, properties: Properties) -> WriteError:
    """Return the error for an image that `target` cannot hold; the caller raises it.

    The message names what the image has and the format cannot store.
    """
    name = target.name.upper()
    obstacles = _find_obstacles(target, properties)
    message = (
        f"{name} cannot store {_join(obstacles)}"
        if obstacles
        else f"{name} cannot store this image; it holds {target.holds}"
    )
    return WriteError(message, _remedy(target, properties))


def _find_obstacles(target: Format, properties: Properties) -> list[str]:
    """Return what the image has that the format cannot store, each in the user's terms.

    A feature is an obstacle if the format can hold a simple image, but not with this feature.
    """
    simple = next(filter(target.can_hold, _SIMPLE_IMAGES), None)
    if simple is None:
        return []
    y = properties.axes.index("Y")
    pages, page_axes = properties.shape[:y], properties.axes[:y]
    plane, plane_axes = properties.shape[y:], properties.axes[y:]
    features = [
        (
            _describe_pages(target, simple, properties),
            replace(simple, shape=pages + simple.shape, axes=page_axes + simple.axes),
        ),
        (_describe_samples(target, simple, properties), replace(simple, shape=(8, 8, *plane[2:]), axes=plane_axes)),
        (_describe_values(properties), replace(simple, dtype=properties.dtype)),
        (f"a size of {plane[1]:,} × {plane[0]:,} pixels", replace(simple, shape=plane[:2] + simple.shape[2:])),
    ]
    return [text for text, feature in features if not target.can_hold(feature)]


def _describe_pages(target: Format, simple: Properties, properties: Properties) -> str:
    """Return the pages of an image in words: "3 channels × 5 slices"; for a format that holds stacks, the axes."""
    if target.can_hold(replace(simple, shape=(2, *simple.shape), axes=f"Z{simple.axes}")):
        return f"the axes {properties.axes}"
    lengths = zip(properties.axes, page_shape(properties.axes, properties.shape), strict=False)
    return " × ".join(f"{length:,} {_PAGE_NAMES[axis]}{'s' * (length != 1)}" for axis, length in lengths)


def _describe_samples(target: Format, simple: Properties, properties: Properties) -> str:
    """Return the samples of an image in words, without what the format can store."""

    def can_hold(samples: int) -> bool:
        return target.can_hold(replace(simple, shape=(8, 8, samples), axes="YXS"))

    if not has_samples(properties.axes):
        return "grey values"
    if properties.shape[-1] == _RGB:
        return "colours"
    if properties.shape[-1] == _GREY_ALPHA:
        return "grey values with transparency" if can_hold(_RGBA) else "transparency"
    return "transparency" if can_hold(_RGB) else "colours with transparency"


def _describe_values(properties: Properties) -> str:
    dtype = properties.dtype
    return _VALUE_NAMES.get(dtype.kind, f"values of type {dtype}").format(bits=8 * dtype.itemsize)


def _join(texts: list[str]) -> str:
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def _remedy(target: Format, properties: Properties) -> str:
    if properties.dtype == bool:
        return "convert it to uint8: a mask of 0 and 255"
    if target.name == "tiff":
        return "convert it to an integer or floating-point type that TIFF has"
    if page_shape(properties.axes, properties.shape):
        return _TO_TIFF
    if has_alpha(properties.axes, properties.shape) and target.can_hold(_without_alpha(properties)):
        return _TO_PNG_OR_TIFF
    return _TO_8_BIT if target.can_hold(replace(properties, dtype=np.dtype(np.uint8))) else _TO_TIFF


def _without_alpha(properties: Properties) -> Properties:
    """Return the properties of a single page without its alpha channel."""
    height, width, samples = properties.shape
    is_grey = samples == 2  # noqa: PLR2004 - grey and alpha
    return replace(
        properties, shape=(height, width) if is_grey else (height, width, 3), axes="YX" if is_grey else "YXS"
    )
