"""Local contrast: equalize_adapthist, clahe."""

from typing import Annotated

from pydantic import Field

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import Floats
from imgpool.core.filter import image_filter
from imgpool.core.image import Image
from imgpool.core.quantity import Length
from imgpool.filters._kernels.clahe import equalize_as_opencv, equalize_as_skimage
from imgpool.filters._pixels.planes import fill_missing, map_colour

__all__ = ["clahe", "equalize_adapthist"]


@image_filter(
    tiles="no",
    libraries=("scipy.ndimage", "skimage.exposure"),
    examples=({}, {"kernel_size": "2um", "clip_limit": 0.03, "nbins": 64}),
)
def equalize_adapthist(
    image: Image,
    *,
    kernel_size: Annotated[Length, Field(gt=0)] | None = None,
    clip_limit: Annotated[float, Field(ge=0, le=1)] = 0.01,
    nbins: Annotated[int, Field(ge=2, le=2**14)] = 256,
) -> Image:
    """Even out contrast across the image (CLAHE as in scikit-image).

    Each region's histogram is flattened, but not further than `clip_limit` allows; between regions the result
    is interpolated. Each plane is first stretched from its least to its greatest value. Of RGB, the value of
    HSV is equalised, so that hues stay. NaN and wholly transparent pixels count as their nearest neighbour
    does; infinite values are refused. A constant plane is returned as it is.

    Any number type in, the same out: uint8 and uint16 over their full scale, floats from 0 to 1 over 0 to 1,
    all of which agree with ``skimage.exposure.equalize_adapthist``; any other image over its own range, plane
    by plane (RGB from 0), where scikit-image would lose what is negative, small or above 1.

    Parameters
    ----------
    kernel_size
        Side of a region, in pixels or with a unit, above 0; without it, an eighth of the height and width.
    clip_limit
        From 0 to 1: more gives more contrast; 0 does not limit it.
    nbins
        Bins of each histogram, from 2 to 16384.

    Examples
    --------
    >>> ramp = np.arange(64, dtype=np.uint8).reshape(8, 8)
    >>> int(equalize_adapthist(Image.from_array(ramp)).pixels.max())
    255
    """
    sides = None if kernel_size is None else [max(1, round(side)) for side in kernel_size.in_pixels(image.pixel_size)]

    def equalize(colour: Pixels, weight: Floats | None) -> Pixels:
        filled = colour if weight is None else fill_missing(colour, weight)
        return equalize_as_skimage(filled, sides, clip_limit, nbins)

    return map_colour(image, "equalize_adapthist", equalize)


@image_filter(tiles="no", libraries=("cv2",), examples=({}, {"clip_limit": 4, "tile_grid": 2}))
def clahe(
    image: Image,
    *,
    clip_limit: Annotated[float, Field(gt=0)] = 2.0,
    tile_grid: Annotated[int, Field(ge=1, le=256)] = 8,
) -> Image:
    """Even out contrast across the image, fast (CLAHE as in OpenCV).

    The histogram of each field of a grid is clipped and flattened; between fields the result is interpolated.
    Of 8-bit RGB, the lightness of CIE Lab is equalised; of other RGB, the luminance, and the three samples are
    scaled alike. NaN and wholly transparent pixels count as their nearest neighbour does; infinite values are
    refused. A constant plane is returned as it is.

    Any number type in, the same out: uint8 and uint16 as they are, any other by way of 16 bits over each
    plane's own range (RGB from 0), and back. Agrees with ``cv2.createCLAHE(clip_limit, (tile_grid, tile_grid)).apply``.

    Parameters
    ----------
    clip_limit
        How far a bin may rise above the mean of its histogram, above 0: more gives more contrast.
    tile_grid
        Fields along each side of the image, from 1 to 256.

    Examples
    --------
    >>> ramp = np.arange(64, dtype=np.uint8).reshape(8, 8)
    >>> bool(np.ptp(clahe(Image.from_array(ramp), tile_grid=1).pixels) > np.ptp(ramp))
    True
    """

    def equalize(colour: Pixels, weight: Floats | None) -> Pixels:
        filled = colour if weight is None else fill_missing(colour, weight)
        return equalize_as_opencv(filled, clip_limit, tile_grid)

    return map_colour(image, "clahe", equalize)
