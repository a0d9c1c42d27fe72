"""Grey-level erosion and dilation: minimum and maximum over a footprint.

A disk is split into its rows. The minimum over a row of any length is the smaller of the minima over two overlapping
runs whose length is a power of two, and those are computed by doubling. A pixel therefore costs two comparisons for
each row of the disk, not one for each pixel of the disk.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.filters._kernels.neighbourhood import Footprint

STRIP_ROWS = 128
"""Rows processed at once, so that intermediate results stay in the CPU cache."""

MIN_ROWWISE_REACH_PX = 5
"""OpenCV's own functions are faster for smaller disks, and for squares of any size."""

Extremum = Callable[..., Any]


def erode(values: Pixels, footprint: Footprint) -> Pixels:
    """Compute the minimum over a footprint around each pixel, with the image mirrored at its border.

    Parameters
    ----------
    values
        (Y, X) or (Y, X, 3), of a dtype in `OPENCV_DTYPES`, without NaN.
    footprint
        A disk or a square.
    """
    import cv2

    return _filter(values, footprint, cv2.min, cv2.erode)


def dilate(values: Pixels, footprint: Footprint) -> Pixels:
    """Compute the maximum over a footprint around each pixel; parameters as for `erode`."""
    import cv2

    return _filter(values, footprint, cv2.max, cv2.dilate)


def _filter(values: Pixels, footprint: Footprint, extremum: Extremum, opencv_filter: Extremum) -> Pixels:
    import cv2

    reach = len(footprint) // 2
    if footprint.all() or reach < MIN_ROWWISE_REACH_PX:
        filtered: Pixels = opencv_filter(values, footprint.astype(np.uint8), borderType=cv2.BORDER_REFLECT)
        return filtered
    padded = cv2.copyMakeBorder(values, reach, reach, reach, reach, cv2.BORDER_REFLECT)
    result = np.empty_like(values)
    for top in range(0, len(values), STRIP_ROWS):
        strip = result[top : top + STRIP_ROWS]
        _combine_rows(padded[top : top + len(strip) + 2 * reach], footprint, extremum, strip)
    return result


def _combine_rows(padded: Pixels, footprint: Footprint, extremum: Extremum, result: Pixels) -> None:
    """Write the extrema over a footprint whose rows are centred runs into `result`, the shortest rows first."""
    reach, (height, width) = len(footprint) // 2, result.shape[:2]
    row_lengths = footprint.sum(axis=1)
    run, run_length = padded, 1
    is_first = True
    for length in np.unique(row_lengths).tolist():
        while 2 * run_length <= length:
            run = extremum(run[:, :-run_length], run[:, run_length:])
            run_length *= 2
        left = reach - length // 2
        right = left + length - run_length
        row = extremum(run[:, left : left + width], run[:, right : right + width])
        for offset in np.flatnonzero(row_lengths == length).tolist():
            if is_first:
                result[...] = row[offset : offset + height]
                is_first = False
            else:
                extremum(result, row[offset : offset + height], dst=result)
