"""Height, width and orientation of planes, and the properties and metadata that change with them."""

from dataclasses import replace

import numpy as np

from imgpool.core.image import Image, PixelSize, Properties


def plane_size(properties: Properties) -> tuple[int, int]:
    """Return the height and width of each plane, in pixels."""
    y = properties.axes.index("Y")
    return properties.shape[y], properties.shape[y + 1]


def full_size_properties(image: Image) -> Properties:
    """Return the properties that the file declares, also for an image that a reader has reduced."""
    full_size = image.metadata.full_size
    return with_plane_size(image.properties, full_size, rescale=False) if full_size else image.properties


def with_plane_size(properties: Properties, size: tuple[int, int], *, rescale: bool = True) -> Properties:
    """Return the properties after a change of height and width.

    Parameters
    ----------
    properties
        Those of the image.
    size
        New height and width, in pixels.
    rescale
        Whether the field of view stays the same, so that the pixel size changes in proportion.
    """
    y = properties.axes.index("Y")
    shape = (*properties.shape[:y], *size, *properties.shape[y + 2 :])
    old, pixel = plane_size(properties), properties.pixel_size
    if rescale and pixel is not None:
        pixel = PixelSize(pixel.y * old[0] / size[0], pixel.x * old[1] / size[1], pixel.z)
    return replace(properties, shape=shape, pixel_size=pixel)


def rotate_properties_90(properties: Properties) -> Properties:
    """Return the properties after a rotation by 90°: height and width are swapped, also those of the pixels."""
    height, width = plane_size(properties)
    swapped = with_plane_size(properties, (width, height), rescale=False)
    return replace(swapped, pixel_size=_swap_pixel_sides(properties.pixel_size))


def rotate_90(image: Image, times: int) -> Image:
    """Rotate by `times` × 90° counter-clockwise, exactly."""
    y = image.axes.index("Y")
    pixels = np.ascontiguousarray(np.rot90(image.pixels, times, axes=(y, y + 1)))
    return transpose_metadata(image.with_pixels(pixels)) if times % 2 else image.with_pixels(pixels)


def transpose_metadata(image: Image) -> Image:
    """Swap the Y and X values of pixel size, print resolution and full size."""
    dpi, full_size = image.metadata.dpi, image.metadata.full_size
    metadata = replace(
        image.metadata, dpi=dpi and (dpi[1], dpi[0]), full_size=full_size and (full_size[1], full_size[0])
    )
    return replace(image, pixel_size=_swap_pixel_sides(image.pixel_size), metadata=metadata)


def _swap_pixel_sides(pixel: PixelSize | None) -> PixelSize | None:
    return PixelSize(pixel.x, pixel.y, pixel.z) if pixel else None
