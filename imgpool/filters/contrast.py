"""Local contrast: equalize_adapthist, clahe."""

import math
from typing import Annotated

import numpy as np
from pydantic import Field

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import Floats
from imgpool.core.errors import FilterError
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.image import Image, Properties
from imgpool.core.quantity import Length, UpTo
from imgpool.filters._kernels.clahe import equalize_as_opencv, equalize_as_skimage
from imgpool.filters._pixels.plane_geometry import plane_size
from imgpool.filters._pixels.planes import fill_missing, map_colour

__all__ = ["clahe", "equalize_adapthist"]

KERNEL_LIMIT = UpTo(2**16)
ALWAYS_ALLOWED_SIDE_PX = 2048
"""Side of a region that any image may have; larger ones must fit into the image, which is padded by a region."""

MAX_TILES = 64
"""Largest number of tiles along a side: OpenCV takes 128 KiB for each tile of a 16-bit image, 512 MiB for 64²."""

MAX_BINS = 2**25
"""Largest number of bins of all regions together; more if the image is large: `MAX_BINS_PER_PIXEL`."""

MAX_BINS_PER_PIXEL = 4


def _region_sides(image: Image, kernel_size: Length, nbins: int) -> list[int]:
    """Return height and width of a region; raise `FilterError` if all histograms together would take much memory."""
    sides = [max(1, round(side)) for side in KERNEL_LIMIT.check("kernel_size", kernel_size, image.pixel_size)]
    size = plane_size(image.properties)
    if max(sides) > max(ALWAYS_ALLOWED_SIDE_PX, *size):
        raise FilterError(
            f"equalize_adapthist: kernel_size={kernel_size} is {max(sides):,} px, and the image is smaller",
            f"choose at most {max(ALWAYS_ALLOWED_SIDE_PX, *size):,} px",
        )
    regions = math.prod(-(-length // side) for length, side in zip(size, sides, strict=True))
    if regions * nbins > max(MAX_BINS, MAX_BINS_PER_PIXEL * math.prod(size)):
        raise FilterError(
            f"equalize_adapthist: {regions:,} regions of {nbins:,} bins each take too much memory",
            "increase kernel_size, or reduce nbins",
        )
    return sides


@image_filter(
    tiles="no",
    libraries=("scipy.ndimage", "skimage.exposure"),
    examples=({}, {"kernel_size": "2um", "clip_limit": 0.03, "nbins": 64}),
)
def equalize_adapthist(
    image: Image,
    *,
    kernel_size: Annotated[Length, Field(gt=0), KERNEL_LIMIT] | None = None,
    clip_limit: Annotated[float, Field(ge=0, le=1)] = 0.01,
    nbins: Annotated[int, Field(ge=2, le=2**14)] = 256,
) -> Image:
    """Enhance local contrast (CLAHE, as in scikit-image).

    Contrast-limited adaptive histogram equalisation: flattens the histogram of each region, limited by `clip_limit`,
    and interpolates between regions. For RGB the value of HSV is equalised, so that hues stay. NaN and fully
    transparent pixels are filled with their nearest neighbour for the computation; infinite values are refused. A
    constant plane stays unchanged.

    Parameters
    ----------
    kernel_size
        Side of a region, in pixels or with a unit, above 0, at most 65536 pixels; above 2048 pixels at most the side of
        the image. By default an eighth of the height and width.
    clip_limit
        From 0 to 1: the larger, the more contrast; 0 means no limit.
    nbins
        Number of bins of each histogram, from 2 to 16384; fewer if there are very many regions.

    Notes
    -----
    Dtype: any integer or float → the same. uint8 and uint16 are equalised over their full range, floats within 0..1
    over 0..1; these agree with ``skimage.exposure.equalize_adapthist``. All other images are equalised over the range
    of each plane (for RGB starting at 0), where scikit-image would lose negative values, small ones or those above 1.

    References
    ----------
    .. [1] K. Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, pp. 474-485, 1994.

    Examples
    --------
    >>> ramp = np.arange(64, dtype=np.uint8).reshape(8, 8)
    >>> int(equalize_adapthist(Image.from_array(ramp)).pixels.max())
    255
    """
    sides = None if kernel_size is None else _region_sides(image, kernel_size, nbins)

    def equalize(colour: Pixels, weight: Floats | None) -> Pixels:
        filled = colour if weight is None else fill_missing(colour, weight)
        return equalize_as_skimage(filled, sides, clip_limit, nbins)

    return map_colour(image, "equalize_adapthist", equalize)


def _tile_memory(properties: Properties, parameters: Parameters) -> int:
    """Return the bytes of the tables of all tiles: one entry for each grey level, of one byte or, for 16 bits, two."""
    table_bytes = 2**8 if properties.dtype == np.uint8 else 2 * 2**16
    tiles: int = parameters["tile_grid"] ** 2
    return tiles * table_bytes


@image_filter(
    tiles="no",
    libraries=("cv2",),
    working_memory=_tile_memory,
    examples=({}, {"clip_limit": 4, "tile_grid": 2}),
)
def clahe(
    image: Image,
    *,
    clip_limit: Annotated[float, Field(gt=0, le=2**16)] = 2.0,
    tile_grid: Annotated[int, Field(ge=1, le=MAX_TILES)] = 8,
) -> Image:
    """Enhance local contrast, fast (CLAHE, as in OpenCV).

    Contrast-limited adaptive histogram equalisation: clips and flattens the histogram of each tile of a grid, and
    interpolates between tiles. For 8-bit RGB the lightness of CIE Lab is equalised; for other RGB the luminance, with
    the three samples scaled by the same factor. NaN and fully transparent pixels are filled with their nearest
    neighbour for the computation; infinite values are refused. A constant plane stays unchanged.

    Parameters
    ----------
    clip_limit
        Largest count of a bin, relative to the mean of its histogram, above 0, at most 65536: the larger, the more
        contrast.
    tile_grid
        Number of tiles along each side of the image, from 1 to 64. Each tile takes 128 KiB of memory, or 256 bytes for
        8-bit images.

    Notes
    -----
    Dtype: any integer or float → the same. uint8 and uint16 are processed directly, all others by way of 16 bits over
    the range of each plane (for RGB starting at 0). Agrees with ``cv2.createCLAHE(clip_limit, (tile_grid,
    tile_grid)).apply``.

    References
    ----------
    .. [1] K. Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, pp. 474-485, 1994.

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
