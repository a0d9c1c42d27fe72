"""Richardson-Lucy deconvolution, with edges mirrored and pixels that do not count."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from imgpool.core.dtypes import Floats
from imgpool.filters._kernels.convolve import gaussian_blur

TRUNCATE = 4.0
"""Where a Gaussian ends, in standard deviations."""

SMALL = 11
"""Side of a kernel up to which summing its pixels is faster than the Fourier transform."""

NOTHING = 1e-12
"""Added to the blurred estimate, as a share of the brightest value: keeps 0 out of the divisor, as in scikit-image."""

Blur = Callable[[Floats], Floats]


class Optics(NamedTuple):
    """What a microscope does to an image, and its adjoint: the same with the point spread function mirrored."""

    blur: Blur
    adjoint: Blur


def gaussian_optics(sigma: tuple[float, float]) -> Optics:
    """A Gaussian of these standard deviations in pixels along Y and X, for planes."""

    def blur(values: Floats) -> Floats:
        return gaussian_blur(values, sigma, TRUNCATE, "reflect")

    return Optics(blur, blur)


def psf_optics(psf: Floats) -> Optics:
    """A point spread function with odd sides and a sum of 1, (Y, X) for planes or (Z, Y, X) for volumes."""
    if psf.ndim == 2 and max(psf.shape) <= SMALL:  # noqa: PLR2004 - Y and X
        return Optics(_Kernel(np.flip(psf)), _Kernel(psf))
    spectrum = _Spectrum(psf)
    return Optics(spectrum, lambda values: spectrum(values, mirrored=True))


def most_likely(values: Floats, weight: Floats | None, optics: Optics, iterations: int) -> Floats:
    """The image that, seen through the optics, is the likeliest to have given `values`.

    Starts from an even image, which the first iteration makes that of `values` seen through the adjoint.

    Parameters
    ----------
    values
        0 or more; 0 where the weight is.
    weight
        How much each pixel counts, from 0 to 1; None where all count in full.
    iterations
        1 or more.
    """
    brightest = float(values.max())
    if brightest == 0:
        return values.copy()
    nothing = values.dtype.type(NOTHING * brightest)
    seen = None if weight is None else optics.adjoint(weight) + values.dtype.type(NOTHING)
    estimate = _per(optics.adjoint(_counted(values, weight)), seen)
    for _ in range(iterations - 1):
        blurred = optics.blur(estimate)
        np.maximum(blurred, 0, out=blurred)
        blurred += nothing
        ratio = np.divide(values, blurred, out=blurred)
        estimate *= _per(optics.adjoint(_counted(ratio, weight)), seen)
    return np.maximum(estimate, 0, out=estimate)


def _counted(values: Floats, weight: Floats | None) -> Floats:
    return values if weight is None else values * weight


def _per(values: Floats, seen: Floats | None) -> Floats:
    return values if seen is None else np.divide(values, seen, out=values)


class _Kernel:
    """Sums the surroundings of each pixel, weighted."""

    def __init__(self, kernel: Floats) -> None:
        self._kernel = np.ascontiguousarray(kernel)

    def __call__(self, values: Floats) -> Floats:
        import cv2

        result: Floats = cv2.filter2D(values, -1, self._kernel, borderType=cv2.BORDER_REFLECT)
        return result


class _Spectrum:
    """Convolves by the Fourier transform; that of the kernel is computed once for each shape."""

    def __init__(self, psf: Floats) -> None:
        self._psf = psf
        self._half = [side // 2 for side in psf.shape]
        self._key: tuple[Any, ...] = ()
        self._transfer = np.empty(0)

    def __call__(self, values: Floats, *, mirrored: bool = False) -> Floats:
        from scipy.fft import irfftn, next_fast_len, rfftn

        padded = np.pad(values, [(half, half) for half in self._half], mode="symmetric")
        shape = [next_fast_len(side, real=True) for side in padded.shape]
        transfer = self._transfer_function(shape, values.dtype)
        spectrum = rfftn(padded, shape)
        spectrum *= np.conj(transfer) if mirrored else transfer
        inside = tuple(slice(half, half + side) for half, side in zip(self._half, values.shape, strict=True))
        result: Floats = np.ascontiguousarray(irfftn(spectrum, shape)[inside])
        return result

    def _transfer_function(self, shape: list[int], dtype: np.dtype[Any]) -> Any:  # noqa: ANN401 - complex, of that precision
        key = (*shape, dtype)
        if key != self._key:
            from scipy.fft import rfftn

            kernel = np.zeros(shape)
            kernel[tuple(slice(side) for side in self._psf.shape)] = self._psf
            middle_first = np.roll(kernel, [-half for half in self._half], range(kernel.ndim))
            complex_dtype = np.result_type(dtype, np.complex64)
            self._transfer, self._key = rfftn(middle_first).astype(complex_dtype), key
        return self._transfer
