"""Filtering plane by plane, with alpha and missing pixels as weights.

A filter passes `map_colour` a function of one plane's colour and *weight*: how much each pixel counts, which is its
opacity, or 0 for NaN. Colour never mixes with alpha, and pixels with weight 0 do not affect their neighbours. If all
pixels count fully the weight is None, so that the common case takes the fast path.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from imgpool.core.axes import Bools, Pixels, map_planes
from imgpool.core.dtypes import Floats, check_numeric, full_scale, to_float, working_dtype
from imgpool.core.image import Image
from imgpool.filters._pixels.alpha import opacity_of, premultiplied_colour, straight_colour

ColourFunction = Callable[[Pixels, Floats | None], Pixels]


def map_colour(image: Image, name: str, function: ColourFunction) -> Image:
    """Apply a function to the colour of every plane; alpha and NaN stay in place.

    Fully transparent pixels become black: their hidden colour is ignored and not kept.

    Parameters
    ----------
    image
        Integers or floats, with any axes.
    name
        The filter's name, for messages.
    function
        ``function(colour, weight)`` receives `colour` as (Y, X), or (Y, X, 3) for RGB, C-contiguous and in the
        image's dtype, must not modify it, and returns an array of the same shape and dtype. `weight` is None if
        every pixel counts fully, otherwise floats from 0 to 1 in the shape of `colour`. Where the weight is 0,
        `colour` is 0 too.

    Raises
    ------
    FilterError
        If the pixels are not numbers that a filter can process; see `check_numeric`.
    """
    check_numeric(image.pixels, name)
    if image.has_alpha:
        premultiplied = image.metadata.premultiplied
        return image.with_pixels(
            map_planes(lambda plane: _filter_over_alpha(plane, function, premultiplied), image.pixels, image.axes)
        )
    return image.with_pixels(map_planes(lambda plane: _filter_around_nan(plane, function), image.pixels, image.axes))


def each_sample(function: Callable[[Pixels], Pixels], colour: Pixels) -> Pixels:
    """Apply a function of (Y, X) to a plane (Y, X), or to each sample of (Y, X, S)."""
    if colour.ndim == 2:  # noqa: PLR2004 - Y and X
        return function(colour)
    return np.stack([function(np.ascontiguousarray(colour[..., s])) for s in range(colour.shape[-1])], axis=-1)


def weighted_mean(blur: Callable[[Pixels], Floats], colour: Pixels, weight: Floats | None) -> Floats:
    """Blur by normalised convolution, in which each pixel counts by its weight.

    Parameters
    ----------
    blur
        A linear filter of (Y, X) or (Y, X, 3) that takes any number type, returns floats and keeps a constant image
        constant.
    colour, weight
        As `map_colour` passes them.

    Returns
    -------
    ndarray
        Floats of the working dtype; 0 where no pixel in the neighbourhood has any weight.
    """
    if weight is None:
        return blur(colour)
    values, total = to_float(colour), blur(weight)
    has_weight = total > np.finfo(total.dtype).tiny
    return np.divide(blur(values * weight), total, out=np.zeros_like(values), where=has_weight)


def fill_missing(colour: Pixels, weight: Floats) -> Pixels:
    """Fill pixels of weight 0 with the value of the nearest other pixel; with 0 if there is none."""
    from scipy.ndimage import distance_transform_edt

    missing = weight == 0
    if missing.ndim == 3:  # noqa: PLR2004 - Y, X and S
        return np.stack([fill_missing(colour[..., s], weight[..., s]) for s in range(colour.shape[-1])], axis=-1)
    if not missing.any() or missing.all():
        return colour
    nearest = distance_transform_edt(missing, return_distances=False, return_indices=True)
    filled: Pixels = colour[tuple(nearest)]
    return filled


def _filter_around_nan(colour: Pixels, function: ColourFunction) -> Pixels:
    colour = np.ascontiguousarray(colour)
    missing = _nan_mask(colour)
    if missing is None:
        return function(colour, None)
    weight = (~missing).astype(working_dtype(colour.dtype))
    result = function(np.where(missing, colour.dtype.type(0), colour), weight)
    return np.where(missing, colour.dtype.type(np.nan), result)


def _filter_over_alpha(plane: Pixels, function: ColourFunction, premultiplied: bool) -> Pixels:  # noqa: FBT001 - internal
    """Filter the colour of (Y, X, 2) or (Y, X, 4) and keep alpha."""
    result = plane.copy()
    colour = slice(-1) if plane.shape[-1] > 2 else 0  # noqa: PLR2004 - grey and alpha
    alpha = plane[..., -1]
    if np.greater_equal(alpha, full_scale(plane.dtype)).all():
        result[..., colour] = _filter_around_nan(plane[..., colour], function)
    else:
        opacity = opacity_of(alpha) if colour == 0 else opacity_of(alpha)[..., np.newaxis]
        result[..., colour] = _filter_visible(plane[..., colour], opacity, function, premultiplied)
    return result


def _filter_visible(samples: Pixels, opacity: Floats, function: ColourFunction, premultiplied: bool) -> Pixels:  # noqa: FBT001 - internal
    """Filter colour weighted by opacity; fully transparent pixels become black."""
    straight = straight_colour(samples, opacity) if premultiplied else samples
    zero = samples.dtype.type(0)
    weight = np.array(np.broadcast_to(opacity, samples.shape), order="C")
    missing = _nan_mask(straight)
    if missing is not None:
        weight[missing] = 0
    filtered = function(np.where(weight > 0, straight, zero), weight)
    filtered = np.where(opacity > 0, filtered, zero)
    if premultiplied:
        filtered = premultiplied_colour(filtered, opacity)
    return filtered if missing is None else np.where(missing, samples.dtype.type(np.nan), filtered)


def _nan_mask(colour: Pixels) -> Bools | None:
    """Return the mask of NaN, or None if there is none."""
    if colour.dtype.kind != "f":
        return None
    missing: Any = np.isnan(colour)
    return missing if missing.any() else None
