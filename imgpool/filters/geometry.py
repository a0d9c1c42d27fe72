"""Which part of the pixels, and which way up: crop, auto_orient."""

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field

from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.exif import UPRIGHT, orientation, with_orientation
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.image import Image, PixelSize, Properties
from imgpool.core.part import Part, Span
from imgpool.core.quantity import Length
from imgpool.filters._pixels.plane_geometry import plane_size, transpose_metadata, with_plane_size

__all__ = ["auto_orient", "crop"]

EDGE = Length(0.0)
Offset = Annotated[Length, Field(ge=0)]
Extent = Annotated[Length, Field(gt=0)]

# EXIF orientation: whether rows and columns change places, then which of the axes are flipped
TURNS = {
    1: (False, ()),
    2: (False, (1,)),
    3: (False, (0, 1)),
    4: (False, (0,)),
    5: (True, ()),
    6: (True, (1,)),
    7: (True, (0, 1)),
    8: (True, (0,)),
}


def _check_window(parameters: Parameters) -> None:
    window = any(parameters[name] is not None for name in ("height", "width")) or any(
        parameters[name] > 0 for name in ("top", "left")
    )
    if parameters["margin"] is not None and window:
        raise RecipeError("crop takes a margin or a window, not both", "leave out margin, or the other parameters")
    if parameters["margin"] is None and not window:
        raise RecipeError("crop is not told what to cut", "give margin, or some of top, left, height and width")


def _windows(properties: Properties, parameters: Parameters) -> tuple[slice, slice]:
    """Which rows and columns stay.

    Raises
    ------
    FilterError
        If they reach beyond the image.
    """
    pixel_size, (rows, columns) = properties.pixel_size, plane_size(properties)
    if parameters["margin"] is not None:
        y, x = _pixels(parameters["margin"], pixel_size)
        window = slice(y, rows - y), slice(x, columns - x)
    else:
        top, left = _pixels(parameters["top"], pixel_size)[0], _pixels(parameters["left"], pixel_size)[1]
        height, width = parameters["height"], parameters["width"]
        bottom = top + _pixels(height, pixel_size)[0] if height else rows
        right = left + _pixels(width, pixel_size)[1] if width else columns
        window = slice(top, bottom), slice(left, right)
    for extent, length in zip(window, (rows, columns), strict=True):
        if not 0 <= extent.start < extent.stop <= length:
            raise FilterError(_beyond(window, (rows, columns)), "give a window that lies inside")
    return window


def _pixels(length: Length, pixel_size: PixelSize | None) -> tuple[int, int]:
    """The nearest whole number of pixels along Y and X."""
    y, x = length.in_pixels(pixel_size)
    return round(y), round(x)


def _beyond(window: tuple[slice, slice], size: tuple[int, int]) -> str:
    rows, columns = (f"{extent.start} to {extent.stop}" for extent in window)
    return f"rows {rows} and columns {columns} cannot be cut from an image {size[0]} px high and {size[1]} px wide"


def _cropped(properties: Properties, parameters: Parameters) -> Properties:
    rows, columns = _windows(properties, parameters)
    size = rows.stop - rows.start, columns.stop - columns.start
    return with_plane_size(properties, size, rescale=False)


def _cut(properties: Properties, parameters: Parameters) -> Part:
    rows, columns = _windows(properties, parameters)
    return Part(Span(rows.start, rows.stop), Span(columns.start, columns.stop))


@image_filter(
    tiles="no",
    infer_output=_cropped,
    check=_check_window,
    crop_region=_cut,
    examples=({"top": 1, "left": 2, "height": 9, "width": 8}, {"margin": 0}, {"height": 1, "width": 1}, {"top": "1um"}),
)
def crop(
    image: Image,
    *,
    top: Offset = EDGE,
    left: Offset = EDGE,
    height: Extent | None = None,
    width: Extent | None = None,
    margin: Offset | None = None,
) -> Image:
    """Cut a window out of every plane, or a margin off it.

    Rows and columns are those of the pixels as they are stored: put auto_orient first for photos taken
    sideways. Lengths are rounded to whole pixels.

    Parameters
    ----------
    top, left
        Where the window begins, from the upper left corner: pixels, or a length with a unit; from 0.
    height, width
        How large the window is: pixels, or a length with a unit; without it, to the far edge.
    margin
        How much to cut off all four sides instead: pixels, or a length with a unit; from 0.

    Raises
    ------
    FilterError
        If the window reaches beyond the image.

    Notes
    -----
    Dtype: any, kept; the pixels that stay are unchanged. With `margin`, as ``skimage.util.crop``.

    Examples
    --------
    >>> crop(Image.from_array(np.arange(12, dtype=np.uint8).reshape(3, 4)), top=1, left=1, height=2, width=2).pixels
    array([[ 5,  6],
           [ 9, 10]], dtype=uint8)
    """
    parameters = {"top": top, "left": left, "height": height, "width": width, "margin": margin}
    y = image.axes.index("Y")
    window = _windows(image.properties, parameters)
    return image.with_pixels(image.pixels[(slice(None),) * y + window].copy())


@image_filter(tiles="no", reorients=True)
def auto_orient(image: Image) -> Image:
    """Turn and mirror a photo as its EXIF orientation says, so that it is upright without it.

    The orientation in the EXIF block is set to upright (1), nothing else in it is changed. An image without
    one stays as it is.

    Notes
    -----
    Dtype: any, kept; no pixel changes its value. For the four orientations of a photo taken sideways, height
    and width change places, and so do the sizes of a pixel; a header read beforehand does not tell. Agrees
    with ``PIL.ImageOps.exif_transpose``.
    """
    found = orientation(image.metadata.exif)
    if found == UPRIGHT or image.metadata.exif is None:
        return image
    sideways, flips = TURNS[found]
    y = image.axes.index("Y")
    pixels = image.pixels.swapaxes(y, y + 1) if sideways else image.pixels
    pixels = np.ascontiguousarray(np.flip(pixels, tuple(y + axis for axis in flips)))
    upright = transpose_metadata(image) if sideways else image
    metadata = replace(upright.metadata, exif=with_orientation(image.metadata.exif, UPRIGHT))
    return replace(upright, pixels=pixels, metadata=metadata)
