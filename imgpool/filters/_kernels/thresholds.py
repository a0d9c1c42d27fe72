"""Grey-level thresholds that separate objects from background, by the methods of scikit-image."""

from typing import Literal

import numpy as np

from imgpool.core.axes import Bools, Pixels
from imgpool.core.dtypes import Floats, to_float
from imgpool.core.errors import FilterError
from imgpool.filters._kernels.convolve import gaussian_blur
from imgpool.filters._pixels.planes import weighted_mean
from imgpool.filters._pixels.statistics import finite, histogram

Method = Literal["otsu", "li", "triangle", "yen", "isodata", "mean", "minimum"]

HISTOGRAM_METHODS = {"otsu", "yen", "isodata", "minimum"}
"""Methods that accept a histogram instead of the pixels."""

MAX_INTEGER_LEVELS = 2**16
"""Integers with a larger range of grey levels are binned as floats are, in 256 bins."""


def global_threshold(values: Pixels, method: Method) -> float:
    """Compute the threshold of a group of pixels.

    Parameters
    ----------
    values
        Integers or floats of any shape; NaN and infinities are ignored.
    method
        As in ``skimage.filters.threshold_<method>``.

    Returns
    -------
    float
        Infinite if all values are equal, so that no pixel exceeds it.

    Raises
    ------
    FilterError
        If the method is "minimum" and the histogram does not have two peaks.
    """
    values = finite(values).reshape(-1)
    if values.size == 0 or values.min() == values.max():
        return np.inf
    if values.dtype.kind == "f":
        return _threshold(to_float(values), method)
    lowest, highest = int(values.min()), int(values.max())
    if highest - lowest >= MAX_INTEGER_LEVELS:
        return _threshold(values.astype(np.float64), method)
    return lowest + _threshold(_subtract_lowest(values, lowest), method)


def local_mean(grey: Pixels, valid: Bools, size: int) -> Floats:
    """Compute the Gaussian-weighted mean around each pixel of (Y, X), as ``skimage.filters.threshold_local`` does.

    Parameters
    ----------
    grey
        Integers or floats.
    valid
        Which pixels contribute to the mean.
    size
        Side of the neighbourhood in pixels, which spans six standard deviations of the Gaussian.
    """
    sigma = (size - 1) / 6

    def blur(values: Pixels) -> Floats:
        return gaussian_blur(values, (sigma, sigma), 4.0, "reflect")

    values = np.where(valid, grey, 0).astype(np.float64)
    return weighted_mean(blur, values, None if valid.all() else valid.astype(np.float64))


def _subtract_lowest(values: Pixels, lowest: int) -> Pixels:
    """Subtract the lowest value from integers that span less than `MAX_INTEGER_LEVELS`; return uint16."""
    patterns = values.view(f"u{values.dtype.itemsize}")  # modular arithmetic, so that int8 does not overflow
    base = patterns.dtype.type(lowest % 2 ** (8 * values.dtype.itemsize))
    above: Pixels = np.subtract(patterns, base).astype(np.uint16)
    return above


def _threshold(values: Pixels, method: Method) -> float:
    from skimage import filters

    function = getattr(filters, f"threshold_{method}")
    by_histogram = method in HISTOGRAM_METHODS and values.dtype.kind == "u"
    try:
        return float(function(hist=histogram(values)) if by_histogram else function(values))
    except RuntimeError as error:
        raise FilterError(f"threshold: the method {method} needs two peaks in the histogram, and there are fewer",
                          "use another method, for example method=otsu") from error  # fmt: skip
