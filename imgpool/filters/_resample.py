"""New pixels from a weighted mean of old ones, where alpha and missing values are part of the weight."""

from collections.abc import Callable
from typing import Any

import numpy as np

from imgpool.core.axes import Pixels, map_planes
from imgpool.core.image import Image
from imgpool.filters._alpha import opacity_of
from imgpool.filters._dtype import OPENCV_DTYPES, Floats, check_numeric, full_scale, restore, to_float

SIGMAS = 4
"""A gaussian is cut off at this many standard deviations, as scipy.ndimage does."""

MISSING_SHARE = 0.5
"""A new pixel is NaN where more than this share of its weight falls on NaN."""

Resampler = Callable[[Pixels, float | None], Floats]
"""``resampler(plane, outside)``: a plane (Y, X) or (Y, X, S) to another size or place; `outside` is the value
around the image, None for the filter's own."""


def resample(image: Image, name: str, resampler: Resampler, *, beyond: bool = False) -> Pixels:
    """Apply a resampler to every plane.

    Colour counts by its alpha, so that hidden colour does not show; alpha is resampled along. NaN does not
    count; infinite values spread to their neighbours, as infinity or NaN.

    Parameters
    ----------
    image
        Of integers or floats, of any axes.
    name
        The filter's, for messages.
    resampler
        Linear in the plane's values; returns floats.
    beyond
        Whether it looks beyond the edge of the image, where an image with alpha is transparent.
    """
    check_numeric(image.pixels, name)

    def one(plane: Pixels) -> Pixels:
        if not image.has_alpha:
            return restore(_resample_colour(plane, resampler, None), plane.dtype)
        if not beyond and (plane[..., -1] == full_scale(plane.dtype)).all():
            return _resample_opaque(plane, resampler)
        if image.metadata.premultiplied:
            return restore(_resample_colour(plane, resampler, 0.0), plane.dtype)
        return _resample_transparent(plane, resampler)

    return map_planes(lambda plane: one(np.ascontiguousarray(plane)), image.pixels, image.axes)


def smooth_and_interpolate(plane: Pixels, shape: tuple[int, int]) -> Floats:
    """Linear interpolation at the centres of the new pixels, after a gaussian that prevents aliasing.

    Along an axis that shrinks by a factor f the gaussian has a standard deviation of (f - 1) / 2 pixels.
    Both axes are done one after the other, which saves work where the first one shrinks.
    """
    values = _readable(plane)
    for axis, length in enumerate(shape):
        values = _interpolate(_smooth(values, values.shape[axis] / length, axis), length, axis)
    return to_float(values)


def mean_of_area(plane: Pixels, shape: tuple[int, int]) -> Floats:
    """The mean of the area that a new pixel covers; axes that grow are interpolated."""
    height, width = (min(size) for size in zip(plane.shape, shape, strict=False))
    values = _readable(plane)
    if values.dtype == np.float64:  # OpenCV's weights are float32
        from skimage.transform import resize_local_mean

        shrunk = resize_local_mean(values, (height, width, *plane.shape[2:]), preserve_range=True)
    else:
        import cv2

        shrunk = cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA)
    return smooth_and_interpolate(np.asarray(shrunk).reshape(height, width, *plane.shape[2:]), shape)


def nearest_pixel(plane: Pixels, shape: tuple[int, int]) -> Pixels:
    """The old pixel in which the centre of the new one lies."""
    rows, columns = ((2 * np.arange(new) + 1) * old // (2 * new) for old, new in zip(plane.shape, shape, strict=False))
    return plane[rows[:, np.newaxis], columns]


def _resample_opaque(plane: Pixels, resampler: Resampler) -> Pixels:
    """Resample (Y, X, S) whose last sample, alpha, is opaque throughout."""
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


def _resample_colour(plane: Pixels, resampler: Resampler, outside: float | None) -> Floats:
    """Resample values of which some may be NaN."""
    missing: Any = np.isnan(plane) if plane.dtype.kind == "f" else np.False_
    if not missing.any():
        return resampler(plane, outside)
    values = to_float(np.where(missing, plane.dtype.type(0), plane))
    weight = (~missing).astype(values.dtype)
    total = resampler(weight, 1.0)
    mean = _divide(resampler(values, outside), total)
    mean[total < 1 - MISSING_SHARE] = np.nan
    return mean


def _divide(values: Floats, weight: Floats) -> Floats:
    some = weight > np.finfo(weight.dtype).eps
    return np.divide(values, weight, out=np.zeros_like(values), where=some)


def _readable(plane: Pixels) -> Pixels:
    return plane if plane.dtype in OPENCV_DTYPES else to_float(plane)


def _smooth(plane: Pixels, factor: float, axis: int) -> Pixels:
    import cv2

    sigma = (factor - 1) / 2
    radius = int(SIGMAS * sigma + 0.5) if sigma > 0 else 0
    if radius == 0:
        return plane
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernels = [np.ones(1), np.ones(1)]
    kernels[axis] = kernel / kernel.sum()
    depth = cv2.CV_64F if plane.dtype == np.float64 else cv2.CV_32F
    blurred = cv2.sepFilter2D(plane, depth, kernels[1], kernels[0], borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred).reshape(plane.shape)


def _interpolate(plane: Pixels, length: int, axis: int) -> Floats:
    """Linear interpolation at `length` positions; beyond the edge the image is mirrored at its last pixel."""
    old = plane.shape[axis]
    if old == length:
        return to_float(plane)
    positions = (np.arange(length) + 0.5) * (old / length) - 0.5
    below = np.floor(positions).astype(np.intp)
    share = (positions - below).reshape((-1, *[1] * (plane.ndim - 1 - axis)))
    first, second = (to_float(np.take(plane, _mirrored(below + step, old), axis)) for step in (0, 1))
    with np.errstate(invalid="ignore"):  # 0 × infinity
        first *= (1 - share).astype(first.dtype)
        second *= share.astype(first.dtype)
        first += second
    return first


def _mirrored(indices: np.ndarray[tuple[int, ...], np.dtype[np.intp]], length: int) -> Any:  # noqa: ANN401 - indices
    inside = np.abs(indices)
    return np.where(inside >= length, np.maximum(2 * (length - 1) - inside, 0), inside)
