"""The median of a neighbourhood, exactly, by whichever way is fastest for its shape and the dtype."""

import numpy as np

from imgpool.core.axes import Bools, Pixels
from imgpool.core.dtypes import Floats, to_float
from imgpool.filters._kernels.median_levels import median_by_levels
from imgpool.filters._kernels.neighbourhood import Footprint
from imgpool.filters._pixels.planes import each_sample

STRIP = 2**15  # pixels worked on at once: what a selection holds then stays in the cache
LARGEST_SELECTION = 300  # pixels of a neighbourhood; beyond, scipy is as fast
LARGEST_8BIT_SELECTION = 60  # beyond, a histogram is faster
LARGEST_SQUARE_SELECTION = 49  # of other dtypes; beyond, medians of bytes are faster where levels are few
LARGEST_DISK_SELECTION = 120  # likewise
GATHERED = 2**22  # values looked up at once around missing pixels
OPENCV_SIZES = {"uint8": range(3, 256, 2), "uint16": (3, 5), "float32": (3, 5)}


def median(colour: Pixels, weight: Floats | None, footprint: Footprint) -> Pixels:
    """The median over `footprint` of (Y, X) or (Y, X, S); missing pixels (weight 0) are left out.

    The outermost pixels are repeated beyond the border. Of an even number of values the upper middle one
    is taken, so that a median is always a value of the image.
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
    if colour.dtype == np.float16:  # which neither OpenCV nor scipy takes
        return _median(to_float(colour), footprint).astype(np.float16)
    side = len(footprint)
    if footprint.all() and side in OPENCV_SIZES.get(colour.dtype.name, ()):
        import cv2

        blurred: Pixels = cv2.medianBlur(colour, side)
        return blurred
    if colour.dtype == np.uint8 and footprint.sum() > LARGEST_8BIT_SELECTION:
        return each_sample(lambda plane: _by_histogram(plane, footprint), colour)
    largest = LARGEST_SQUARE_SELECTION if footprint.all() else LARGEST_DISK_SELECTION
    if colour.dtype != np.uint8 and footprint.sum() > largest:
        return each_sample(lambda plane: _by_levels(plane, footprint), colour)
    return each_sample(lambda plane: _one_by_one(plane, footprint), colour)


def _one_by_one(plane: Pixels, footprint: Footprint) -> Pixels:
    """Look at every value of every neighbourhood, whatever the dtype."""
    if footprint.sum() <= LARGEST_SELECTION:
        return _by_selection(plane, footprint)
    from scipy.ndimage import median_filter

    median_of_plane: Pixels = median_filter(plane, footprint=footprint, mode="nearest")
    return median_of_plane


def _by_levels(plane: Pixels, footprint: Footprint) -> Pixels:
    """Medians of bytes; one costs as much as looking at 8 values one by one in a square, and at 20 in a disk."""
    pixels, square = int(footprint.sum()), footprint.all() and len(footprint) in OPENCV_SIZES["uint8"]
    return median_by_levels(
        plane,
        len(footprint) // 2,
        lambda values: _median(values, footprint) if square else _within(values, footprint),
        pixels // 8 if square else pixels // 20,
        lambda values: _one_by_one(values, footprint),
    )


def _by_histogram(plane: Pixels, footprint: Footprint) -> Pixels:
    reach = len(footprint) // 2
    return _within(np.pad(plane, reach, mode="edge"), footprint)[reach:-reach, reach:-reach]


def _within(plane: Pixels, footprint: Footprint) -> Pixels:
    """The median of bytes that are there: near the border, of fewer."""
    from skimage.filters.rank import median as rank_median

    median_of_plane: Pixels = rank_median(plane, footprint)
    return median_of_plane


def _by_selection(plane: Pixels, footprint: Footprint) -> Pixels:
    """Select the median of all neighbourhoods of a strip of rows at once."""
    reach = len(footprint) // 2
    padded = np.pad(plane, reach, mode="edge")
    height, width = plane.shape
    rows = max(1, STRIP // width)
    result = np.empty_like(plane)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        neighbours = [padded[top + y : bottom + y, x : x + width] for y, x in np.argwhere(footprint)]
        result[top:bottom] = _select_median(neighbours)
    return result


def _select_median(neighbours: list[Pixels]) -> Pixels:
    """The elementwise median of an odd number of arrays.

    Of any half of the values and two more, neither the least nor the greatest can be the median: both are
    dropped, another value is taken in, and so on until only the median is left.
    """
    held = len(neighbours) // 2 + 2
    pool = [neighbour.copy() for neighbour in neighbours[:held]]
    waiting = iter(neighbours[held:])
    while len(pool) > 1:
        _move_extremes_out(pool)
        least, _greatest = pool.pop(0), pool.pop()
        following = next(waiting, None)
        if following is not None:
            np.copyto(least, following)
            pool.append(least)
    return pool[0]


def _move_extremes_out(pool: list[Pixels]) -> None:
    """Exchange values between the arrays until the first holds every least and the last every greatest."""
    half = len(pool) // 2
    for index in range(half):
        _exchange(pool, index, len(pool) - 1 - index)
    for index in range(1, len(pool) - half):
        _exchange(pool, 0, index)
    for index in range(half, len(pool) - 1):
        _exchange(pool, index, len(pool) - 1)


def _exchange(pool: list[Pixels], low: int, high: int) -> None:
    lesser = np.minimum(pool[low], pool[high])
    np.maximum(pool[low], pool[high], out=pool[high])
    pool[low] = lesser


def _without_missing(plane: Pixels, plain: Pixels, missing: Bools, footprint: Footprint) -> Pixels:
    """Correct `plain` where its neighbourhood holds missing pixels."""
    from scipy.ndimage import binary_dilation

    reach = len(footprint) // 2
    values = np.pad(plane, reach, mode="edge")
    absent = np.pad(missing, reach, mode="edge")
    near = binary_dilation(absent, footprint)[reach:-reach, reach:-reach]
    rows, columns = np.nonzero(near & ~missing)
    offset_y, offset_x = np.nonzero(footprint)
    result = plain.copy()
    chunk = max(1, GATHERED // len(offset_y))
    for start in range(0, len(rows), chunk):
        y, x = rows[start : start + chunk], columns[start : start + chunk]
        around = (y[:, np.newaxis] + offset_y, x[:, np.newaxis] + offset_x)
        result[y, x] = _median_of_present(values[around], absent[around])
    return result


def _median_of_present(values: Pixels, absent: Bools) -> Pixels:
    """The median along the last axis of the values that are not absent; at least one is present in each row."""
    order = np.argsort(values, axis=-1, kind="stable")
    order = np.take_along_axis(order, np.argsort(np.take_along_axis(absent, order, -1), axis=-1, kind="stable"), -1)
    middle = (~absent).sum(axis=-1, keepdims=True) // 2
    return np.take_along_axis(values, np.take_along_axis(order, middle, -1), -1)[:, 0]
