"""Separable convolution and the Gaussian, by OpenCV at scikit-image's results."""

import math
from typing import Literal

import numpy as np

from imgpool.core.errors import FilterError
from imgpool.filters._dtype import Floats

LARGEST_REACH = 2**15  # pixels

Border = Literal["nearest", "reflect"]


def convolve(values: Floats, along_y: Floats, along_x: Floats, border: Border) -> Floats:
    """Convolve (Y, X) or (Y, X, 3) with a symmetric or antisymmetric kernel per axis.

    `border` is scipy's word: "nearest" repeats the outermost pixel, "reflect" mirrors at the outer edge.
    """
    import cv2

    mode = {"nearest": cv2.BORDER_REPLICATE, "reflect": cv2.BORDER_REFLECT}[border]
    result: Floats = cv2.sepFilter2D(values, -1, along_x, along_y, borderType=mode)
    return result


def gaussian_reach(sigma: float, truncate: float) -> int:
    """Pixels from the middle of the kernel to its end.

    Raises
    ------
    FilterError
        If the kernel is larger than can be meant.
    """
    reach = truncate * sigma + 0.5
    if reach > LARGEST_REACH:
        raise FilterError(
            f"a Gaussian of {sigma:.0f} px reaches {reach:.0f} px, above the limit of {LARGEST_REACH} px",
            "check the unit of its sigma or radius, or resize the image first",
        )
    return int(reach)


def gaussian_blur(values: Floats, sigma: tuple[float, float], truncate: float, border: Border) -> Floats:
    """Blur (Y, X) or (Y, X, 3) by a Gaussian with a `sigma` in pixels along Y and X."""
    return convolve(values, _gaussian_kernel(sigma[0], truncate), _gaussian_kernel(sigma[1], truncate), border)


def _gaussian_kernel(sigma: float, truncate: float) -> Floats:
    reach = gaussian_reach(sigma, truncate)
    weights = [math.exp(-0.5 * (offset / sigma) ** 2) for offset in range(-reach, reach + 1)]
    return np.array(weights) / math.fsum(weights)
