"""The least and the greatest over a neighbourhood: erosion and dilation.

A disk is a pile of rows. The least over a row of any length is the lesser of two rows of a power of two that overlap,
and these are had by doubling; so a pixel costs two comparisons for each row of the disk, not one for each of its
pixels.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.filters._kernels.neighbourhood import Footprint

STRIP = 128  # rows worked on at once: they stay in the cache
SMALLEST_PILE = 5  # pixels of reach; OpenCV itself is faster with a smaller disk, and with a square

Pick = Callable[..., Any]


def erode(values: Pixels, footprint: Footprint) -> Pixels:
    """The least over `footprint`, a disk or a square, of (Y, X) or (Y, X, 3); the image is mirrored at its border.

    Parameters
    ----------
    values
        Of a dtype that OpenCV filters, without NaN.
    """
    import cv2

    return _extreme(values, footprint, cv2.min, cv2.erode)


def dilate(values: Pixels, footprint: Footprint) -> Pixels:
    """As `erode`, but the greatest."""
    import cv2

    return _extreme(values, footprint, cv2.max, cv2.dilate)


def _extreme(values: Pixels, footprint: Footprint, pick: Pick, by_opencv: Pick) -> Pixels:
    import cv2

    reach = len(footprint) // 2
    if footprint.all() or reach < SMALLEST_PILE:
        filtered: Pixels = by_opencv(values, footprint.astype(np.uint8), borderType=cv2.BORDER_REFLECT)
        return filtered
    padded = cv2.copyMakeBorder(values, reach, reach, reach, reach, cv2.BORDER_REFLECT)
    result = np.empty_like(values)
    for top in range(0, len(values), STRIP):
        strip = result[top : top + STRIP]
        _pile_rows(padded[top : top + len(strip) + 2 * reach], footprint, pick, strip)
    return result


def _pile_rows(padded: Pixels, footprint: Footprint, pick: Pick, result: Pixels) -> None:
    """Fill `result` with the extremes over a footprint whose rows are centred runs; the shortest ones come first."""
    reach, (height, width) = len(footprint) // 2, result.shape[:2]
    lengths = footprint.sum(axis=1)
    run, length_of_run = padded, 1
    started = False
    for length in np.unique(lengths).tolist():
        while 2 * length_of_run <= length:
            run = pick(run[:, :-length_of_run], run[:, length_of_run:])
            length_of_run *= 2
        left = reach - length // 2
        right = left + length - length_of_run
        row = pick(run[:, left : left + width], run[:, right : right + width])
        for offset in np.flatnonzero(lengths == length).tolist():
            if started:
                pick(result, row[offset : offset + height], dst=result)
            else:
                result[...] = row[offset : offset + height]
                started = True
