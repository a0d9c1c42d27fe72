"""Cropping and orientation: crop, auto_orient."""

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field

from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.exif import UPRIGHT, orientation, with_orientation
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.image import Image, PixelSize, Properties
from imgpool.core.parameters import Unbounded
from imgpool.core.part import Part, Span
from imgpool.core.quantity import Length
from imgpool.filters._pixels.plane_geometry import plane_size, transpose_metadata, with_plane_size

__all__ = ["auto_orient", "crop"]

NO_OFFSET = Length(0.0)
INSIDE = Unbounded("the window must lie inside the image")
Offset = Annotated[Length, Field(ge=0), INSIDE]
Extent = Annotated[Length, Field(gt=0), INSIDE]

TRANSFORMS = {
    1: (False, ()),
    2: (False, (1,)),
    3: (False, (0, 1)),
    4: (False, (0,)),
    5: (True, ()),
    6: (True, (1,)),
    7: (True, (0, 1)),
    8: (True, (0,)),
}
"""For each EXIF orientation, whether to transpose the image, and then which axes to flip (0: Y, 1: X)."""


def _check_window(parameters: Parameters) -> None:
    window = any(parameters[name] is not None for name in ("height", "width")) or any(
        parameters[name] > 0 for name in ("top", "left")
    )
    if parameters["margin"] is not None and window:
        raise RecipeError("crop takes a margin or a window, not both", "omit margin, or all other parameters")
    if parameters["margin"] is None and not window:
        raise RecipeError("crop needs a margin or a window", "give margin, or any of top, left, height and width")


def _window(properties: Properties, parameters: Parameters) -> tuple[slice, slice]:
    """Return the rows and columns to keep.

    Raises
    ------
    FilterError
        If they extend beyond the image.
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
            raise _window_error(window, (rows, columns))
    return window


def _pixels(length: Length, pixel_size: PixelSize | None) -> tuple[int, int]:
    """Round a length to whole pixels along Y and X."""
    y, x = length.in_pixels(pixel_size)
    return round(y), round(x)


def _window_error(window: tuple[slice, slice], size: tuple[int, int]) -> FilterError:
    image = f"the image, which is {size[0]} px high and {size[1]} px wide"
    if any(extent.start >= extent.stop for extent in window):
        return FilterError(
            f"crop would leave nothing of {image}", "choose a smaller margin, or a window inside the image"
        )
    rows, columns = (f"{extent.start} to {extent.stop}" for extent in window)
    return FilterError(f"rows {rows} and columns {columns} extend beyond {image}", "choose a window inside the image")


def _infer_cropped(properties: Properties, parameters: Parameters) -> Properties:
    rows, columns = _window(properties, parameters)
    size = rows.stop - rows.start, columns.stop - columns.start
    return with_plane_size(properties, size, rescale=False)


def _crop_region(properties: Properties, parameters: Parameters) -> Part:
    rows, columns = _window(properties, parameters)
    return Part(Span(rows.start, rows.stop), Span(columns.start, columns.stop))


@image_filter(
    tiles="no",
    infer_output=_infer_cropped,
    check=_check_window,
    crop_region=_crop_region,
    examples=({"top": 1, "left": 2, "height": 9, "width": 8}, {"margin": 0}, {"height": 1, "width": 1}, {"top": "1um"}),
)
def crop(
    image: Image,
    *,
    top: Offset = NO_OFFSET,
    left: Offset = NO_OFFSET,
    height: Extent | None = None,
    width: Extent | None = None,
    margin: Offset | None = None,
) -> Image:
    """Crop a window out of every plane, or a margin off all sides.

    Rows and columns are those of the stored pixels: put auto_orient first for photos taken sideways. Lengths are
    rounded to whole pixels.

    Parameters
    ----------
    top, left
        Upper left corner of the window, in pixels or with a unit (20um), from 0.
    height, width
        Size of the window, in pixels or with a unit, above 0; by default up to the lower and right border.
    margin
        Width to remove from all four sides, instead of a window, in pixels or with a unit, from 0.

    Raises
    ------
    FilterError
        If the window extends beyond the image.

    Notes
    -----
    Dtype: any → the same; pixels stay unchanged. With `margin` it agrees with ``skimage.util.crop``.

    Examples
    --------
    >>> crop(Image.from_array(np.arange(12, dtype=np.uint8).reshape(3, 4)), top=1, left=1, height=2, width=2).pixels
    array([[ 5,  6],
           [ 9, 10]], dtype=uint8)
    """
    parameters = {"top": top, "left": left, "height": height, "width": width, "margin": margin}
    y = image.axes.index("Y")
    window = _window(image.properties, parameters)
    return image.with_pixels(image.pixels[(slice(None),) * y + window].copy())


@image_filter(tiles="no", reorients=True)
def auto_orient(image: Image) -> Image:
    """Rotate and flip a photo upright, according to its EXIF orientation.

    The orientation in the EXIF block is set to upright (1); the rest of the block stays unchanged. An image without an
    orientation stays unchanged.

    Notes
    -----
    Dtype: any → the same; no pixel changes its value. For the four sideways orientations height and width are
    swapped, and so are the sizes of a pixel. The output's shape cannot be inferred from the header. Agrees with
    ``PIL.ImageOps.exif_transpose``.
    """
    found = orientation(image.metadata.exif)
    if found == UPRIGHT or image.metadata.exif is None:
        return image
    transpose, flips = TRANSFORMS[found]
    y = image.axes.index("Y")
    pixels = image.pixels.swapaxes(y, y + 1) if transpose else image.pixels
    pixels = np.ascontiguousarray(np.flip(pixels, tuple(y + axis for axis in flips)))
    upright = transpose_metadata(image) if transpose else image
    metadata = replace(upright.metadata, exif=with_orientation(image.metadata.exif, UPRIGHT))
    return replace(upright, pixels=pixels, metadata=metadata)
