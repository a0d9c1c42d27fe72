"""Exact median filter for many grey levels, built on fast median filters for bytes.

A median depends only on the order of the values. If the levels are mapped to bytes by a non-decreasing function, the
median of the bytes is therefore the byte of the median; where a single level maps to that byte, the level is known.
The first map assigns each byte a range of adjacent levels and so finds the ranges that contain medians. Further maps
resolve the levels of these ranges, 255 levels at a time. In a small tile of an image one such map is usually enough.
"""

from collections.abc import Callable

import numpy as np

from imgpool.core.axes import Pixels

TILE_PX = 512
"""Side of a tile."""

BYTE_VALUES = 256

COUNTED_DTYPES = {"uint16"}
"""Dtypes with so few levels that counting is faster than sorting."""

Median = Callable[[Pixels], Pixels]


def median_by_levels(plane: Pixels, reach: int, byte_median: Median, max_calls: int, fallback: Median) -> Pixels:
    """Compute the exact median around each pixel of (Y, X).

    Parameters
    ----------
    reach
        Pixels from the centre of the neighbourhood to its edge. The outermost pixels are repeated beyond the border.
    byte_median
        Median filter with the same neighbourhood for uint8. Its results within `reach` of the border are ignored.
    max_calls
        Number of calls of `byte_median` for a tile up to which they are faster than `fallback`.
    fallback
        Median filter for a tile that would need more calls.
    """
    padded = np.pad(plane, reach, mode="edge")
    result = np.empty_like(plane)
    inner = slice(reach, -reach)
    for top in range(0, plane.shape[0], TILE_PX):
        for left in range(0, plane.shape[1], TILE_PX):
            tile = padded[top : top + TILE_PX + 2 * reach, left : left + TILE_PX + 2 * reach]
            levels, ranks = _rank(tile)
            found = _median_rank(ranks, len(levels), inner, byte_median, max_calls)
            medians = fallback(tile)[inner, inner] if found is None else levels[found]
            result[top : top + TILE_PX, left : left + TILE_PX] = medians
    return result


def _rank(tile: Pixels) -> tuple[Pixels, Pixels]:
    """Return the levels that occur, sorted, and the index of each pixel's level among them."""
    if tile.dtype.name in COUNTED_DTYPES:
        present = np.bincount(tile.reshape(-1), minlength=2**16) > 0
        return np.flatnonzero(present).astype(tile.dtype), (np.cumsum(present) - 1)[tile]
    levels, ranks = np.unique(tile, return_inverse=True)
    return levels, ranks.reshape(tile.shape)


def _median_rank(ranks: Pixels, count: int, inner: slice, byte_median: Median, max_calls: int) -> Pixels | None:
    """Compute the medians of ranks from 0 to `count` - 1; None if that needs more than `max_calls` calls."""
    if count <= BYTE_VALUES:
        return byte_median(ranks.astype(np.uint8))[inner, inner]
    levels_per_byte = -(-count // BYTE_VALUES)
    coarse = byte_median((ranks // levels_per_byte).astype(np.uint8))[inner, inner]
    occurring = np.flatnonzero(np.bincount(coarse.reshape(-1), minlength=BYTE_VALUES))
    resolved_per_call = (BYTE_VALUES - 1) // levels_per_byte
    if resolved_per_call == 0 or len(occurring) > resolved_per_call * (max_calls - 1):
        return None
    medians = np.empty(coarse.shape, np.intp)
    for first in range(0, len(occurring), resolved_per_call):
        resolved = np.zeros(BYTE_VALUES, np.bool_)
        resolved[occurring[first : first + resolved_per_call]] = True
        is_resolved = resolved[np.arange(count) // levels_per_byte]
        byte = np.cumsum(is_resolved).astype(np.uint8)  # from 1 for the first resolved level to at most 255
        fine = byte_median(byte[ranks])[inner, inner]
        here = resolved[coarse]
        medians[here] = np.flatnonzero(is_resolved)[fine[here] - 1]
    return medians
