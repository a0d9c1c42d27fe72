"""Richardson-Lucy deconvolution with mirrored borders and per-pixel weights."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from imgpool.core.dtypes import Floats
from imgpool.filters._kernels.convolve import gaussian_blur

TRUNCATE = 4.0
"""Standard deviations at which a Gaussian kernel ends."""

MAX_DIRECT_SIDE_PX = 11
"""Side of a kernel up to which direct convolution is faster than the Fourier transform."""

EPSILON = 1e-12
"""Share of the brightest value that is added to a divisor to keep it above 0, as in scikit-image."""

Operator = Callable[[Floats], Floats]


class BlurOperator(NamedTuple):
    """Convolution with a point spread function, and its adjoint: convolution with the mirrored function."""

    forward: Operator
    adjoint: Operator


def gaussian_operator(sigma: tuple[float, float]) -> BlurOperator:
    """Return the operator of a Gaussian with these standard deviations in pixels along Y and X, for planes."""

    def blur(values: Floats) -> Floats:
        return gaussian_blur(values, sigma, TRUNCATE, "reflect")

    return BlurOperator(blur, blur)


def psf_operator(psf: Floats) -> BlurOperator:
    """Return the operator of a PSF with odd sides and a sum of 1: (Y, X) for planes or (Z, Y, X) for volumes."""
    if psf.ndim == 2 and max(psf.shape) <= MAX_DIRECT_SIDE_PX:  # noqa: PLR2004 - Y and X
        return BlurOperator(_DirectCorrelation(np.flip(psf)), _DirectCorrelation(psf))
    convolution = _FourierConvolution(psf)
    return BlurOperator(convolution, lambda values: convolution(values, adjoint=True))


def deconvolve(values: Floats, weight: Floats | None, operator: BlurOperator, iterations: int) -> Floats:
    """Estimate the image that, blurred by an operator, most likely gave `values`.

    The estimate before the first iteration is constant, so that the first one yields the adjoint of `values`.

    Parameters
    ----------
    values
        The blurred image: 0 or more, and 0 where the weight is 0.
    weight
        How much each pixel counts, from 0 to 1; None if all count fully.
    operator
        The blur.
    iterations
        1 or more.

    Returns
    -------
    ndarray
        Floats of the same dtype, 0 or more.
    """
    brightest = float(values.max())
    if brightest == 0:
        return values.copy()
    epsilon = values.dtype.type(EPSILON * brightest)
    normalization = None if weight is None else operator.adjoint(weight) + values.dtype.type(EPSILON)
    estimate = _normalize(operator.adjoint(_weight(values, weight)), normalization)
    for _ in range(iterations - 1):
        blurred = operator.forward(estimate)
        np.maximum(blurred, 0, out=blurred)
        blurred += epsilon
        ratio = np.divide(values, blurred, out=blurred)
        estimate *= _normalize(operator.adjoint(_weight(ratio, weight)), normalization)
    return np.maximum(estimate, 0, out=estimate)


def _weight(values: Floats, weight: Floats | None) -> Floats:
    return values if weight is None else values * weight


def _normalize(values: Floats, normalization: Floats | None) -> Floats:
    return values if normalization is None else np.divide(values, normalization, out=values)


class _DirectCorrelation:
    """Correlation with a small kernel, computed pixel by pixel."""

    def __init__(self, kernel: Floats) -> None:
        self._kernel = np.ascontiguousarray(kernel)

    def __call__(self, values: Floats) -> Floats:
        import cv2

        result: Floats = cv2.filter2D(values, -1, self._kernel, borderType=cv2.BORDER_REFLECT)
        return result


class _FourierConvolution:
    """Convolution by Fourier transform; the kernel's transform is kept until the shape of the images changes."""

    def __init__(self, psf: Floats) -> None:
        self._psf = psf
        self._half = [side // 2 for side in psf.shape]
        self._transfer_key: tuple[Any, ...] = ()
        self._transfer = np.empty(0)

    def __call__(self, values: Floats, *, adjoint: bool = False) -> Floats:
        from scipy.fft import irfftn, next_fast_len, rfftn

        padded = np.pad(values, [(half, half) for half in self._half], mode="symmetric")
        shape = [next_fast_len(side, real=True) for side in padded.shape]
        transfer = self._transfer_function(shape, values.dtype)
        spectrum = rfftn(padded, shape)
        spectrum *= np.conj(transfer) if adjoint else transfer
        inside = tuple(slice(half, half + side) for half, side in zip(self._half, values.shape, strict=True))
        result: Floats = np.ascontiguousarray(irfftn(spectrum, shape)[inside])
        return result

    def _transfer_function(self, shape: list[int], dtype: np.dtype[Any]) -> Any:  # noqa: ANN401 - a complex array of that precision
        key = (*shape, dtype)
        if key != self._transfer_key:
            from scipy.fft import rfftn

            kernel = np.zeros(shape)
            kernel[tuple(slice(side) for side in self._psf.shape)] = self._psf
            centred_at_origin = np.roll(kernel, [-half for half in self._half], range(kernel.ndim))
            complex_dtype = np.result_type(dtype, np.complex64)
            self._transfer, self._transfer_key = rfftn(centred_at_origin).astype(complex_dtype), key
        return self._transfer
