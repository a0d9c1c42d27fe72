"""Alpha channels, which models cannot take: opaque alpha is removed before the model and may be added after it."""

from dataclasses import replace

import numpy as np

from imgpool.core.axes import has_alpha
from imgpool.core.dtypes import full_scale
from imgpool.core.errors import FilterError
from imgpool.core.image import Image, Properties

GREY_ALPHA_SAMPLES = 2


def without_alpha(properties: Properties) -> Properties:
    """Properties of the image without its alpha channel, if it has one."""
    axes, shape = properties.axes, properties.shape
    if not has_alpha(axes, shape):
        return properties
    if shape[-1] == GREY_ALPHA_SAMPLES:
        return replace(properties, axes=axes.removesuffix("S"), shape=shape[:-1])
    return replace(properties, shape=(*shape[:-1], shape[-1] - 1))


def with_alpha(properties: Properties) -> Properties:
    """Properties of the image with an alpha channel added."""
    axes, shape = properties.axes, properties.shape
    if axes.endswith("S"):
        return replace(properties, shape=(*shape[:-1], shape[-1] + 1))
    return replace(properties, axes=f"{axes}S", shape=(*shape, GREY_ALPHA_SAMPLES))


def strip_alpha(image: Image) -> Image:
    """Remove the alpha channel, if there is one.

    Raises
    ------
    FilterError
        If any pixel is transparent.
    """
    if not image.has_alpha:
        return image
    if not np.greater_equal(image.pixels[..., -1], full_scale(image.pixels.dtype)).all():
        raise FilterError(
            "the image has transparent pixels, which a model cannot leave out",
            "save the image on an opaque background, without alpha",
        )
    properties = without_alpha(image.properties)
    return image.with_pixels(image.pixels[..., :-1].reshape(properties.shape), properties.axes)


def attach_alpha(image: Image) -> Image:
    """Add an opaque alpha channel."""
    properties = with_alpha(image.properties)
    pixels = np.full(properties.shape, full_scale(properties.dtype), properties.dtype)
    pixels[..., :-1] = image.pixels.reshape(pixels[..., :-1].shape)
    return image.with_pixels(pixels, properties.axes)
