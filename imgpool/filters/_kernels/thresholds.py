"""The grey level that separates objects from background, by scikit-image's methods."""

from typing import Literal

import numpy as np

from imgpool.core.axes import Bools, Pixels
from imgpool.core.dtypes import Floats, to_float
from imgpool.core.errors import FilterError
from imgpool.filters._kernels.convolve import gaussian_blur
from imgpool.filters._pixels.groups import finite, histogram
from imgpool.filters._pixels.planes import weighted_mean

Method = Literal["otsu", "li", "triangle", "yen", "isodata", "mean", "minimum"]

FROM_HISTOGRAM = {"otsu", "yen", "isodata", "minimum"}
SPREAD = 2**16
"""Integers that spread over more grey levels than this are binned as floats are, in 256 bins."""


def global_threshold(values: Pixels, method: Method) -> float:
    """The threshold of a group of pixels.

    Parameters
    ----------
    values
        Integers or floats of any shape; NaN and infinities are left out.
    method
        As in ``skimage.filters.threshold_<method>``.

    Returns
    -------
    float
        Infinite where all values are the same: nothing stands out.

    Raises
    ------
    FilterError
        If the method finds no threshold: "minimum", without two peaks.
    """
    values = finite(values).reshape(-1)
    if values.size == 0 or values.min() == values.max():
        return np.inf
    if values.dtype.kind == "f":
        return _threshold(to_float(values), method)
    lowest, highest = int(values.min()), int(values.max())
    if highest - lowest >= SPREAD:
        return _threshold(values.astype(np.float64), method)
    return lowest + _threshold(_above(values, lowest), method)


def local_mean(grey: Pixels, counted: Bools, size: int) -> Floats:
    """The mean around each pixel of (Y, X), as ``skimage.filters.threshold_local`` weighs it.

    Parameters
    ----------
    grey
        Integers or floats.
    counted
        Which pixels count.
    size
        Side of the neighbourhood, of six standard deviations of a gaussian.
    """
    sigma = (size - 1) / 6

    def blur(values: Pixels) -> Floats:
        return gaussian_blur(values, (sigma, sigma), 4.0, "reflect")

    values = np.where(counted, grey, 0).astype(np.float64)
    return weighted_mean(blur, values, None if counted.all() else counted.astype(np.float64))


def _above(values: Pixels, lowest: int) -> Pixels:
    """How far integers are above the lowest of them: less than `SPREAD`."""
    patterns = values.view(f"u{values.dtype.itemsize}")  # modular, so that int8 does not overflow
    base = patterns.dtype.type(lowest % 2 ** (8 * values.dtype.itemsize))
    above: Pixels = np.subtract(patterns, base).astype(np.uint16)
    return above


def _threshold(values: Pixels, method: Method) -> float:
    from skimage import filters

    function = getattr(filters, f"threshold_{method}")
    counted = method in FROM_HISTOGRAM and values.dtype.kind == "u"
    try:
        return float(function(hist=histogram(values)) if counted else function(values))
    except RuntimeError as error:
        raise FilterError(f"threshold: {method} finds no two peaks among the grey levels",
                          "use another method, for example method=otsu") from error  # fmt: skip
