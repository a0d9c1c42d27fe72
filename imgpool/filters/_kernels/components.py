"""Connected components of planes and volumes, numbered in the order in which rows meet them."""

from typing import Any

import numpy as np

from imgpool.core.axes import Bools, Pixels

Labels = np.ndarray[tuple[int, ...], np.dtype[np.integer[Any]]]


def label_components(
    foreground: Bools, dimensions: int, connectivity: int, least: float, *, clear_border: bool
) -> Pixels:
    """Number the components of every plane or volume from 1, without gaps.

    Parameters
    ----------
    foreground
        Of any leading axes, then (Y, X) or (Z, Y, X).
    dimensions
        2 for planes, 3 for volumes.
    connectivity
        How many of the coordinates of two neighbours may differ.
    least
        Components of fewer pixels are left out.
    clear_border
        Whether components at the first or last row or column are left out.

    Returns
    -------
    ndarray
        Of the smallest unsigned type that holds the highest number.
    """
    parts = foreground.reshape(-1, *foreground.shape[-dimensions:])
    labels = [_label(part, connectivity) for part in parts]
    if least > 1 or clear_border:
        labels = [_keep(part, least, clear_border=clear_border) for part in labels]
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
        # of OpenCV's algorithms, the one that numbers in the order of rows, on any number of threads
        _, found = cv2.connectedComponentsWithAlgorithm(binary, neighbours, cv2.CV_32S, cv2.CCL_SAUF)
        return np.asarray(found).reshape(part.shape)
    from skimage import measure

    volume: Labels = measure.label(part, connectivity=connectivity).astype(np.int32)
    return volume


def _keep(labels: Labels, least: float, *, clear_border: bool) -> Labels:
    """Drop small and cut objects, and close the gaps in the numbers."""
    kept = np.bincount(labels.reshape(-1)) >= least
    kept[0] = False
    if clear_border:
        for edge in (labels[..., 0, :], labels[..., -1, :], labels[..., 0], labels[..., -1]):
            kept[np.unique(edge)] = False
    renumbered = np.where(kept, np.cumsum(kept), 0).astype(labels.dtype)
    return renumbered[labels]
