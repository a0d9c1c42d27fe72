"""Smoothing: gaussian, median."""

from typing import Annotated

from pydantic import Field

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import Floats, restore
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.image import Image, PixelSize
from imgpool.core.quantity import Length
from imgpool.filters._kernels.convolve import gaussian_blur, gaussian_blur_rounded, gaussian_reach
from imgpool.filters._kernels.median import median as median_of_plane
from imgpool.filters._kernels.neighbourhood import Neighbourhood, Radius, Size
from imgpool.filters._pixels.planes import map_colour, weighted_mean

__all__ = ["gaussian", "median"]

ONE_PIXEL = Length(1)


def _gaussian_halo(parameters: Parameters, pixel_size: PixelSize | None) -> int:
    return gaussian_reach(max(parameters["sigma"].in_pixels(pixel_size)), parameters["truncate"])


@image_filter(
    tiles="near",
    halo=_gaussian_halo,
    libraries=("cv2",),
    examples=({}, {"sigma": 2.5, "truncate": 3}, {"sigma": "0.65um"}),
)
def gaussian(
    image: Image,
    *,
    sigma: Annotated[Length, Field(gt=0)] = ONE_PIXEL,
    truncate: Annotated[float, Field(gt=0)] = 4.0,
) -> Image:
    """Blur by a Gaussian.

    Each pixel becomes the mean of its surroundings, near ones counting more. Beyond the border the outermost
    pixels are repeated. Under alpha, a pixel counts by its opacity. NaN stays in place and out of the means;
    an infinite value spreads as far as the kernel reaches.

    Any number type in, the same out, rounded to the nearest grey level. Agrees with
    ``skimage.filters.gaussian(image, sigma, mode="nearest", preserve_range=True)``.

    Parameters
    ----------
    sigma
        Standard deviation, in pixels or with a unit (0.65um), above 0. A physical one may differ in pixels
        along Y and X.
    truncate
        Where the kernel ends, in standard deviations, above 0.

    Examples
    --------
    >>> pixels = np.zeros((3, 3), np.uint8)
    >>> pixels[1, 1] = 100
    >>> gaussian(Image.from_array(pixels), sigma=0.5).pixels
    array([[ 1,  8,  1],
           [ 8, 62,  8],
           [ 1,  8,  1]], dtype=uint8)
    """
    sigma_pixels = sigma.in_pixels(image.pixel_size)

    def blur(colour: Pixels, weight: Floats | None) -> Pixels:
        if weight is None:
            return gaussian_blur_rounded(colour, sigma_pixels, truncate, "nearest")
        mean = weighted_mean(lambda values: gaussian_blur(values, sigma_pixels, truncate, "nearest"), colour, weight)
        return restore(mean, colour.dtype)

    return map_colour(image, "gaussian", blur)


def _median_neighbourhood(parameters: Parameters) -> Neighbourhood:
    return Neighbourhood.from_parameters("median", parameters["radius"], parameters["size"], Neighbourhood(None, 3))


def _median_halo(parameters: Parameters, pixel_size: PixelSize | None) -> int:
    return _median_neighbourhood(parameters).reach(pixel_size)


def _check_median(parameters: Parameters) -> None:
    _median_neighbourhood(parameters)


@image_filter(
    tiles="exact",
    halo=_median_halo,
    check=_check_median,
    libraries=("cv2",),
    examples=({}, {"size": 5}, {"radius": 2.5}, {"radius": "1um"}),
)
def median(image: Image, *, size: Size | None = None, radius: Radius | None = None) -> Image:
    """Replace each pixel by the median of its neighbourhood.

    Takes away specks and dead pixels and keeps edges. Beyond the border the outermost pixels are repeated.
    NaN and wholly transparent pixels are left out, and of an even number of values that remain the upper
    middle one is taken; other transparency does not count. Infinite values are values like any other.

    Any number type in, the same out; every result is a value of the image. Agrees with
    ``skimage.filters.median(image, footprint, mode="nearest")``, also in its default, a square of 3.

    Parameters
    ----------
    size
        Side of a square in pixels, odd. OpenCV is very fast on 8-bit images, and on 16-bit ones up to 5; larger
        ones take longer the more grey levels there are in one part of an image.
    radius
        Of a disk, in pixels or with a unit (1.3um), instead of a size; below one pixel nothing changes.

    Examples
    --------
    >>> pixels = np.full((3, 3), 7, np.uint16)
    >>> pixels[1, 1] = 60000
    >>> median(Image.from_array(pixels), radius=1).pixels[1]
    array([7, 7, 7], dtype=uint16)
    """
    footprint = _median_neighbourhood({"size": size, "radius": radius}).footprint(image.pixel_size)
    return map_colour(image, "median", lambda colour, weight: median_of_plane(colour, weight, footprint))
