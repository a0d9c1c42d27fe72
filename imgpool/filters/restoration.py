"""Deconvolution: richardson_lucy."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import Floats, check_numeric, restore, to_float
from imgpool.core.errors import FilterError, RecipeError, WorkerError
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.hint import Hint
from imgpool.core.image import Image, PixelSize, Properties
from imgpool.core.quantity import Length, UpTo
from imgpool.core.reference import Reference
from imgpool.filters._kernels.convolve import gaussian_reach
from imgpool.filters._kernels.richardson_lucy import TRUNCATE, BlurOperator, deconvolve, gaussian_operator, psf_operator
from imgpool.filters._pixels.planes import each_sample, map_colour
from imgpool.filters._pixels.reference_images import read_reference, reference_properties

__all__ = ["richardson_lucy"]

OWNER = "richardson_lucy: psf"

SIGMA_LIMIT = UpTo(100)
"""Each iteration blurs twice."""

MAX_PSF_PIXELS = 2**26
"""Largest PSF: 8191 × 8191 pixels, or 255 slices of 511 × 511."""


def _halo(parameters: Parameters, pixel_size: PixelSize | None) -> int:
    if parameters["psf"] is None:
        reach = gaussian_reach(max(SIGMA_LIMIT.check("sigma", parameters["sigma"], pixel_size)), TRUNCATE)
    else:
        reach = max(_psf_properties(parameters["psf"]).shape[-2:]) // 2
    return 2 * reach * int(parameters["iterations"])


def _check(parameters: Parameters) -> None:
    if (parameters["psf"] is None) == (parameters["sigma"] is None):
        raise RecipeError(
            "richardson_lucy takes either psf, a file, or sigma, the width of a Gaussian",
            "give one of them, for example psf=psf.tif or sigma=0.12um",
        )
    if parameters["psf"] is not None:
        _psf_properties(parameters["psf"])


def _psf_properties(reference: Reference) -> Properties:
    """Return the properties of a PSF, checked."""
    properties = reference_properties(reference, OWNER)
    if properties.axes not in {"YX", "ZYX", "IYX"}:
        raise RecipeError(
            f"{OWNER}={reference} has axes {properties.axes}; a PSF is a single grey plane or a volume",
            "extract one channel and one time point of it",
        )
    if properties.pixel_count > MAX_PSF_PIXELS:
        raise RecipeError(
            f"{OWNER}={reference} has {properties.pixel_count:,} pixels, more than the {MAX_PSF_PIXELS:,} of a PSF",
            "crop it around its peak",
        )
    if not all(side % 2 for side in properties.shape):
        sides = "×".join(map(str, properties.shape))
        raise RecipeError(
            f"{OWNER}={reference} has sides {sides}, which must all be odd so that there is a centre pixel",
            "crop it to odd sides around its peak",
        )
    return properties


def _examples(folder: Path, _size: tuple[int, int]) -> list[Parameters]:
    y, x = np.mgrid[-2:3, -3:4]
    psf = folder / "psf.npy"
    np.save(psf, np.exp(-((y / 0.9) ** 2) - (x / 1.5) ** 2).astype(np.float32))
    return [{"sigma": 0.8, "iterations": 3}, {"sigma": "0.5um"}, {"psf": str(psf)}]


@image_filter(tiles="near", halo=_halo, check=_check, libraries=("cv2", "scipy.fft"), examples=_examples)
class richardson_lucy:  # noqa: N801 - a filter's name
    """Deconvolve with the Richardson-Lucy algorithm: undo the blur of the optics.

    Estimates the image that, blurred by the point spread function (PSF), most likely gave the input. Each iteration
    makes the result sharper and noisier. The image is mirrored beyond the border. A PSF with a single plane is
    applied plane by plane, one with slices to every volume (Z, Y, X), and either to each RGB sample. Pixels count by
    their opacity. NaN stays in place and does not affect other pixels. Negative and infinite values are refused.

    Parameters
    ----------
    psf
        Image file of the point spread function: odd sides, peak in the centre, the pixel size of the images, no
        negative values. It is divided by its sum.
    sigma
        Standard deviation of a Gaussian PSF instead of a file, in pixels or with a unit (0.12um), above 0, at most 100
        pixels. For a fluorescence microscope about 0.21 * wavelength / NA [3]_.
    iterations
        From 1 to 1000: more iterations give a sharper and noisier result.

    Notes
    -----
    Dtype: any integer or float → the same, rounded and clipped; floats may exceed the range of the input. Agrees with
    ``skimage.restoration.richardson_lucy(image, psf, iterations, clip=False)`` of the image divided by its maximum,
    except near the border, where scikit-image assumes black.

    References
    ----------
    .. [1] W. H. Richardson, "Bayesian-based iterative method of image restoration", J. Opt. Soc. Am. 62(1), 1972.
    .. [2] L. B. Lucy, "An iterative technique for the rectification of observed distributions", Astron. J. 79, 1974.
    .. [3] B. Zhang, J. Zerubia, J.-C. Olivo-Marin, "Gaussian approximations of fluorescence microscope point-spread
       function models", Appl. Opt. 46(10), 2007.

    Examples
    --------
    >>> blurred = np.array([[0, 0, 10, 80, 10, 0, 0]], np.uint8)
    >>> richardson_lucy(Image.from_array(blurred), sigma=0.5).pixels
    array([[ 0,  0,  1, 98,  1,  0,  0]], dtype=uint8)
    """

    def __init__(
        self,
        *,
        psf: Reference | None = None,
        sigma: Annotated[Length, Field(gt=0), SIGMA_LIMIT] | None = None,
        iterations: Annotated[int, Field(ge=1, le=1000)] = 10,
    ) -> None:
        self._iterations = iterations
        self._sigma = sigma
        self._volumes = False
        self._operator: BlurOperator | None = None
        if psf is not None:
            function = _read_psf(psf)
            self._volumes = function.ndim > 2  # noqa: PLR2004 - Y and X
            self._operator = psf_operator(function)

    def __call__(self, image: Image) -> Image:
        """Deconvolve one image; raise `FilterError` if that is not possible."""
        check_numeric(image.pixels, "richardson_lucy")
        operator = self._operator
        if operator is None:
            assert self._sigma is not None
            operator = gaussian_operator(SIGMA_LIMIT.check("sigma", self._sigma, image.pixel_size))
        if self._volumes:
            return _map_volumes(image, lambda volume: self._restore_around_nan(volume, operator))
        return map_colour(image, "richardson_lucy", lambda colour, weight: self._restore(colour, weight, operator))

    def _restore(self, colour: Pixels, weight: Floats | None, operator: BlurOperator) -> Pixels:
        _check_not_negative(colour)
        if colour.ndim == 2 or self._volumes:  # noqa: PLR2004 - Y and X
            return restore(deconvolve(to_float(colour), weight, operator, self._iterations), colour.dtype, reuse=True)
        if weight is None:
            return each_sample(lambda plane: self._restore(plane, None, operator), colour)
        samples = [
            self._restore(np.ascontiguousarray(colour[..., s]), np.ascontiguousarray(weight[..., s]), operator)
            for s in range(colour.shape[-1])
        ]
        return np.stack(samples, axis=-1)

    def _restore_around_nan(self, volume: Pixels, operator: BlurOperator) -> Pixels:
        missing = np.isnan(volume) if volume.dtype.kind == "f" else None
        if missing is None or not missing.any():
            return self._restore(volume, None, operator)
        weight = to_float((~missing).astype(volume.dtype))
        result = self._restore(np.where(missing, volume.dtype.type(0), volume), weight, operator)
        return np.where(missing, volume.dtype.type(np.nan), result)


def _read_psf(reference: Reference) -> Floats:
    psf = read_reference(reference, OWNER).pixels.astype(np.float64)
    if not np.isfinite(psf).all() or psf.min() < 0 or psf.sum() == 0:
        raise WorkerError(
            f"{OWNER}={reference} must have finite values of 0 or more that are not all 0",
            "subtract its background and clip it at 0",
        )
    normalized: Floats = psf / psf.sum()
    return normalized


def _check_not_negative(colour: Pixels) -> None:
    if colour.dtype.kind != "u" and not (float(np.min(colour)) >= 0 and np.isfinite(float(np.max(colour)))):
        raise FilterError(
            "richardson_lucy needs finite values of 0 or more",
            f"add {Hint('filters', 'rescale_intensity:out_range=0..1')} before it",
        )


def _map_volumes(image: Image, function: Callable[[Pixels], Pixels]) -> Image:
    """Apply a function of (Z, Y, X) to every volume."""
    if "Z" not in image.axes or image.has_samples:
        raise FilterError(
            f"the PSF is a volume, and the image, with axes {image.axes} and shape {image.pixels.shape}, is not",
            "use a PSF with a single plane for images without depth or with colour",
        )
    z, before_y = image.axes.index("Z"), image.axes.index("Y") - 1
    volumes = np.moveaxis(image.pixels, z, before_y)
    result = np.empty(volumes.shape, volumes.dtype)
    for index in np.ndindex(volumes.shape[:before_y]):
        result[index] = function(np.ascontiguousarray(volumes[index]))
    return image.with_pixels(np.ascontiguousarray(np.moveaxis(result, before_y, z)))
