"""The median of numbers of many levels, from medians of bytes, for which there are fast ways.

A median does not care how far its values are apart, only which is the greater. Any map of the levels to bytes that
keeps their order therefore gives the byte of the median; and where that byte stands for a single level, the level
itself. A first map, of as many neighbouring levels to each byte as it takes, tells which levels are medians at all.
Others then resolve these, 255 at once. In a small tile of an image that is rarely more than one.
"""

from collections.abc import Callable

import numpy as np

from imgpool.core.axes import Pixels

TILE = 512  # pixels
BYTES = 256
COUNTED = {"uint16"}  # of so few levels that counting is faster than sorting

Median = Callable[[Pixels], Pixels]


def median_by_levels(plane: Pixels, reach: int, byte_median: Median, most: int, otherwise: Median) -> Pixels:
    """The median around each pixel of (Y, X), exactly.

    Parameters
    ----------
    reach
        Pixels from the middle of the neighbourhood to its end; beyond the border the outermost are repeated.
    byte_median
        The median of an array of uint8, over the same neighbourhood; what it gives within `reach` of the border
        is not looked at.
    most
        Of how many medians of bytes this is worth while.
    otherwise
        The median of a tile, as `byte_median`, for one that takes more.
    """
    padded = np.pad(plane, reach, mode="edge")
    result = np.empty_like(plane)
    inner = slice(reach, -reach)
    for top in range(0, plane.shape[0], TILE):
        for left in range(0, plane.shape[1], TILE):
            tile = padded[top : top + TILE + 2 * reach, left : left + TILE + 2 * reach]
            levels, ranks = _rank(tile)
            found = _median_rank(ranks, len(levels), inner, byte_median, most)
            medians = otherwise(tile)[inner, inner] if found is None else levels[found]
            result[top : top + TILE, left : left + TILE] = medians
    return result


def _rank(tile: Pixels) -> tuple[Pixels, Pixels]:
    """The levels that occur, in order, and of each pixel the number of its level."""
    if tile.dtype.name in COUNTED:
        present = np.bincount(tile.reshape(-1), minlength=2**16) > 0
        return np.flatnonzero(present).astype(tile.dtype), (np.cumsum(present) - 1)[tile]
    levels, ranks = np.unique(tile, return_inverse=True)
    return levels, ranks.reshape(tile.shape)


def _median_rank(ranks: Pixels, count: int, inner: slice, byte_median: Median, most: int) -> Pixels | None:
    """The medians of ranks below `count`; None where that takes more than `most` medians of bytes."""
    if count <= BYTES:
        return byte_median(ranks.astype(np.uint8))[inner, inner]
    width = -(-count // BYTES)
    coarse = byte_median((ranks // width).astype(np.uint8))[inner, inner]
    occurring = np.flatnonzero(np.bincount(coarse.reshape(-1), minlength=BYTES))
    at_once = (BYTES - 1) // width
    if at_once == 0 or len(occurring) > at_once * (most - 1):
        return None
    medians = np.empty(coarse.shape, np.intp)
    for first in range(0, len(occurring), at_once):
        resolved = np.zeros(BYTES, np.bool_)
        resolved[occurring[first : first + at_once]] = True
        is_resolved = resolved[np.arange(count) // width]
        byte = np.cumsum(is_resolved).astype(np.uint8)  # 1 for the first level that is, 255 at most for the last
        fine = byte_median(byte[ranks])[inner, inner]
        here = resolved[coarse]
        medians[here] = np.flatnonzero(is_resolved)[fine[here] - 1]
    return medians
