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

EXACT_DTYPES = {"int8": "int16", "float16": "float32"}
"""Dtypes that OpenCV filters and that hold every value of another dtype; for all others it is float64."""


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
    """Keep bright spots smaller than the neighbourhood and remove the background.

    The white top-hat: the image minus its opening. Choose a neighbourhood somewhat larger than the largest spot. The
    image is mirrored beyond the border. NaN and fully transparent pixels are ignored; other transparency has no
    effect. A plateau of infinite values becomes 0.

    Parameters
    ----------
    radius
        Radius of a disk, in pixels or with a unit (5um), at most 2047 pixels.
    size
        Side of a square instead of a disk, in pixels, odd, at most 8191.

    Notes
    -----
    Dtype: any integer or float → the same; for signed types large heights are clipped. Agrees with
    ``skimage.morphology.white_tophat(image, footprint)``. The default is a disk with a radius of 1 pixel.

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
    """Subtract the opening."""
    import cv2

    values = colour if colour.dtype in OPENCV_DTYPES else colour.astype(EXACT_DTYPES.get(colour.dtype.name, "float64"))
    opened = _open(values, None if weight is None else weight == 0, footprint)
    height: Pixels = cv2.subtract(values, opened)
    if height.dtype.kind == "f":
        height[values == opened] = 0  # instead of infinity - infinity
    return restore(height, colour.dtype)


def _open(values: Pixels, missing: Pixels | None, footprint: Footprint) -> Pixels:
    """Compute the grey-level opening: erosion, then dilation. Missing pixels affect neither."""
    if missing is not None:
        highest = np.inf if values.dtype.kind == "f" else full_scale(values.dtype)
        values = np.where(missing, values.dtype.type(highest), values)
    return dilate(erode(values, footprint), footprint)
