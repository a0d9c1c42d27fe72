"""Another number of pixels along an axis: every new pixel a weighted mean of old ones that lie near each other.

Only what is kept is computed. New pixels are taken a few at a time: what they are made of lies in a narrow strip
of the old ones, and the means are the product of a small matrix and that strip, which BLAS computes at full speed.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import Floats, working_dtype

SIGMAS = 4
"""A gaussian is cut off at this many standard deviations, as scipy.ndimage does."""

LEAST_VARIANCE = 0.25  # square pixels: a narrower gaussian would miss pixels, and alias

BLOCK = 6  # new pixels at a time: with fewer, calls cost more; with more, multiplying by zeros does

BLOCKS = 40  # that are done along both axes before the next ones: what lies between takes little memory

BINNED_BY_OPENCV = frozenset(map(np.dtype, ("uint8", "uint16", "int16", "float32")))  # it weighs in float32

Integers = np.ndarray[tuple[int, ...], np.dtype[np.intp]]


class Axis(NamedTuple):
    """What happens to an axis.

    Attributes
    ----------
    old, new
        Its pixels before and after.
    whole
        Pixels of the whole picture, where each of the old ones is already the mean of several; else as `old`.
    """

    old: int
    new: int
    whole: int

    @property
    def is_binned(self) -> bool:
        """Whether each new pixel covers the same number of old ones, all in full."""
        return self.old == self.whole and self.old % self.new == 0

    @property
    def merged(self) -> int:
        """How many pixels of the whole picture each of the old ones stands for."""
        return self.whole // self.old

    @property
    def step(self) -> float:
        """From one new pixel to the next, in old ones."""
        return self.old / self.new

    @property
    def centres(self) -> Floats:
        """Where the new pixels' centres lie, in old pixels from the edge: a column."""
        centres: Floats = (np.arange(self.new) + 0.5)[:, np.newaxis] * self.step
        return centres


class Weights(NamedTuple):
    """Which old pixels each new one is made of, and how much each of them counts; arrays (new, many)."""

    indices: Integers
    shares: Floats


class _Block(NamedTuple):
    """Some new pixels, the old ones that they are made of, and the matrix (old, new) of their shares."""

    new: slice
    old: slice
    matrix: Floats


Weigh = Callable[[Axis], Weights]


def smooth_and_interpolate(axis: Axis) -> Weights:
    """Linear interpolation at the centre of each new pixel, after a gaussian that prevents aliasing.

    Where an axis shrinks by a factor f the gaussian has a standard deviation of (f - 1) / 2 pixels. Beyond the edge
    the image is mirrored at its last pixel.
    """
    if axis.merged > 1:
        return _smooth_what_is_merged(axis)
    sigma = max(axis.step - 1, 0) / 2
    radius = int(SIGMAS * sigma + 0.5)
    offsets = np.arange(-radius, radius + 2)
    gaussian = np.exp(-0.5 * (offsets[:-1] / sigma) ** 2) if radius else np.ones(1)
    gaussian /= gaussian.sum()
    positions = axis.centres - 0.5
    below = np.floor(positions).astype(np.intp)
    second = positions - below
    shares = np.zeros((axis.new, len(offsets)))
    shares[:, :-1] += (1 - second) * gaussian
    shares[:, 1:] += second * gaussian
    return Weights(_mirrored(below + offsets, axis.old), shares)


def mean_of_area(axis: Axis) -> Weights:
    """The mean of what each new pixel covers; an axis that grows is interpolated.

    Pixels that were merged before reach beyond what is covered: as much less of them is taken as makes up for it.
    """
    if axis.new > axis.whole:
        return smooth_and_interpolate(axis)
    width = (max(axis.step**2 - 1, 0) + axis.merged**-2) ** 0.5
    starts, stops = axis.centres - width / 2, axis.centres + width / 2
    indices = np.floor(starts).astype(np.intp) + np.arange(int(width) + 2)
    shares = np.clip(np.minimum(indices + 1, stops) - np.maximum(indices, starts), 0, None)
    return Weights(np.clip(indices, 0, axis.old - 1), shares / shares.sum(axis=1, keepdims=True))


def _smooth_what_is_merged(axis: Axis) -> Weights:
    """The gaussian that still is to do before pixels of which each is the mean of several are as smooth as if whole.

    Variances add up, in pixels of the whole: the gaussian's, that of linear interpolation (1/6 between two pixels,
    at the mean), and that of n merged pixels, (n² - 1) / 12.
    """
    variance = (axis.whole / axis.new - 1) ** 2 / 4 + 1 / 6 - (axis.merged**2 - 1) / 12
    sigma = max(variance / axis.merged**2, LEAST_VARIANCE) ** 0.5
    radius = int(SIGMAS * sigma + 0.5)
    indices = np.floor(axis.centres).astype(np.intp) + np.arange(-radius, radius + 1)
    shares = np.exp(-0.5 * ((indices + 0.5 - axis.centres) / sigma) ** 2)
    return Weights(_mirrored(indices, axis.old), shares / shares.sum(axis=1, keepdims=True))


def rescale(plane: Pixels, rows: Axis, columns: Axis, weigh: Weigh) -> Pixels:
    """Bring (Y, X) or (Y, X, S) to another height and width.

    Parameters
    ----------
    plane
        Of finite numbers.
    weigh
        Tells what new pixels are made of, along either axis.

    Returns
    -------
    ndarray
        Of the same dtype; integers are rounded.
    """
    if weigh is mean_of_area and rows.is_binned and columns.is_binned and plane.dtype in BINNED_BY_OPENCV:
        return _binned(plane, rows.new, columns.new)
    dtype, samples = working_dtype(plane.dtype), math.prod(plane.shape[2:])
    values = plane.reshape(rows.old, -1)
    by_row, by_column = _blocks(rows, weigh, dtype), _blocks(columns, weigh, dtype, samples)
    result = np.empty((rows.new, columns.new * samples), plane.dtype)
    for first in range(0, len(by_row), BLOCKS):
        means = _weigh_columns(_weigh_rows(values, by_row[first : first + BLOCKS], dtype), by_column)
        top = first * BLOCK
        result[top : top + len(means)] = np.rint(means, out=means) if plane.dtype.kind in "ui" else means
    return result.reshape(rows.new, columns.new, *plane.shape[2:])


def _binned(plane: Pixels, height: int, width: int) -> Pixels:
    import cv2

    binned = cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(binned).reshape(height, width, *plane.shape[2:])


def _weigh_rows(values: Pixels, blocks: Sequence[_Block], dtype: np.dtype[Any]) -> Floats:
    """The new rows of some blocks, from all of the old ones (Y, N)."""
    top, bottom = blocks[0].new.start, blocks[-1].new.stop
    result = np.empty((bottom - top, values.shape[1]), dtype)
    strip = np.empty((max(len(block.matrix) for block in blocks), values.shape[1]), dtype)
    for block in blocks:
        rows = values[block.old]
        if rows.dtype != dtype:  # only now: what is converted is still in the cache when it is multiplied
            np.copyto(strip[: len(rows)], rows)
            rows = strip[: len(rows)]
        np.matmul(block.matrix.T, rows, out=result[block.new.start - top : block.new.stop - top])
    return result


def _weigh_columns(values: Floats, blocks: Sequence[_Block]) -> Floats:
    """All of the new columns, from all of the old ones (Y, X × S)."""
    result = np.empty((len(values), blocks[-1].new.stop), values.dtype)
    for block in blocks:
        np.matmul(values[:, block.old], block.matrix, out=result[:, block.new])
    return result


@lru_cache(maxsize=8)  # two axes, two orientations, and an image beside its alpha
def _blocks(axis: Axis, weigh: Weigh, dtype: np.dtype[Any], samples: int = 1) -> tuple[_Block, ...]:
    """The matrices for an axis; with several samples to a pixel, each is made of its own kind alone."""
    indices, shares = weigh(axis)
    blocks = list[_Block]()
    for start in range(0, axis.new, BLOCK):
        stop = min(start + BLOCK, axis.new)
        near = indices[start:stop]
        first, last = int(near.min()), int(near.max()) + 1
        matrix = np.zeros((last - first, samples, stop - start, samples), dtype)
        for sample in range(samples):
            np.add.at(matrix[:, sample, :, sample], (near - first, np.arange(stop - start)[:, np.newaxis]),
                      shares[start:stop])  # fmt: skip
        old, new = slice(first * samples, last * samples), slice(start * samples, stop * samples)
        blocks.append(_Block(new, old, matrix.reshape((last - first) * samples, -1)))
    return tuple(blocks)


def _mirrored(indices: Integers, length: int) -> Integers:
    """Indices within `length`, the image going on as its mirror image at either end."""
    period = max(2 * (length - 1), 1)
    inside = np.abs(indices) % period
    return np.minimum(inside, period - inside) if length > 1 else np.zeros_like(indices)
