"""Alpha and models: a model knows none; what is opaque everywhere goes without it, and gets it back."""

from dataclasses import replace

import numpy as np

from imgpool.core.axes import has_alpha
from imgpool.core.dtypes import full_scale
from imgpool.core.errors import FilterError
from imgpool.core.image import Image, Properties

GREY_AND_ALPHA = 2


def without_alpha(properties: Properties) -> Properties:
    """The header of the image without its alpha, if it has one."""
    axes, shape = properties.axes, properties.shape
    if not has_alpha(axes, shape):
        return properties
    if shape[-1] == GREY_AND_ALPHA:
        return replace(properties, axes=axes.removesuffix("S"), shape=shape[:-1])
    return replace(properties, shape=(*shape[:-1], shape[-1] - 1))


def with_alpha(properties: Properties) -> Properties:
    """The header of the image with an alpha."""
    axes, shape = properties.axes, properties.shape
    if axes.endswith("S"):
        return replace(properties, shape=(*shape[:-1], shape[-1] + 1))
    return replace(properties, axes=f"{axes}S", shape=(*shape, GREY_AND_ALPHA))


def strip_alpha(image: Image) -> Image:
    """The image without its alpha, if it has one.

    Raises
    ------
    FilterError
        If some of its pixels are transparent: a model cannot leave them out.
    """
    if not image.has_alpha:
        return image
    if not np.greater_equal(image.pixels[..., -1], full_scale(image.pixels.dtype)).all():
        raise FilterError(
            "it has transparent pixels, which a model cannot leave out", "lay it over a background, without alpha"
        )
    header = without_alpha(image.properties)
    return image.with_pixels(image.pixels[..., :-1].reshape(header.shape), header.axes)


def attach_alpha(image: Image) -> Image:
    """The image with an alpha that is opaque everywhere."""
    header = with_alpha(image.properties)
    pixels = np.full(header.shape, full_scale(header.dtype), header.dtype)
    pixels[..., :-1] = image.pixels.reshape(pixels[..., :-1].shape)
    return image.with_pixels(pixels, header.axes)
