"""Axis letters and planes.

Each dimension of the pixels has a letter of OME, in the order of storage: ``T`` time, ``C`` channel, ``Z`` depth, ``Y``
row, ``X`` column, ``S`` sample (red, green, blue and alpha of one pixel), and ``I`` for pages whose meaning is unknown.
"""

import functools
import math
from collections.abc import Callable, Iterator

import numpy as np

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.generic]]
Bools = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

LETTERS = "TCZIYXS"
"""All axis letters."""


@functools.lru_cache(maxsize=64)  # most images of a folder are alike
def check_axes(axes: str, shape: tuple[int, ...]) -> None:
    """Raise ``ValueError`` unless `axes` names each dimension of `shape` once and ends in YX or YXS."""
    if len(axes) != len(shape):
        raise ValueError(f"axes {axes!r} name {len(axes)} dimensions, but the pixels have {len(shape)}")
    if not set(axes) <= set(LETTERS) or len(set(axes)) != len(axes):
        raise ValueError(f"axes {axes!r} must be different letters of {LETTERS}")
    if not axes.removesuffix("S").endswith("YX") or "S" in axes[:-1]:
        raise ValueError(f"axes {axes!r} must end in YX or YXS")
    if 0 in shape:
        raise ValueError(f"an image of shape {shape} has no pixels")
    if axes.endswith("S") and shape[-1] not in {2, 3, 4}:
        raise ValueError(f"a pixel must have 2, 3 or 4 samples, not {shape[-1]}")


def has_samples(axes: str) -> bool:
    """Whether each pixel is a tuple of samples, such as red, green and blue."""
    return axes.endswith("S")


def has_alpha(axes: str, shape: tuple[int, ...]) -> bool:
    """Whether the last sample is alpha: grey + alpha (2 samples) or RGB + alpha (4)."""
    return has_samples(axes) and shape[-1] in {2, 4}


def page_shape(axes: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the lengths of the leading axes: those before Y."""
    return shape[: axes.index("Y")]


def page_count(axes: str, shape: tuple[int, ...]) -> int:
    """Return the number of planes, of shape (Y, X) or (Y, X, S), in an image."""
    return math.prod(page_shape(axes, shape))


def iter_planes(pixels: Pixels, axes: str) -> Iterator[tuple[tuple[int, ...], Pixels]]:
    """Yield each plane, of shape (Y, X) or (Y, X, S), with its index along the leading axes."""
    for index in np.ndindex(page_shape(axes, pixels.shape)):
        yield index, pixels[index]


def map_planes(function: Callable[[Pixels], Pixels], pixels: Pixels, axes: str) -> Pixels:
    """Apply a function to every plane, and stack the results in the same order.

    Parameters
    ----------
    function
        Takes a plane of shape (Y, X) or (Y, X, S) and returns one. All returned planes have the same shape and dtype,
        which may differ from those of the input.
    pixels, axes
        Of the image.
    """
    leading = page_shape(axes, pixels.shape)
    if not leading:
        return function(pixels)
    stacked: Pixels | None = None
    for index, plane in iter_planes(pixels, axes):
        result = function(plane)
        if stacked is None:
            stacked = np.empty(leading + result.shape, result.dtype)
        stacked[index] = result
    assert stacked is not None  # an image has at least one plane
    return stacked
