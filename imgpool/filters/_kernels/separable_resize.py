"""Separable resizing: along each axis, every output pixel is a weighted mean of neighbouring input pixels.

Output pixels are computed in small blocks. The inputs of a block lie in a narrow strip, and its outputs are the
product of that strip and a small matrix of weights, which BLAS computes at full speed.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import Floats, working_dtype

TRUNCATE = 4
"""Standard deviations at which a Gaussian ends, as in scipy.ndimage."""

MIN_VARIANCE_PX2 = 0.25
"""A narrower Gaussian would skip pixels, and alias."""

BLOCK_PX = 6
"""Output pixels per block: smaller blocks cost calls, larger ones multiplications by zero."""

BLOCKS_PER_PASS = 40
"""Blocks of rows that are resized along both axes before the next ones, which limits the intermediate memory."""

OPENCV_BINNING_DTYPES = frozenset(map(np.dtype, ("uint8", "uint16", "int16", "float32")))
"""Dtypes whose means OpenCV computes with sufficient precision, in float32."""

Integers = np.ndarray[tuple[int, ...], np.dtype[np.intp]]


class AxisScale(NamedTuple):
    """How the number of pixels along an axis changes.

    Attributes
    ----------
    old, new
        Number of pixels before and after.
    full
        Number of pixels of the image in its file, if a reader has binned it already; else as `old`.
    """

    old: int
    new: int
    full: int

    @property
    def is_binned(self) -> bool:
        """Whether each output pixel covers a whole number of input pixels."""
        return self.old == self.full and self.old % self.new == 0

    @property
    def binning(self) -> int:
        """Number of pixels in the file that each input pixel is the mean of."""
        return self.full // self.old

    @property
    def step(self) -> float:
        """Distance between output pixels, in input pixels."""
        return self.old / self.new

    @property
    def centres(self) -> Floats:
        """Centres of the output pixels in input pixels from the edge, (new, 1)."""
        centres: Floats = (np.arange(self.new) + 0.5)[:, np.newaxis] * self.step
        return centres


class Weights(NamedTuple):
    """Input pixels of each output pixel and their weights, which sum to 1; both arrays are (new, count)."""

    indices: Integers
    values: Floats


class _Block(NamedTuple):
    """Adjacent output pixels, their input pixels, and the matrix of weights (old, new)."""

    new: slice
    old: slice
    matrix: Floats


Weighting = Callable[[AxisScale], Weights]


def smooth_and_interpolate(axis: AxisScale) -> Weights:
    """Weights of linear interpolation after a Gaussian blur that prevents aliasing.

    If the axis shrinks by a factor f, the standard deviation of the Gaussian is (f - 1) / 2 pixels. The image is
    mirrored about the centre of its last pixel.
    """
    if axis.binning > 1:
        return _smooth_after_binning(axis)
    sigma = max(axis.step - 1, 0) / 2
    radius = int(TRUNCATE * sigma + 0.5)
    offsets = np.arange(-radius, radius + 2)
    gaussian = np.exp(-0.5 * (offsets[:-1] / sigma) ** 2) if radius else np.ones(1)
    gaussian /= gaussian.sum()
    positions = axis.centres - 0.5
    below = np.floor(positions).astype(np.intp)
    fraction = positions - below
    weights = np.zeros((axis.new, len(offsets)))
    weights[:, :-1] += (1 - fraction) * gaussian
    weights[:, 1:] += fraction * gaussian
    return Weights(_mirror_indices(below + offsets, axis.old), weights)


def mean_of_area(axis: AxisScale) -> Weights:
    """Weights of the mean over the area of each output pixel; an axis that grows is interpolated linearly.

    The area is narrowed if the input pixels are binned already, so that the total blur stays the same.
    """
    if axis.new > axis.full:
        return smooth_and_interpolate(axis)
    width = (max(axis.step**2 - 1, 0) + axis.binning**-2) ** 0.5
    starts, stops = axis.centres - width / 2, axis.centres + width / 2
    indices = np.floor(starts).astype(np.intp) + np.arange(int(width) + 2)
    weights = np.clip(np.minimum(indices + 1, stops) - np.maximum(indices, starts), 0, None)
    return Weights(np.clip(indices, 0, axis.old - 1), weights / weights.sum(axis=1, keepdims=True))


def _smooth_after_binning(axis: AxisScale) -> Weights:
    """Weights of the Gaussian that makes binned pixels as smooth as `smooth_and_interpolate` makes those of the file.

    In pixels of the file, the variances add up: that of the Gaussian, that of linear interpolation (1/6 on average),
    and that of binning n pixels, (n² - 1) / 12.
    """
    variance = (axis.full / axis.new - 1) ** 2 / 4 + 1 / 6 - (axis.binning**2 - 1) / 12
    sigma = max(variance / axis.binning**2, MIN_VARIANCE_PX2) ** 0.5
    radius = int(TRUNCATE * sigma + 0.5)
    indices = np.floor(axis.centres).astype(np.intp) + np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * ((indices + 0.5 - axis.centres) / sigma) ** 2)
    return Weights(_mirror_indices(indices, axis.old), weights / weights.sum(axis=1, keepdims=True))


def resize_plane(plane: Pixels, rows: AxisScale, columns: AxisScale, weighting: Weighting) -> Pixels:
    """Resize (Y, X) or (Y, X, S).

    Parameters
    ----------
    plane
        Finite integers or floats.
    rows, columns
        The change along Y and X.
    weighting
        `smooth_and_interpolate` or `mean_of_area`.

    Returns
    -------
    ndarray
        Of the same dtype; integers are rounded.
    """
    if weighting is mean_of_area and rows.is_binned and columns.is_binned and plane.dtype in OPENCV_BINNING_DTYPES:
        return _bin(plane, rows.new, columns.new)
    dtype, samples = working_dtype(plane.dtype), math.prod(plane.shape[2:])
    values = plane.reshape(rows.old, -1)
    by_row, by_column = _blocks(rows, weighting, dtype), _blocks(columns, weighting, dtype, samples)
    result = np.empty((rows.new, columns.new * samples), plane.dtype)
    for first in range(0, len(by_row), BLOCKS_PER_PASS):
        means = _resize_columns(_resize_rows(values, by_row[first : first + BLOCKS_PER_PASS], dtype), by_column)
        top = first * BLOCK_PX
        result[top : top + len(means)] = np.rint(means, out=means) if plane.dtype.kind in "ui" else means
    return result.reshape(rows.new, columns.new, *plane.shape[2:])


def nearest_pixel(plane: Pixels, size: tuple[int, int]) -> Pixels:
    """Resize (Y, X) or (Y, X, S) by taking the input pixel that contains the centre of each output pixel."""
    rows, columns = ((2 * np.arange(new) + 1) * old // (2 * new) for old, new in zip(plane.shape, size, strict=False))
    return plane[rows[:, np.newaxis], columns]


def _bin(plane: Pixels, height: int, width: int) -> Pixels:
    import cv2

    binned = cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(binned).reshape(height, width, *plane.shape[2:])


def _resize_rows(values: Pixels, blocks: Sequence[_Block], dtype: np.dtype[Any]) -> Floats:
    """Compute the output rows of some blocks from all input rows (Y, N)."""
    top, bottom = blocks[0].new.start, blocks[-1].new.stop
    result = np.empty((bottom - top, values.shape[1]), dtype)
    strip = np.empty((max(len(block.matrix) for block in blocks), values.shape[1]), dtype)
    for block in blocks:
        rows = values[block.old]
        if rows.dtype != dtype:  # converted block by block, while it is in the cache
            np.copyto(strip[: len(rows)], rows)
            rows = strip[: len(rows)]
        np.matmul(block.matrix.T, rows, out=result[block.new.start - top : block.new.stop - top])
    return result


def _resize_columns(values: Floats, blocks: Sequence[_Block]) -> Floats:
    """Compute all output columns from all input columns (Y, X × S)."""
    result = np.empty((len(values), blocks[-1].new.stop), values.dtype)
    for block in blocks:
        np.matmul(values[:, block.old], block.matrix, out=result[:, block.new])
    return result


@lru_cache(maxsize=8)  # two axes, two orientations, colour and alpha
def _blocks(axis: AxisScale, weighting: Weighting, dtype: np.dtype[Any], samples: int = 1) -> tuple[_Block, ...]:
    """Split an axis into blocks; with several samples per pixel, the matrices keep them apart."""
    indices, weights = weighting(axis)
    blocks = list[_Block]()
    for start in range(0, axis.new, BLOCK_PX):
        stop = min(start + BLOCK_PX, axis.new)
        near = indices[start:stop]
        first, last = int(near.min()), int(near.max()) + 1
        matrix = np.zeros((last - first, samples, stop - start, samples), dtype)
        for sample in range(samples):
            np.add.at(matrix[:, sample, :, sample], (near - first, np.arange(stop - start)[:, np.newaxis]),
                      weights[start:stop])  # fmt: skip
        old, new = slice(first * samples, last * samples), slice(start * samples, stop * samples)
        blocks.append(_Block(new, old, matrix.reshape((last - first) * samples, -1)))
    return tuple(blocks)


def _mirror_indices(indices: Integers, length: int) -> Integers:
    """Map indices to 0 … `length` - 1 by mirroring at the centres of the first and last pixel."""
    period = max(2 * (length - 1), 1)
    inside = np.abs(indices) % period
    return np.minimum(inside, period - inside) if length > 1 else np.zeros_like(indices)
