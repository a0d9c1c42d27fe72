"""Resampling of images, in which pixels count by their alpha and missing values do not count."""

from collections.abc import Callable
from typing import Any

import numpy as np

from imgpool.core.axes import Pixels, map_planes
from imgpool.core.dtypes import Floats, check_numeric, full_scale, restore, to_float
from imgpool.core.image import Image
from imgpool.filters._pixels.alpha import opacity_of

MISSING_SHARE = 0.5
"""An output pixel is NaN if more than this share of its weight falls on NaN."""

Resampler = Callable[[Pixels, float | None], Any]
"""``resampler(plane, outside)`` resamples (Y, X) or (Y, X, S), in the same dtype or to floats. `outside` is the value
beyond the border of the image, or None for the filter's default."""


def resample(image: Image, name: str, resampler: Resampler, *, reads_outside: bool = False) -> Pixels:
    """Apply a resampler to every plane.

    Colours are weighted by alpha, so that transparent pixels do not show; alpha itself is resampled too. NaN does not
    count. Infinite values spread to their neighbours as infinity, or as NaN where both signs meet.

    Parameters
    ----------
    image
        Integers or floats, with any axes.
    name
        The filter's name, for messages.
    resampler
        A function that is linear in the values of the plane.
    reads_outside
        Whether it reads beyond the border of the image, where an image with alpha is transparent.
    """
    check_numeric(image.pixels, name)

    def resample_plane(plane: Pixels) -> Pixels:
        if not image.has_alpha:
            return restore(_resample_colour(plane, resampler, None), plane.dtype, reuse=True)
        if not reads_outside and (plane[..., -1] == full_scale(plane.dtype)).all():
            return _resample_opaque(plane, resampler)
        if image.metadata.premultiplied:
            return restore(_resample_colour(plane, resampler, 0.0), plane.dtype, reuse=True)
        return _resample_transparent(plane, resampler)

    return map_planes(lambda plane: resample_plane(np.ascontiguousarray(plane)), image.pixels, image.axes)


def _resample_opaque(plane: Pixels, resampler: Resampler) -> Pixels:
    """Resample (Y, X, S) whose last sample, alpha, is opaque everywhere."""
    colour = restore(_resample_colour(np.ascontiguousarray(plane[..., :-1]), resampler, 0.0), plane.dtype)
    alpha = np.full_like(colour[..., :1], plane[0, 0, -1])
    return np.concatenate([colour, alpha], axis=-1)


def _resample_transparent(plane: Pixels, resampler: Resampler) -> Pixels:
    """Resample (Y, X, S) with straight alpha as its last sample."""
    alpha, colour = plane[..., -1:], to_float(plane[..., :-1])
    weight = np.where(np.isnan(colour), 0, opacity_of(alpha))
    total = _resample_colour(weight, resampler, 0.0)
    mixed = _divide(_resample_colour(np.where(weight > 0, colour, 0) * weight, resampler, 0.0), total)
    mixed[_resample_colour(np.isnan(colour).astype(total.dtype), resampler, 0.0) > MISSING_SHARE] = np.nan
    resampled_alpha = _resample_colour(to_float(alpha), resampler, 0.0)
    return restore(np.concatenate([mixed, resampled_alpha], axis=-1), plane.dtype)


def _resample_colour(plane: Pixels, resampler: Resampler, outside: float | None) -> Any:  # noqa: ANN401 - whatever the resampler returns
    """Resample values of which some may be NaN or infinite."""
    if plane.dtype.kind != "f" or np.isfinite(plane).all():
        return resampler(plane, outside)
    values = to_float(plane)
    missing = np.isnan(values)
    mean = resampler(np.where(np.isfinite(values), values, 0), outside)
    if missing.any():
        total = resampler((~missing).astype(values.dtype), 1.0)
        mean = _divide(mean, total)
        mean[total < 1 - MISSING_SHARE] = np.nan
    for infinity in (np.inf, -np.inf):
        reached = resampler((values == infinity).astype(values.dtype), 0.0) != 0
        with np.errstate(invalid="ignore"):  # where both signs meet
            mean[reached] += infinity
    return mean


def _divide(values: Floats, weight: Floats) -> Floats:
    is_visible = weight > np.finfo(weight.dtype).eps
    return np.divide(values, weight, out=np.zeros_like(values), where=is_visible)
