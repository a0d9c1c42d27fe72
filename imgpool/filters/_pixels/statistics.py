"""Statistics over groups of pixels: one channel of a stack, one plane, or the whole image."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

from imgpool.core.axes import Pixels, page_shape
from imgpool.core.dtypes import working_dtype
from imgpool.core.image import Image
from imgpool.core.quantity import Range
from imgpool.filters._pixels.alpha import opacity_of, premultiplied_colour, scale_alpha, straight_colour

Per = Literal["channel", "plane", "image"]
Index = tuple[Any, ...]
GroupFunction = Callable[[Pixels, Pixels], Pixels]
Levels = tuple[float, float]

FLOAT_PATTERNS_ASCENDING = np.concatenate([np.arange(2**16 - 1, 2**15 - 1, -1), np.arange(2**15)])
"""The leading 16 bits of floats, ordered from the lowest float to the highest."""


def group_indices(axes: str, shape: tuple[int, ...], per: Per) -> Iterator[Index]:
    """Yield the index of each group of pixels."""
    if per == "plane":
        yield from np.ndindex(page_shape(axes, shape))
    elif per == "channel" and "C" in axes:
        before = (slice(None),) * axes.index("C")
        yield from ((*before, channel) for channel in range(shape[len(before)]))
    else:
        yield (...,)


def map_groups(image: Image, per: Per, dtype: np.dtype[Any], function: GroupFunction) -> Image:
    """Apply a function to the colour of every group; alpha is only converted to the new dtype.

    Parameters
    ----------
    image
        Integers or floats.
    per
        What makes a group.
    dtype
        Dtype of the result.
    function
        ``function(colour, valid)`` returns the new colour, of the same shape as `colour` and of `dtype`.
        `valid` holds the pixels to compute statistics from: those that are not fully transparent.
    """
    if image.has_alpha:
        return _map_beside_alpha(image, per, dtype, function)
    indices = list(group_indices(image.axes, image.pixels.shape, per))
    if len(indices) == 1:
        return image.with_pixels(function(image.pixels, image.pixels))
    result = np.empty(image.pixels.shape, dtype)
    for index in indices:
        result[index] = function(image.pixels[index], image.pixels[index])
    return image.with_pixels(result)


def level_range(values: Pixels, levels: Range | None = None) -> Levels:
    """Return the lowest and highest grey level, or two percentiles; NaN and infinities are ignored.

    Parameters
    ----------
    values
        Integers or floats of any shape.
    levels
        Percentiles from 0 to 100, or None for minimum and maximum.

    Returns
    -------
    tuple of float
        (NaN, NaN) if there is no finite value.
    """
    values = finite(values)
    if values.size == 0:
        return np.nan, np.nan
    if levels is None:
        return float(values.min()), float(values.max())
    percents = (levels.low, levels.high)
    if values.dtype.kind in "ui" and values.dtype.itemsize <= 2:  # noqa: PLR2004 - few enough levels to count
        low, high = _percentiles(*histogram(values), percents)
    elif values.dtype.kind == "f":
        low, high = _percentiles_of_floats(values, percents)
    else:
        low, high = np.percentile(values.astype(working_dtype(values.dtype), copy=False), percents)
    return float(low), float(high)


def finite(values: Pixels) -> Pixels:
    """Return the values without NaN and infinities; the array itself if it has none."""
    if values.dtype.kind != "f":
        return values
    kept = np.isfinite(values)
    return values if kept.all() else values[kept]


def histogram(values: Pixels) -> tuple[Pixels, Pixels]:
    """Count the grey levels from the lowest to the highest that occurs.

    Parameters
    ----------
    values
        Integers of 8 or 16 bits, any shape.

    Returns
    -------
    counts, levels : ndarray
        One entry per level, including the levels in between that do not occur.
    """
    bins = 2 ** (8 * values.dtype.itemsize)
    lowest = -bins // 2 if values.dtype.kind == "i" else 0
    patterns = np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
    counts = np.roll(_count(patterns.reshape(-1), bins), -lowest)
    occurring = np.flatnonzero(counts)
    low, high = int(occurring[0]), int(occurring[-1])
    return counts[low : high + 1], np.arange(low + lowest, high + lowest + 1)


def _map_beside_alpha(image: Image, per: Per, dtype: np.dtype[Any], function: GroupFunction) -> Image:
    """Apply the function to straight colour, and convert alpha."""
    colour, alpha = image.pixels[..., :-1], image.pixels[..., -1]
    opacity = opacity_of(alpha)[..., np.newaxis] if image.metadata.premultiplied else None
    visible = np.greater(alpha, 0)
    result = np.empty(image.pixels.shape, dtype)
    for index in group_indices(image.axes, image.pixels.shape, per):
        straight = colour[index] if opacity is None else straight_colour(colour[index], opacity[index])
        valid = straight[visible[index]] if visible[index].any() else straight
        new = function(straight, valid)
        result[index][..., :-1] = new if opacity is None else premultiplied_colour(new, opacity[index])
    result[..., -1] = scale_alpha(alpha, dtype)
    return image.with_pixels(result)


def _count(patterns: Pixels, bins: int) -> Pixels:
    """Count unsigned values in square parts, because OpenCV is slow with one long row and counts in float32."""
    import cv2

    side = 2**12  # a part has 2**24 pixels, the largest count that is exact in float32
    in_rows = patterns.size // side * side
    rows = patterns[:in_rows].reshape(-1, side)
    counts = np.zeros(bins, np.int64)
    for part in (*(rows[top : top + side] for top in range(0, len(rows), side)), patterns[np.newaxis, in_rows:]):
        if part.size:
            counts += cv2.calcHist([part], [0], None, [bins], [0, bins]).reshape(-1).astype(np.int64)
    return counts


def _percentiles(counts: Pixels, levels: Pixels, percents: Levels) -> Pixels:
    """Compute what ``numpy.percentile`` returns for the counted values."""
    cumulative = np.cumsum(counts)
    positions = np.asarray(percents) / 100 * (cumulative[-1] - 1)
    below = levels[np.searchsorted(cumulative, np.floor(positions), side="right")]
    above = levels[np.searchsorted(cumulative, np.ceil(positions), side="right")]
    percentiles: Pixels = below + (above - below) * (positions % 1)
    return percentiles


def _percentiles_of_floats(values: Pixels, percents: Levels) -> Pixels:
    """Compute what ``numpy.percentile`` returns for floats, sorting only those near a percentile."""
    values = np.ascontiguousarray(values).reshape(-1)
    patterns = values.view(f"u{values.dtype.itemsize}")
    leading = (patterns >> patterns.dtype.type(8 * values.dtype.itemsize - 16)).astype(np.uint16)
    counts = _count(leading, 2**16)[FLOAT_PATTERNS_ASCENDING]
    ends = np.cumsum(counts)
    positions = np.asarray(percents) / 100 * (values.size - 1)
    ranks = np.concatenate([np.floor(positions), np.ceil(positions)]).astype(np.intp)
    places = np.searchsorted(ends, ranks, side="right")
    found = np.empty(len(ranks))
    for place in np.unique(places):
        here, before = places == place, ends[place] - counts[place]
        near = values[leading == FLOAT_PATTERNS_ASCENDING[place]]
        found[here] = np.partition(near, ranks[here] - before)[ranks[here] - before]
    below, above = found[:2], found[2:]
    percentiles: Pixels = below + (above - below) * (positions % 1)
    return percentiles
