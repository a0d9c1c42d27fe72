"""Separable convolution and Gaussian blur by OpenCV, with scikit-image's results."""

import math
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import Floats, to_float, working_dtype
from imgpool.core.errors import FilterError

MAX_REACH_PX = 2**15
"""A larger Gaussian is taken for a mistake in the unit."""

MAX_SIGMA_PX = 8000
"""Largest standard deviation; four of them are within `MAX_REACH_PX`."""

STRIP_ROWS = 256
"""Rows blurred at once, unless the kernel is large."""

OPENCV_DEPTHS = {np.dtype(np.uint8): "CV_8U", np.dtype(np.float32): "CV_32F", np.dtype(np.float64): "CV_64F"}
"""OpenCV's name for each dtype of a result."""

Border = Literal["nearest", "reflect"]
"""scipy's terms: "nearest" repeats the outermost pixel, "reflect" mirrors the image at its edge."""


def convolve(values: Floats, along_y: Floats, along_x: Floats, border: Border) -> Floats:
    """Convolve (Y, X) or (Y, X, 3) with one symmetric or antisymmetric kernel per axis."""
    result: Floats = _separable(values, along_y, along_x, border, values.dtype)
    return result


def gaussian_reach(sigma: float, truncate: float) -> int:
    """Return the number of pixels from the centre of a Gaussian kernel to its edge.

    Parameters
    ----------
    sigma
        Standard deviation in pixels.
    truncate
        Standard deviations at which the kernel ends.

    Raises
    ------
    FilterError
        If the kernel is unreasonably large.
    """
    reach = truncate * sigma + 0.5
    if reach > MAX_REACH_PX:
        raise FilterError(
            f"a Gaussian with sigma {sigma:.0f} px reaches {reach:.0f} px, above the limit of {MAX_REACH_PX} px",
            "check the unit of sigma or radius, or resize the image first",
        )
    return int(reach)


def gaussian_blur(values: Pixels, sigma: tuple[float, float], truncate: float, border: Border) -> Floats:
    """Blur (Y, X) or (Y, X, 3) by a Gaussian; return floats of the working dtype.

    Parameters
    ----------
    values
        Integers or floats.
    sigma
        Standard deviations along Y and X, in pixels.
    truncate
        Standard deviations at which the kernel ends.
    border
        How the image continues beyond its border.
    """
    along_y, along_x = _gaussian_kernels(sigma, truncate)
    if values.dtype != np.uint8:  # OpenCV reads uint8 directly
        values = to_float(values)
    result: Floats = _separable(values, along_y, along_x, border, working_dtype(values.dtype))
    return result


def gaussian_blur_rounded(values: Pixels, sigma: tuple[float, float], truncate: float, border: Border) -> Pixels:
    """Blur as `gaussian_blur` does and round to the dtype of `values`, which can hold any mean of them."""
    if values.dtype == np.uint8:
        rounded: Pixels = _separable(values, *_gaussian_kernels(sigma, truncate), border, values.dtype)
        return rounded
    if values.dtype.kind == "f":
        return gaussian_blur(values, sigma, truncate, border).astype(values.dtype, copy=False)
    return _blur_in_strips(values, sigma, truncate, border)


def _blur_in_strips(values: Pixels, sigma: tuple[float, float], truncate: float, border: Border) -> Pixels:
    """Blur integers in strips of rows, whose floats take little memory and stay in the CPU cache."""
    reach = gaussian_reach(sigma[0], truncate)
    height, step = len(values), max(STRIP_ROWS, 4 * reach)
    result = np.empty_like(values)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        first, last = max(top - reach, 0), min(bottom + reach, height)
        blurred = gaussian_blur(values[first:last], sigma, truncate, border)[top - first : bottom - first]
        result[top:bottom] = np.rint(blurred, out=blurred)
    return result


def _separable(values: Pixels, along_y: Floats, along_x: Floats, border: Border, dtype: np.dtype[Any]) -> Any:  # noqa: ANN401 - an array of that dtype
    import cv2

    mode = {"nearest": cv2.BORDER_REPLICATE, "reflect": cv2.BORDER_REFLECT}[border]
    return cv2.sepFilter2D(values, getattr(cv2, OPENCV_DEPTHS[dtype]), along_x, along_y, borderType=mode)


@lru_cache(maxsize=16)
def _gaussian_kernels(sigma: tuple[float, float], truncate: float) -> tuple[Floats, Floats]:
    along_y, along_x = (_gaussian_kernel(each, truncate) for each in sigma)
    return along_y, along_x


def _gaussian_kernel(sigma: float, truncate: float) -> Floats:
    reach = gaussian_reach(sigma, truncate)
    weights = [math.exp(-0.5 * (offset / sigma) ** 2) for offset in range(-reach, reach + 1)]
    return np.array(weights) / math.fsum(weights)
