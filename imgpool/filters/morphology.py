"""Grey-level morphology: white_tophat."""

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import OPENCV_DTYPES, Floats, full_scale, restore
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.image import Image, PixelSize
from imgpool.core.quantity import Length
from imgpool.filters._kernels.erosion_dilation import dilate, erode
from imgpool.filters._kernels.neighbourhood import Footprint, Neighbourhood, Radius, Size
from imgpool.filters._pixels.planes import map_colour

__all__ = ["white_tophat"]

WIDER = {"int8": "int16", "float16": "float32"}  # and float64 for the rest, which holds 32-bit integers exactly


def _neighbourhood(parameters: Parameters) -> Neighbourhood:
    return Neighbourhood.from_parameters(
        "white_tophat", parameters["radius"], parameters["size"], Neighbourhood(Length(1))
    )


def _halo(parameters: Parameters, pixel_size: PixelSize | None) -> int:
    return 2 * _neighbourhood(parameters).reach(pixel_size)


def _check(parameters: Parameters) -> None:
    _neighbourhood(parameters)


@image_filter(
    tiles="exact", halo=_halo, check=_check, libraries=("cv2",), examples=({}, {"radius": "1.5um"}, {"size": 5})
)
def white_tophat(image: Image, *, radius: Radius | None = None, size: Size | None = None) -> Image:
    """Keep bright spots smaller than the neighbourhood; take away the background.

    The image minus its opening: what is darker than a disk (or square) that fits under the grey levels
    becomes 0. Choose it somewhat larger than the largest spot. Beyond the border the image is mirrored. NaN and
    wholly transparent pixels are left out; other transparency does not count. A plateau of infinite values
    has height 0.

    Any number type in, the same out; where a signed type cannot hold the height it is clipped. Agrees with
    ``skimage.morphology.white_tophat(image, footprint)``, also in its default, a disk of radius 1.

    Parameters
    ----------
    radius
        Of a disk, in pixels or with a unit (5um).
    size
        Side of a square in pixels, odd, instead of a radius.

    Examples
    --------
    >>> spot = np.full((5, 5), 100, np.uint16)
    >>> spot[2, 2] = 130
    >>> white_tophat(Image.from_array(spot), radius=1).pixels[2]
    array([ 0,  0, 30,  0,  0], dtype=uint16)
    """
    footprint = _neighbourhood({"radius": radius, "size": size}).footprint(image.pixel_size)
    return map_colour(image, "white_tophat", lambda colour, weight: _height(colour, weight, footprint))


def _height(colour: Pixels, weight: Floats | None, footprint: Footprint) -> Pixels:
    """How far each pixel rises above the opening of its surroundings."""
    import cv2

    values = colour if colour.dtype in OPENCV_DTYPES else colour.astype(WIDER.get(colour.dtype.name, "float64"))
    opened = _open(values, None if weight is None else weight == 0, footprint)
    height: Pixels = cv2.subtract(values, opened)
    if height.dtype.kind == "f":
        height[values == opened] = 0  # and not infinity - infinity
    return restore(height, colour.dtype)


def _open(values: Pixels, missing: Pixels | None, footprint: Footprint) -> Pixels:
    """The greatest over a neighbourhood of the least over theirs; what is missing constrains neither."""
    if missing is not None:
        highest = np.inf if values.dtype.kind == "f" else full_scale(values.dtype)
        values = np.where(missing, values.dtype.type(highest), values)
    return dilate(erode(values, footprint), footprint)
