"""Apply a model to a large image in overlapping tiles, of which the central parts are kept.

The outermost tiles end at the edges of the image, so that the model sees these edges as if it took the whole image. If
tiles start at multiples of the model's step and overlap enough, the result is that of the whole image.

Where an image is shorter than the model requires, it is extended by mirroring, with the outermost pixels repeated
(NumPy's "symmetric" padding). This works for every image, even of one pixel. It also suits objects that continue beyond
the edge: at the outermost pixels, the nucleus probabilities of a U-Net are off by 0.015, against 0.026 with "reflect"
and 0.061 with zeros.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from imgpool.core.errors import FilterError
from imgpool.core.hint import Hint
from imgpool.core.model import Array


@dataclass(frozen=True, slots=True)
class AxisTiling:
    """How one axis of space or time is cut into tiles.

    Attributes
    ----------
    minimum, step
        Lengths that the model takes: ``minimum + n × step``, n ≥ 0. A `step` of 0 fixes the length.
    max_tile
        Largest length of a tile; has no effect if `step` is 0.
    overlap
        Input pixels at each end of a tile whose results are discarded if a neighbouring tile has them too.
    scale
        Output pixels per input pixel.
    offset
        Output pixels in addition to ``length × scale``, half of them at each end; negative if the output is smaller.
    alignment
        Tiles of a fixed length start at multiples of this, for models that downsample their input.
    """

    minimum: int
    step: int = 0
    max_tile: int = 0
    overlap: int = 0
    scale: Fraction = Fraction(1)
    offset: int = 0
    alignment: int = 1

    @property
    def grid(self) -> int:
        """Input pixels at multiples of which tiles start, so that their output pixels lie on one grid."""
        return math.lcm(max(self.step, 1), self.scale.denominator, self.alignment)

    @property
    def border(self) -> int:
        """Input pixels at each end for which the model computes no output."""
        return _round_up(math.ceil(max(0, -self.offset) / 2 / self.scale), self.scale.denominator)

    @property
    def discarded(self) -> int:
        """Input pixels at each end of a tile that contribute no result: `border` and `overlap`."""
        return self.border + _round_up(self.overlap, self.scale.denominator)

    def output_length(self, length: int) -> int:
        """Output pixels for an image of this length; fractional pixels are rounded up."""
        return math.ceil(length * self.scale)


@dataclass(frozen=True, slots=True)
class TileRange:
    """One tile along one axis.

    Attributes
    ----------
    start, length
        The input pixels; the range may extend beyond either end of the image.
    target
        The part of the result that comes from this tile.
    source
        The same pixels in the output for this tile.
    """

    start: int
    length: int
    target: slice
    source: slice


Tile = Mapping[str, TileRange]
"""The range of a tile along each tiled axis, by the letter of the axis."""


def split_axis(length: int, tiling: AxisTiling) -> tuple[TileRange, ...]:
    """Cut an axis into tiles that together yield every output pixel once.

    Tiles start at about equal distances. Neighbouring tiles meet in the middle of their overlap.

    Raises
    ------
    FilterError
        If the overlaps leave nothing of a tile.
    """
    padded, tile = _lengths(length + 2 * tiling.border, tiling)
    stride = (tile - 2 * tiling.discarded) // tiling.grid * tiling.grid
    if tile < padded and stride <= 0:
        raise FilterError(
            f"the model takes {tile} pixels at once, and overlaps of {tiling.discarded} leave none of them",
            f"reduce {Hint('overlap')}",
        )
    starts = _starts(padded - tile, stride, tiling.grid) if tile < padded else [0]
    seams = [_seam(start, following, tile, tiling) for start, following in itertools.pairwise(starts)]
    last = tiling.output_length(length)
    edges = [0, *(min(seam, last) for seam in seams), last]
    ranges = []
    for start, (low, high) in zip(starts, itertools.pairwise(edges), strict=True):
        # output pixel of the whole image where the output of this tile starts
        origin = int(tiling.scale * (start - tiling.border)) - tiling.offset // 2
        ranges.append(TileRange(start - tiling.border, tile, slice(low, high), slice(low - origin, high - origin)))
    return tuple(each for each in ranges if each.target.start < each.target.stop)


def combine_ranges(ranges: Mapping[str, Sequence[TileRange]]) -> list[Tile]:
    """List all tiles, given their ranges along each axis."""
    return [dict(zip(ranges, tile, strict=True)) for tile in itertools.product(*ranges.values())]


def predict_tiles(
    sample: Array, letters: str, tiles: Sequence[Tile], predict: Callable[[Array], Array], output_letters: str
) -> Array:
    """Apply a model to each tile and assemble the results; the order of the tiles does not matter.

    Parameters
    ----------
    sample
        The preprocessed image.
    letters
        Its axes.
    tiles
        From `combine_ranges`; at least one.
    predict
        Computes the model's output for one tile.
    output_letters
        The axes of this output.
    """
    result: Array | None = None
    for tile in tiles:
        output = predict(_extract(sample, letters, tile))
        target, source = (_indices(output_letters, tile, part) for part in ("target", "source"))
        if result is None:
            result = np.empty(_result_shape(output_letters, output, tiles), output.dtype)
        result[target] = output[source]
    assert result is not None
    return result


def _lengths(needed: int, tiling: AxisTiling) -> tuple[int, int]:
    """Length of the image, extended so that tiles fill it, and length of a tile."""
    if needed <= tiling.minimum:
        return tiling.minimum, tiling.minimum
    padded = tiling.minimum + _round_up(needed - tiling.minimum, tiling.grid)
    if not tiling.step:
        return padded, tiling.minimum
    tile = tiling.minimum + max(0, tiling.max_tile - tiling.minimum) // tiling.step * tiling.step
    return padded, min(padded, tile)


def _starts(last: int, stride: int, grid: int) -> list[int]:
    """Starts of the tiles from 0 to `last`, at about equal distances of at most `stride`."""
    steps = -(-last // stride)
    return [number * last // steps // grid * grid for number in range(steps + 1)]


def _seam(start: int, following: int, tile: int, tiling: AxisTiling) -> int:
    """Output pixel at which the following tile takes over, given the starts of both."""
    middle = (following + start + tile) // 2
    unit = tiling.scale.denominator
    return int(tiling.scale * (middle // unit * unit - tiling.border))


def _extract(sample: Array, letters: str, tile: Tile) -> Array:
    """Cut out one tile; beyond the image, its pixels are mirrored."""
    for axis, letter in enumerate(letters):
        if letter not in tile:
            continue
        length = sample.shape[axis]
        start, stop = tile[letter].start, tile[letter].start + tile[letter].length
        if start >= 0 and stop <= length:
            sample = sample[(slice(None),) * axis + (slice(start, stop),)]
        else:
            positions = np.arange(start, stop) % (2 * length)
            sample = sample.take(np.minimum(positions, 2 * length - 1 - positions), axis)
    return np.ascontiguousarray(sample)


def _indices(letters: str, tile: Tile, part: Literal["target", "source"]) -> tuple[slice, ...]:
    return tuple(getattr(tile[letter], part) if letter in tile else slice(None) for letter in letters)


def _result_shape(letters: str, output: Array, tiles: Sequence[Tile]) -> list[int]:
    """Shape of the whole result, given the output of one tile."""
    return [
        max(tile[letter].target.stop for tile in tiles) if letter in tiles[0] else length
        for letter, length in zip(letters, output.shape, strict=True)
    ]


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
