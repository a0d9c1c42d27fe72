"""Estimation of the illumination that a series of images shares.

Model of an image: brightness of the image × illumination × scene. The scene is an even background with objects, such
as cells or dirt, that are in a different place in every image. Because illumination is smooth, the estimation works on
images reduced to at most `MAX_SIDE_PX` pixels.
"""

from functools import lru_cache

import numpy as np

from imgpool.core.axes import Pixels, has_alpha, has_samples, iter_planes
from imgpool.core.image import Image

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
Doubles = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

MAX_SIDE_PX = 128
"""Longer side of a reduced image, in pixels."""

POLYNOMIAL_DEGREE = 4
"""Total degree of the polynomial that describes most of the illumination."""

_POWERS = np.arange(POLYNOMIAL_DEGREE + 1)
POLYNOMIAL_TERMS = np.nonzero(np.add.outer(_POWERS, _POWERS) <= POLYNOMIAL_DEGREE)
"""Degrees in y and in x of the terms of the polynomial."""

BLUR_SIGMA = 0.05
"""Standard deviation of the blur of the polynomial's residual, relative to the longer side."""

CONVERGENCE_TOLERANCE = 1e-4
"""Largest change of the illumination, relative to its mean, at which the iteration stops."""

MAX_ITERATIONS = 40

MIN_RELATIVE_NOISE = 1e-6
"""Lower limit of the noise relative to the background, for images without noise."""

NORMAL_CONSISTENCY = 1.4826
"""Ratio of the standard deviation to the median absolute deviation of a normal distribution."""


def reduce_channels(image: Image) -> Floats:
    """Reduce every channel or colour sample of an image to a small plane.

    Parameters
    ----------
    image
        Image with axes Y and X; alpha is ignored.

    Returns
    -------
    ndarray of float32, shape (C, Y, X)
        One plane per channel or colour sample, averaged over time points and slices. The longer side has at most
        `MAX_SIDE_PX` pixels.
    """
    import cv2

    height, width = (image.pixels.shape[image.axes.index(letter)] for letter in "YX")
    scale = min(1.0, MAX_SIDE_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    channel_axis = image.axes.find("C")
    totals: dict[int, Floats] = {}
    for index, plane in iter_planes(image.pixels, image.axes):
        small = cv2.resize(_drop_alpha(plane, image.axes).astype(np.float32), size, interpolation=cv2.INTER_AREA)
        samples = np.moveaxis(np.asarray(small).reshape(size[1], size[0], -1), -1, 0)
        channel = index[channel_axis] if channel_axis >= 0 else 0
        totals[channel] = totals.get(channel, np.zeros_like(samples)) + samples
    values = image.pixels[..., 0].size if has_samples(image.axes) else image.pixels.size
    planes_per_channel = values // (len(totals) * height * width)
    sums: Floats = np.concatenate([totals[channel] for channel in sorted(totals)])
    return (sums / planes_per_channel).astype(np.float32)


def estimate_illumination(images: Floats) -> Floats:
    """Estimate the illumination that images share.

    Parameters
    ----------
    images : ndarray of float32, shape (N, Y, X)
        Reduced images without the camera's dark level.

    Returns
    -------
    ndarray of float32, shape (Y, X)
        The illumination, with a mean of 1.

    Notes
    -----
    The method is a robust factorization of rank 1, brightness of each image × illumination, by iteratively reweighted
    least squares with Cauchy weights: pixels that differ much from the background of their image have little weight.
    It starts from the median of the images divided by their medians, and smooths the illumination in each iteration.
    The model is that of BaSiC [1]_ without its dark field and temporal drift; BaSiC solves it in a different way.

    References
    ----------
    .. [1] T. Peng et al., "A BaSiC tool for background and shading correction of optical microscopy images", Nature
           Communications 8, 14836 (2017). :DOI:`10.1038/ncomms14836`
    """
    illumination = smooth(np.median(images / np.median(images, axis=(1, 2), keepdims=True), axis=0))
    brightness = np.median(images / illumination, axis=(1, 2), keepdims=True)
    for _ in range(MAX_ITERATIONS):
        weights = _cauchy_weights(images / (brightness * illumination) - 1)
        total = weights.sum(axis=(1, 2), keepdims=True)
        brightness = (weights * images / illumination).sum(axis=(1, 2), keepdims=True) / total
        previous = illumination
        illumination = smooth((weights * images / brightness).sum(axis=0) / weights.sum(axis=0))
        if np.abs(illumination - previous).max() < CONVERGENCE_TOLERANCE:
            break
    return illumination


def smooth(values: Floats) -> Floats:
    """Smooth values of shape (Y, X) by a polynomial plus its blurred residual; the result is positive, with mean 1."""
    import cv2

    trend = _fit_polynomial(values, values.shape)
    sigma = BLUR_SIGMA * max(values.shape)
    residual = cv2.GaussianBlur(values - trend, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return _normalize(trend + np.asarray(residual).reshape(values.shape))


def enlarge(illumination: Floats, shape: tuple[int, int]) -> Floats:
    """Enlarge an illumination to the shape (Y, X) of the images; the mean is 1."""
    import cv2

    residual = illumination - _fit_polynomial(illumination, illumination.shape)
    large = cv2.resize(residual, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return _normalize(_fit_polynomial(illumination, shape) + np.asarray(large).reshape(shape))


def _drop_alpha(plane: Pixels, axes: str) -> Pixels:
    return plane[..., :-1] if has_alpha(axes, plane.shape) else plane


def _cauchy_weights(deviation: Floats) -> Floats:
    """Return weights that are 1/2 at a deviation of one standard deviation of the noise.

    Objects are either brighter or darker than the background, so the noise is estimated from the side with the
    smaller deviations.
    """
    sides = [side for side in (deviation[deviation > 0], -deviation[deviation < 0]) if side.size]
    noise = min((NORMAL_CONSISTENCY * float(np.median(side)) for side in sides), default=0.0)
    weights: Floats = 1 / (1 + np.square(deviation / np.float32(max(noise, MIN_RELATIVE_NOISE))))
    return weights


def _normalize(illumination: Floats) -> Floats:
    """Raise values up to 0 to the smallest positive one, then scale to a mean of 1."""
    smallest = illumination[illumination > 0].min() if (illumination > 0).any() else np.float32(1)
    positive = np.maximum(illumination, smallest)
    normalized: Floats = positive / positive.mean()
    return normalized


def _fit_polynomial(values: Floats, shape: tuple[int, ...]) -> Floats:
    """Fit a polynomial to values (Y, X), and evaluate it on a grid of another shape over the same field."""
    coefficients = np.zeros((POLYNOMIAL_DEGREE + 1, POLYNOMIAL_DEGREE + 1))
    coefficients[POLYNOMIAL_TERMS] = _pseudo_inverse(values.shape) @ values.ravel().astype(np.float64)
    fitted: Floats = (_legendre(shape[0]) @ coefficients @ _legendre(shape[1]).T).astype(np.float32)
    return fitted


@lru_cache(maxsize=4)
def _pseudo_inverse(shape: tuple[int, ...]) -> Doubles:
    """Return the matrix that maps values of a shape to the coefficients of the least-squares polynomial."""
    rows, columns = (_legendre(side) for side in shape)
    basis = rows[:, np.newaxis, POLYNOMIAL_TERMS[0]] * columns[np.newaxis, :, POLYNOMIAL_TERMS[1]]
    return np.asarray(np.linalg.pinv(basis.reshape(-1, len(POLYNOMIAL_TERMS[0]))), np.float64)


def _legendre(side: int) -> Doubles:
    """Return the Legendre polynomials at the centres of `side` pixels between -1 and 1, with shape (side, degree)."""
    centres = (2 * np.arange(side) + 1) / side - 1
    return np.asarray(np.polynomial.legendre.legvander(centres, POLYNOMIAL_DEGREE), np.float64)
