"""Exact median filter that chooses the fastest algorithm for the footprint and the dtype."""

import numpy as np

from imgpool.core.axes import Bools, Pixels
from imgpool.core.dtypes import Floats, to_float
from imgpool.filters._kernels.median_levels import median_by_levels
from imgpool.filters._kernels.neighbourhood import Footprint
from imgpool.filters._pixels.planes import each_sample

STRIP_PX = 2**15
"""Pixels processed at once by selection, so that intermediate results stay in the CPU cache."""

MAX_SELECTION_PX = 300
"""Pixels of a footprint up to which selection is faster than scipy."""

MAX_UINT8_SELECTION_PX = 60
"""Pixels of a footprint up to which selection is faster than histograms, for uint8."""

MAX_SQUARE_SELECTION_PX = 49
"""Pixels of a square up to which selection is faster than `median_by_levels`, for dtypes other than uint8."""

MAX_DISK_SELECTION_PX = 120
"""As `MAX_SQUARE_SELECTION_PX`, for disks."""

MAX_GATHERED_VALUES = 2**22
"""Values gathered at once around missing pixels."""

OPENCV_SIZES = {"uint8": range(3, 256, 2), "uint16": (3, 5), "float32": (3, 5)}
"""Sides of squares for which OpenCV has a median."""


def median(colour: Pixels, weight: Floats | None, footprint: Footprint) -> Pixels:
    """Compute the median over a footprint around each pixel of (Y, X) or (Y, X, S).

    The outermost pixels are repeated beyond the border. Missing pixels (weight 0) are ignored. For an even number of
    values the median is the upper of the two middle ones, so that it is always a value of the image.
    """
    if footprint.size == 1:
        return colour
    plain = _median(colour, footprint)
    if weight is None:
        return plain
    if colour.ndim == 2:  # noqa: PLR2004 - Y and X
        return _without_missing(colour, plain, weight == 0, footprint)
    samples = [
        _without_missing(colour[..., s], plain[..., s], weight[..., s] == 0, footprint) for s in range(colour.shape[-1])
    ]
    return np.stack(samples, axis=-1)


def _median(colour: Pixels, footprint: Footprint) -> Pixels:
    if colour.dtype == np.float16:  # unknown to OpenCV and scipy
        return _median(to_float(colour), footprint).astype(np.float16)
    side = len(footprint)
    if footprint.all() and side in OPENCV_SIZES.get(colour.dtype.name, ()):
        import cv2

        blurred: Pixels = cv2.medianBlur(colour, side)
        return blurred
    if colour.dtype == np.uint8 and footprint.sum() > MAX_UINT8_SELECTION_PX:
        return each_sample(lambda plane: _by_histogram(plane, footprint), colour)
    max_selection = MAX_SQUARE_SELECTION_PX if footprint.all() else MAX_DISK_SELECTION_PX
    if colour.dtype != np.uint8 and footprint.sum() > max_selection:
        return each_sample(lambda plane: _by_levels(plane, footprint), colour)
    return each_sample(lambda plane: _by_sorting(plane, footprint), colour)


def _by_sorting(plane: Pixels, footprint: Footprint) -> Pixels:
    """Compute each median from all values of its neighbourhood, for any dtype."""
    if footprint.sum() <= MAX_SELECTION_PX:
        return _by_selection(plane, footprint)
    from scipy.ndimage import median_filter

    median_of_plane: Pixels = median_filter(plane, footprint=footprint, mode="nearest")
    return median_of_plane


def _by_levels(plane: Pixels, footprint: Footprint) -> Pixels:
    """Compute the median from medians of bytes, as long as these are faster than selection.

    One median of bytes takes as long as selection from 8 pixels of a square, or from 20 of a disk.
    """
    pixels = int(footprint.sum())
    is_square = footprint.all() and len(footprint) in OPENCV_SIZES["uint8"]
    return median_by_levels(
        plane,
        len(footprint) // 2,
        lambda values: _median(values, footprint) if is_square else _rank_median(values, footprint),
        pixels // 8 if is_square else pixels // 20,
        lambda values: _by_sorting(values, footprint),
    )


def _by_histogram(plane: Pixels, footprint: Footprint) -> Pixels:
    reach = len(footprint) // 2
    return _rank_median(np.pad(plane, reach, mode="edge"), footprint)[reach:-reach, reach:-reach]


def _rank_median(plane: Pixels, footprint: Footprint) -> Pixels:
    """Compute the median of uint8 values by histograms; near the border only of the pixels inside the image."""
    from skimage.filters.rank import median as rank_median

    median_of_plane: Pixels = rank_median(plane, footprint)
    return median_of_plane


def _by_selection(plane: Pixels, footprint: Footprint) -> Pixels:
    """Compute the medians of all pixels in a strip of rows at once."""
    reach = len(footprint) // 2
    padded = np.pad(plane, reach, mode="edge")
    height, width = plane.shape
    rows = max(1, STRIP_PX // width)
    result = np.empty_like(plane)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        neighbours = [padded[top + y : bottom + y, x : x + width] for y, x in np.argwhere(footprint)]
        result[top:bottom] = _select_median(neighbours)
    return result


def _select_median(neighbours: list[Pixels]) -> Pixels:
    """Compute the elementwise median of an odd number of arrays.

    Among half of the values plus two, neither the minimum nor the maximum can be the median. Both are dropped and
    another value is added, until only the median is left.
    """
    count = len(neighbours) // 2 + 2
    pool = [neighbour.copy() for neighbour in neighbours[:count]]
    remaining = iter(neighbours[count:])
    while len(pool) > 1:
        _move_extrema_to_ends(pool)
        minimum, _maximum = pool.pop(0), pool.pop()
        following = next(remaining, None)
        if following is not None:
            np.copyto(minimum, following)  # reuses its memory
            pool.append(minimum)
    return pool[0]


def _move_extrema_to_ends(pool: list[Pixels]) -> None:
    """Exchange values between the arrays until the first holds the minima and the last the maxima."""
    half = len(pool) // 2
    for index in range(half):
        _sort_pair(pool, index, len(pool) - 1 - index)
    for index in range(1, len(pool) - half):
        _sort_pair(pool, 0, index)
    for index in range(half, len(pool) - 1):
        _sort_pair(pool, index, len(pool) - 1)


def _sort_pair(pool: list[Pixels], low: int, high: int) -> None:
    """Move the smaller of each two values to the array `low`, and the larger to `high`."""
    minimum = np.minimum(pool[low], pool[high])
    np.maximum(pool[low], pool[high], out=pool[high])
    pool[low] = minimum


def _without_missing(plane: Pixels, plain: Pixels, missing: Bools, footprint: Footprint) -> Pixels:
    """Recompute the medians in `plain` whose neighbourhood contains missing pixels."""
    from scipy.ndimage import binary_dilation

    reach = len(footprint) // 2
    values = np.pad(plane, reach, mode="edge")
    absent = np.pad(missing, reach, mode="edge")
    near = binary_dilation(absent, footprint)[reach:-reach, reach:-reach]
    rows, columns = np.nonzero(near & ~missing)
    offset_y, offset_x = np.nonzero(footprint)
    result = plain.copy()
    chunk = max(1, MAX_GATHERED_VALUES // len(offset_y))
    for start in range(0, len(rows), chunk):
        y, x = rows[start : start + chunk], columns[start : start + chunk]
        around = (y[:, np.newaxis] + offset_y, x[:, np.newaxis] + offset_x)
        result[y, x] = _median_of_present(values[around], absent[around])
    return result


def _median_of_present(values: Pixels, absent: Bools) -> Pixels:
    """Compute the median along the last axis of the values that are not absent; each row has at least one."""
    by_value = np.argsort(values, axis=-1, kind="stable")
    present_first = np.argsort(np.take_along_axis(absent, by_value, -1), axis=-1, kind="stable")
    order = np.take_along_axis(by_value, present_first, -1)
    middle = (~absent).sum(axis=-1, keepdims=True) // 2
    return np.take_along_axis(values, np.take_along_axis(order, middle, -1), -1)[:, 0]
