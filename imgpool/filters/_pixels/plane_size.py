"""Height, width and direction of an image's planes, and what else must follow when they change."""

from dataclasses import replace

import numpy as np

from imgpool.core.image import Image, PixelSize, Properties


def plane_size(properties: Properties) -> tuple[int, int]:
    """Height and width of each plane, in pixels."""
    y = properties.axes.index("Y")
    return properties.shape[y], properties.shape[y + 1]


def whole_properties(image: Image) -> Properties:
    """What the header said of an image that may have been read smaller than it is."""
    full_size = image.metadata.full_size
    return with_plane_size(image.properties, full_size, rescale=False) if full_size else image.properties


def with_plane_size(properties: Properties, size: tuple[int, int], *, rescale: bool = True) -> Properties:
    """The properties of an image of another height and width.

    Parameters
    ----------
    size
        Height and width, in pixels.
    rescale
        Whether the same field of view is shown, so that the pixel size changes in proportion.
    """
    y = properties.axes.index("Y")
    shape = (*properties.shape[:y], *size, *properties.shape[y + 2 :])
    old, pixel = plane_size(properties), properties.pixel_size
    if rescale and pixel is not None:
        pixel = PixelSize(pixel.y * old[0] / size[0], pixel.x * old[1] / size[1], pixel.z)
    return replace(properties, shape=shape, pixel_size=pixel)


def turned(properties: Properties) -> Properties:
    """The properties of an image turned by 90°: height and width change places, and so do the pixel's."""
    height, width = plane_size(properties)
    swapped = with_plane_size(properties, (width, height), rescale=False)
    return replace(swapped, pixel_size=_turned_pixel(properties.pixel_size))


def quarter_turn(image: Image, times: int) -> Image:
    """Turn by `times` × 90° counter-clockwise, exactly."""
    y = image.axes.index("Y")
    pixels = np.ascontiguousarray(np.rot90(image.pixels, times, axes=(y, y + 1)))
    return swap_sides(image.with_pixels(pixels)) if times % 2 else image.with_pixels(pixels)


def swap_sides(image: Image) -> Image:
    """Let what belongs to Y and to X change places: pixel size, resolution for print, size of the whole."""
    dpi, full_size = image.metadata.dpi, image.metadata.full_size
    metadata = replace(
        image.metadata, dpi=dpi and (dpi[1], dpi[0]), full_size=full_size and (full_size[1], full_size[0])
    )
    return replace(image, pixel_size=_turned_pixel(image.pixel_size), metadata=metadata)


def _turned_pixel(pixel: PixelSize | None) -> PixelSize | None:
    return PixelSize(pixel.x, pixel.y, pixel.z) if pixel else None
