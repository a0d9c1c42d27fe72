"""Smoothing: gaussian, median."""

from typing import Annotated

from pydantic import Field

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import Floats, restore
from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.image import Image, PixelSize
from imgpool.core.quantity import Length, UpTo
from imgpool.filters._kernels.convolve import (
    MAX_SIGMA_PX,
    gaussian_blur,
    gaussian_blur_rounded,
    gaussian_reach,
)
from imgpool.filters._kernels.median import median as median_of_plane
from imgpool.filters._kernels.neighbourhood import ODD, Neighbourhood
from imgpool.filters._pixels.planes import map_colour, weighted_mean

__all__ = ["gaussian", "median"]

ONE_PIXEL = Length(1)

MAX_MEDIAN_RADIUS_PX = 255
"""The time of a median grows with the neighbourhood: with larger ones, one photo takes hours."""

MedianSize = Annotated[int, Field(ge=1, le=2 * MAX_MEDIAN_RADIUS_PX + 1), ODD]
MedianRadius = Annotated[Length, Field(gt=0), UpTo(MAX_MEDIAN_RADIUS_PX)]


def _gaussian_halo(parameters: Parameters, pixel_size: PixelSize | None) -> int:
    return gaussian_reach(max(parameters["sigma"].in_pixels(pixel_size)), parameters["truncate"])


def _check_gaussian(parameters: Parameters) -> None:
    """Refuse a kernel that is too large in every image: its size in pixels is known if sigma is in pixels."""
    if parameters["sigma"].unit == "px":
        try:
            _gaussian_halo(parameters, None)
        except FilterError as error:
            raise RecipeError(f"gaussian: {error.message}", "reduce sigma or truncate") from None


@image_filter(
    tiles="near",
    halo=_gaussian_halo,
    check=_check_gaussian,
    libraries=("cv2",),
    examples=({}, {"sigma": 2.5, "truncate": 3}, {"sigma": "0.65um"}),
)
def gaussian(
    image: Image,
    *,
    sigma: Annotated[Length, Field(gt=0), UpTo(MAX_SIGMA_PX)] = ONE_PIXEL,
    truncate: Annotated[float, Field(gt=0, le=100)] = 4.0,
) -> Image:
    """Blur with a Gaussian filter.

    The outermost pixels are repeated beyond the border. Pixels count by their opacity. NaN stays in place and does not
    affect other pixels; an infinite value spreads as far as the kernel reaches.

    Parameters
    ----------
    sigma
        Standard deviation, in pixels or with a unit (0.65um), above 0, at most 8000 pixels. A length with a unit is
        converted separately for Y and X.
    truncate
        Number of standard deviations at which the kernel ends, above 0, at most 100. The kernel must not reach further
        than 32,768 pixels.

    Notes
    -----
    Dtype: any integer or float → the same, rounded. Agrees with ``skimage.filters.gaussian(image, sigma,
    mode="nearest", preserve_range=True)``.

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
    default = Neighbourhood(None, 3)
    return Neighbourhood.from_parameters(
        "median", parameters["radius"], parameters["size"], default, max_radius=MAX_MEDIAN_RADIUS_PX
    )


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
def median(image: Image, *, size: MedianSize | None = None, radius: MedianRadius | None = None) -> Image:
    """Replace each pixel by the median of its neighbourhood.

    Removes specks and dead pixels and preserves edges. The outermost pixels are repeated beyond the border. NaN and
    fully transparent pixels are ignored; other transparency has no effect. For an even number of values the median is
    the upper of the two middle ones.

    Parameters
    ----------
    size
        Side of a square neighbourhood in pixels, odd, at most 511. Very fast up to 255 for 8-bit images and up to 5 for
        16-bit images; larger squares take longer the more grey levels occur close to each other.
    radius
        Radius of a disk instead of a square, in pixels or with a unit (1.3um), at most 255 pixels; below 1 pixel
        nothing changes.

    Notes
    -----
    Dtype: any integer or float → the same; every result is a value of the image. Agrees with
    ``skimage.filters.median(image, footprint, mode="nearest")``. The default is a square of 3.

    Examples
    --------
    >>> pixels = np.full((3, 3), 7, np.uint16)
    >>> pixels[1, 1] = 60000
    >>> median(Image.from_array(pixels), radius=1).pixels[1]
    array([7, 7, 7], dtype=uint16)
    """
    footprint = _median_neighbourhood({"size": size, "radius": radius}).footprint(image.pixel_size)
    return map_colour(image, "median", lambda colour, weight: median_of_plane(colour, weight, footprint))
