"""The light that many images share, found in the images themselves.

Each image is taken for an even background times a brightness of its own times the light, and for cells and dirt
that are somewhere else in every image. Light is smooth, so all is done on images that are some hundred pixels wide.
"""

from functools import lru_cache

import numpy as np

from imgpool.core.axes import Pixels, has_alpha, has_samples, iter_planes
from imgpool.core.image import Image

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
Doubles = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

LONGEST = 128
"""Pixels of the longer side of an image in which light is looked for."""

DEGREE = 4
"""Of the polynomial that most of the light is."""

TERMS = np.nonzero(np.add.outer(np.arange(DEGREE + 1), np.arange(DEGREE + 1)) <= DEGREE)
"""The powers of y and x in it."""

SMOOTHING = 0.05
"""Standard deviation of the blur of what the polynomial leaves, as a share of the longer side."""

SETTLED = 1e-4
"""Largest change of the light, as a share of its mean, at which the search ends."""

ROUNDS = 40

LEAST_NOISE = 1e-6
"""Of the background, as a share of it: of images without any."""


def reduced_channels(image: Image) -> Floats:
    """Every channel or colour sample of an image, small: (C, Y, X); its other planes are averaged, alpha left out."""
    import cv2

    height, width = (image.pixels.shape[image.axes.index(letter)] for letter in "YX")
    scale = min(1.0, LONGEST / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    c = image.axes.find("C")
    totals: dict[int, Floats] = {}
    for index, plane in iter_planes(image.pixels, image.axes):
        small = cv2.resize(_colour(plane, image.axes).astype(np.float32), size, interpolation=cv2.INTER_AREA)
        samples = np.moveaxis(np.asarray(small).reshape(size[1], size[0], -1), -1, 0)
        channel = index[c] if c >= 0 else 0
        totals[channel] = totals.get(channel, np.zeros_like(samples)) + samples
    planes = image.pixels[..., 0].size if has_samples(image.axes) else image.pixels.size
    averaged = planes // (len(totals) * height * width)
    sums: Floats = np.concatenate([totals[each] for each in sorted(totals)])
    return (sums / averaged).astype(np.float32)


def estimate_light(samples: Floats) -> Floats:
    """The light in a stack of small images (N, Y, X) that share it; its mean is 1.

    A robust factorisation of rank 1 (brightness of each image × light), by iteratively reweighted least squares with
    Cauchy's weights: what stands out from the background of its image counts little. It starts from the median of the
    images divided by their medians, and the light is made smooth in every round. The model is that of BaSiC without
    a dark field and its drift (T. Peng et al., "A BaSiC tool for background and shading correction of optical
    microscopy images", Nature Communications 8, 2017, doi:10.1038/ncomms14836), which solves it otherwise.
    """
    light = smooth(np.median(samples / np.median(samples, axis=(1, 2), keepdims=True), axis=0))
    brightness = np.median(samples / light, axis=(1, 2), keepdims=True)
    for _ in range(ROUNDS):
        weight = _weight(samples / (brightness * light) - 1)
        brightness = (weight * samples / light).sum(axis=(1, 2), keepdims=True) / weight.sum(axis=(1, 2), keepdims=True)
        before, light = light, smooth((weight * samples / brightness).sum(axis=0) / weight.sum(axis=0))
        if np.abs(light - before).max() < SETTLED:
            break
    return light


def smooth(values: Floats) -> Floats:
    """Values (Y, X) without what is no light: a polynomial and a blur of what it leaves; the mean is 1, all above 0."""
    import cv2

    broad = _polynomial(values, values.shape)
    rest = cv2.GaussianBlur(values - broad, (0, 0), SMOOTHING * max(values.shape), borderType=cv2.BORDER_REPLICATE)
    return _normalized(broad + np.asarray(rest).reshape(values.shape))


def enlarge(light: Floats, shape: tuple[int, int]) -> Floats:
    """The light at the size of the images (Y, X); its mean is 1."""
    import cv2

    rest = light - _polynomial(light, light.shape)
    large = cv2.resize(rest, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return _normalized(_polynomial(light, shape) + np.asarray(large).reshape(shape))


def _colour(plane: Pixels, axes: str) -> Pixels:
    return plane[..., :-1] if has_alpha(axes, plane.shape) else plane


def _weight(deviation: Floats) -> Floats:
    """How much each pixel counts: half where it deviates by the standard deviation of the noise.

    Cells are brighter than the background, or darker: the noise is known from the side where they are not.
    """
    sides = [side for side in (deviation[deviation > 0], -deviation[deviation < 0]) if side.size]
    noise = min((1.4826 * float(np.median(side)) for side in sides), default=0.0)  # of a normal distribution
    weight: Floats = 1 / (1 + np.square(deviation / np.float32(max(noise, LEAST_NOISE))))
    return weight


def _normalized(light: Floats) -> Floats:
    least = light[light > 0].min() if (light > 0).any() else np.float32(1)
    positive = np.maximum(light, least)
    normalized: Floats = positive / positive.mean()
    return normalized


def _polynomial(values: Floats, shape: tuple[int, ...]) -> Floats:
    """The polynomial nearest to values (Y, X), at another number of rows and columns over the same field."""
    coefficients = np.zeros((DEGREE + 1, DEGREE + 1))
    coefficients[TERMS] = _fit(values.shape) @ values.ravel().astype(np.float64)
    there: Floats = (_legendre(shape[0]) @ coefficients @ _legendre(shape[1]).T).astype(np.float32)
    return there


@lru_cache(maxsize=4)
def _fit(shape: tuple[int, ...]) -> Doubles:
    """What makes the coefficients of the nearest polynomial of so many values."""
    rows, columns = (_legendre(side) for side in shape)
    basis = rows[:, np.newaxis, TERMS[0]] * columns[np.newaxis, :, TERMS[1]]
    return np.asarray(np.linalg.pinv(basis.reshape(-1, len(TERMS[0]))), np.float64)


def _legendre(side: int) -> Doubles:
    """Legendre's polynomials at the middles of so many pixels that go from -1 to 1: (pixel, degree)."""
    middles = (2 * np.arange(side) + 1) / side - 1
    return np.asarray(np.polynomial.legendre.legvander(middles, DEGREE), np.float64)
