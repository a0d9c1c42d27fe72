"""Geometric transforms: resize, rotate."""

import math
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from imgpool.core.axes import Pixels, map_planes
from imgpool.core.dtypes import Floats
from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.image import Image, Properties
from imgpool.core.parameters import Unbounded
from imgpool.core.quantity import Length
from imgpool.filters._kernels.separable_resize import (
    AxisScale,
    mean_of_area,
    nearest_pixel,
    resize_plane,
    smooth_and_interpolate,
)
from imgpool.filters._pixels.plane_geometry import (
    full_size_properties,
    plane_size,
    rotate_90,
    rotate_properties_90,
    with_plane_size,
)
from imgpool.filters._pixels.resample import resample
from imgpool.filters._pixels.result_size import check_enlargement, check_result_memory

__all__ = ["resize", "rotate"]

AREA_READ_MARGIN = 2
"""A reader may reduce an image only half as much for "area", because binning blurs the sharp edges of the areas."""

MAX_SIDE_PX = 2**18
MAX_SCALE = 100

Pixel = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]
Interpolation = Literal["linear", "area", "nearest"]
Mode = Literal["constant", "edge", "symmetric", "reflect", "wrap"]


def _check_size(parameters: Parameters) -> None:
    ways = [
        parameters["height"] is not None or parameters["width"] is not None,
        parameters["scale"] is not None,
        parameters["longest"] is not None,
    ]
    if sum(ways) != 1:
        given = "more than one" if any(ways) else "none"
        raise RecipeError(
            f"resize takes exactly one size, and {given} is given", "give height and/or width, or scale, or longest"
        )


def _new_size(size: tuple[int, int], parameters: Parameters) -> tuple[int, int]:
    """Return the height and width of the result."""
    height, width = parameters["height"], parameters["width"]
    if height and width:
        return height, width
    if height or width:
        factor = height / size[0] if height else width / size[1]
    else:
        factor = parameters["scale"] or min(1, parameters["longest"] / max(size))
    rows, columns = (max(1, math.floor(length * factor + 0.5)) for length in size)
    return height or rows, width or columns


def _infer_resized(properties: Properties, parameters: Parameters) -> Properties:
    resized = with_plane_size(properties, _new_size(plane_size(properties), parameters))
    check_enlargement("resize", properties, resized)
    return resized


def _shrink_factor(properties: Properties, parameters: Parameters) -> float:
    """Return the factor by which a reader may reduce an image, whether or not it is still to be transposed."""
    if parameters["interpolation"] == "nearest":
        return 1.0
    height, width = plane_size(properties)
    factors = [
        old / new
        for size in ((height, width), (width, height))
        for old, new in zip(size, _new_size(size, parameters), strict=True)
    ]
    return max(1.0, min(factors) / (AREA_READ_MARGIN if parameters["interpolation"] == "area" else 1))


@image_filter(
    tiles="no",
    infer_output=_infer_resized,
    check=_check_size,
    libraries=("cv2",),
    shrink=_shrink_factor,
    examples=(
        {"longest": 5},
        {"scale": 2.5},
        {"width": 3, "interpolation": "area"},
        {"height": 4, "interpolation": "nearest"},
    ),
)
def resize(
    image: Image,
    *,
    height: Pixel | None = None,
    width: Pixel | None = None,
    scale: Annotated[float, Field(gt=0, le=MAX_SCALE)] | None = None,
    longest: Pixel | None = None,
    interpolation: Interpolation = "linear",
) -> Image:
    """Resize an image, with anti-aliasing when it gets smaller.

    Give the size in one way: `height` and/or `width`, or `scale`, or `longest`. The pixel size is adapted; the print
    resolution (dpi) stays. Height and width are those of the stored pixels: put auto_orient first for photos taken
    sideways.

    Parameters
    ----------
    height, width
        Size in pixels, from 1 to 262,144; one alone preserves the aspect ratio.
    scale
        Factor for height and width, above 0, at most 100: 0.5 halves them.
    longest
        Maximum of height and width in pixels, from 1 to 262,144; smaller images are not enlarged.
    interpolation
        "linear": linear interpolation, after a Gaussian blur that prevents aliasing; "area": the mean over the area of
        each new pixel (binning); "nearest": the nearest pixel, which creates no new values, for labels.

    Raises
    ------
    FilterError
        If the result would have more than 2²⁸ pixels and be 10,000 times as large as the image, or would not fit into
        memory.

    Notes
    -----
    Dtype: any integer or float → the same; integers are rounded. Colours are weighted by alpha. A new pixel is NaN if
    more than half of its weight falls on NaN. "linear" agrees with ``skimage.transform.resize(order=1,
    anti_aliasing=True)``, "area" with ``skimage.transform.resize_local_mean``, "nearest" with
    ``skimage.transform.resize(order=0)``.

    If the first step of a recipe reduces a JPEG to less than 2/7 of its size, the decoder already reduces it to a
    half or a quarter, and the blur is adapted. Grey levels of photos then differ by less than 1 on average. "area"
    does so below 1/7, "nearest" never.

    Examples
    --------
    >>> resize(Image.from_array(np.zeros((30, 40), np.uint8)), longest=20).pixels.shape
    (15, 20)
    """
    sizes = {"height": height, "width": width, "scale": scale, "longest": longest}
    full = full_size_properties(image)
    properties = _infer_resized(full, sizes)
    size = plane_size(properties)
    if size == plane_size(full) == plane_size(image.properties):
        return image
    check_result_memory("resize", properties)
    if interpolation == "nearest":
        pixels = map_planes(lambda plane: nearest_pixel(plane, size), image.pixels, image.axes)
    else:
        weighting = smooth_and_interpolate if interpolation == "linear" else mean_of_area
        rows, columns = map(AxisScale, plane_size(image.properties), size, plane_size(full))
        pixels = resample(image, "resize", lambda plane, _: resize_plane(plane, rows, columns, weighting))
    metadata = replace(image.metadata, full_size=None)
    return replace(image, pixels=pixels, pixel_size=properties.pixel_size, metadata=metadata)


def _infer_rotated(properties: Properties, parameters: Parameters) -> Properties:
    if parameters["angle"] % 90 == 0:
        return rotate_properties_90(properties) if parameters["angle"] % 180 else properties
    _check_square(properties)
    rotated = with_plane_size(properties, _enclosing_size(plane_size(properties), parameters), rescale=False)
    check_enlargement("rotate", properties, rotated)
    return rotated


def _check_square(properties: Properties) -> None:
    """Raise `FilterError` if the pixels are not square, so that a rotation would shear the image."""
    if properties.pixel_size is None:
        return
    try:
        Length(1.0, "um").in_square_pixels(properties.pixel_size)
    except FilterError as error:
        y, x = properties.pixel_size[:2]
        raise FilterError(f"rotate needs square pixels, and these are {y:g} µm high and {x:g} µm wide",
                          "rotate by a multiple of 90, or resize to square pixels first") from error  # fmt: skip


def _enclosing_size(size: tuple[int, int], parameters: Parameters) -> tuple[int, int]:
    """Return the height and width of the rotated image, enlarged to contain all of it if `resize` is set."""
    if not parameters["resize"]:
        return size
    cosine, sine = (abs(part(math.radians(parameters["angle"]))) for part in (math.cos, math.sin))
    rows, columns = (length - 1 for length in size)
    return round(rows * cosine + columns * sine + 1), round(rows * sine + columns * cosine + 1)


@image_filter(
    tiles="no",
    infer_output=_infer_rotated,
    libraries=("cv2", "scipy.ndimage", "skimage.transform"),
    examples=({"angle": 30}, {"angle": 90}, {"angle": -33.3, "resize": True, "mode": "edge"}),
)
def rotate(
    image: Image,
    *,
    angle: Annotated[float, Unbounded("angles are periodic: any takes the same time")],
    resize: bool = False,
    order: Annotated[int, Field(ge=0, le=5)] = 1,
    mode: Mode = "constant",
    cval: Annotated[float, Unbounded("a grey level, which is clipped to the data type")] = 0,
) -> Image:
    """Rotate an image about its centre.

    Multiples of 90° are exact and keep every pixel: height and width are swapped, and so are the sizes of a pixel.
    Other angles need square pixels.

    Parameters
    ----------
    angle
        Angle in degrees, counter-clockwise.
    resize
        Whether the result is enlarged to contain the whole rotated image, instead of cutting off its corners.
    order
        Order of the spline interpolation: 0 is the nearest pixel (for labels), 1 is linear, up to 5.
    mode
        Values beyond the border of the image: "constant" (`cval`), "edge", "symmetric", "reflect" or "wrap".
    cval
        Grey level beyond the border; images with alpha are transparent there.

    Notes
    -----
    Dtype: any integer or float → the same; integers are rounded and clipped. Colours are weighted by alpha. A new
    pixel is NaN if more than half of its weight falls on NaN. Agrees with ``skimage.transform.rotate``, except that
    multiples of 90° never cut off pixels.

    Examples
    --------
    >>> rotate(Image.from_array(np.array([[1, 2, 3]], np.uint8)), angle=90).pixels
    array([[3],
           [2],
           [1]], dtype=uint8)
    """
    if angle % 90 == 0:
        return rotate_90(image, round(angle / 90))
    check_result_memory("rotate", _infer_rotated(image.properties, {"angle": angle, "resize": resize}))

    def rotate_plane(plane: Pixels, outside: float | None) -> Floats:
        from skimage import transform

        fill = cval if outside is None else outside
        rotated: Floats = transform.rotate(
            plane.astype(np.float64), angle, resize=resize, order=order, mode=mode, cval=fill, preserve_range=True
        )
        return rotated

    return image.with_pixels(resample(image, "rotate", rotate_plane, reads_outside=True))
