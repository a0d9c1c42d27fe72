"""Connected components of planes and volumes, numbered in raster order."""

from typing import Any

import numpy as np

from imgpool.core.axes import Bools, Pixels

Labels = np.ndarray[tuple[int, ...], np.dtype[np.integer[Any]]]


def label_components(
    foreground: Bools, dimensions: int, connectivity: int, min_pixels: float, *, clear_border: bool
) -> Pixels:
    """Number the components of every plane or volume from 1, without gaps.

    Parameters
    ----------
    foreground
        (…, Y, X) or (…, Z, Y, X).
    dimensions
        2 to label planes, 3 to label volumes.
    connectivity
        Number of coordinates in which two neighbours may differ, from 1 to `dimensions`.
    min_pixels
        Smaller components are removed.
    clear_border
        Whether components that touch the first or last row or column are removed.

    Returns
    -------
    ndarray
        Of the smallest unsigned dtype that holds the highest number.
    """
    parts = foreground.reshape(-1, *foreground.shape[-dimensions:])
    labels = [_label(part, connectivity) for part in parts]
    if min_pixels > 1 or clear_border:
        labels = [_remove_components(part, min_pixels, clear_border=clear_border) for part in labels]
    highest = max(int(part.max()) for part in labels)
    result = np.empty(parts.shape, np.min_scalar_type(highest))
    for index, part in enumerate(labels):
        result[index] = part
    return result.reshape(foreground.shape)


def _label(part: Bools, connectivity: int) -> Labels:
    if part.ndim == 2:  # noqa: PLR2004 - Y and X
        import cv2

        neighbours = 4 if connectivity == 1 else 8
        binary = np.ascontiguousarray(part).view(np.uint8)
        # SAUF is the OpenCV algorithm that numbers in raster order with any number of threads
        _, found = cv2.connectedComponentsWithAlgorithm(binary, neighbours, cv2.CV_32S, cv2.CCL_SAUF)
        return np.asarray(found).reshape(part.shape)
    from skimage import measure

    volume: Labels = measure.label(part, connectivity=connectivity).astype(np.int32)
    return volume


def _remove_components(labels: Labels, min_pixels: float, *, clear_border: bool) -> Labels:
    """Remove small components and those at the border, and renumber the others without gaps."""
    kept = np.bincount(labels.reshape(-1)) >= min_pixels
    kept[0] = False
    if clear_border:
        for edge in (labels[..., 0, :], labels[..., -1, :], labels[..., 0], labels[..., -1]):
            kept[np.unique(edge)] = False
    renumbered = np.where(kept, np.cumsum(kept), 0).astype(labels.dtype)
    return renumbered[labels]
