"""Synthetic images for training and evaluation: structures of many scales, and camera noise.

They need only NumPy, SciPy and scikit-image. The seed determines an image completely.
"""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
Random = np.random.Generator

SCENES: dict[str, Callable[[Random, int], Array]] = {}
"""Functions that draw one kind of structure, given a generator and the side in pixels, by name; see `_register`."""

IMAGE_SIDE_PX = 256

VALIDATION_SEED = 1_000_000
"""First seed of the validation images, which guided the design of the network; training uses smaller seeds."""

TEST_SEED = 2_000_000
"""First seed of the test images, which nothing was tuned on; the model card reports results for these."""

MIN_NOISE, MAX_NOISE = 0.008, 0.6
"""Standard deviations of the noise in training, relative to the range of an image."""


def draw_image(seed: int, side: int = IMAGE_SIDE_PX) -> Array:
    """Draw an image without noise.

    Parameters
    ----------
    seed
        Determines the image.
    side
        Height and width in pixels.

    Returns
    -------
    ndarray of float32, shape (side, side)
        Values from 0 to 1.
    """
    random = np.random.default_rng(seed)
    layers = [_layer(random, side) for _ in range(random.choice([1, 1, 2]))]
    image = layers[0]
    for layer in layers[1:]:
        image = image * (0.3 + layer) if _chance(random) else image + random.uniform(0.2, 1) * layer
    image = _blur(image, random.choice([0, 0.5, 0.8, 1.2, 2.0]))
    return np.asarray(_rescale(image) ** random.choice([0.6, 1, 1, 1.8]), np.float32)


def add_noise(clean: Array, noise: float, shot: float, seed: int) -> Array:
    """Add the noise of a camera: photon (shot) noise and read-out noise.

    Parameters
    ----------
    clean
        Light intensity, 0 or more.
    noise
        Standard deviation of the noise at the mean intensity of `clean`, in its units.
    shot
        Fraction of this variance that is shot (Poisson) noise, 0 to 1; the rest is the same for all pixels.
    seed
        Determines the noise.

    Returns
    -------
    ndarray of float32
        Neither rounded nor clipped: read-out noise can make values negative.
    """
    random = np.random.default_rng(seed)
    result = clean + random.normal(0, noise * np.sqrt(1 - shot), clean.shape)
    if shot > 0:
        photons = max(float(clean.mean()), 1e-3) / (shot * noise**2)
        result += random.poisson(clean * photons) / photons - clean
    return result.astype(np.float32)


def _register(draw: Callable[[Random, int], Array]) -> Callable[[Random, int], Array]:
    """Add a function to `SCENES`; their order matters, as a seed selects one by its position."""
    SCENES[draw.__name__.strip("_")] = draw
    return draw


def _layer(random: Random, side: int) -> Array:
    """Draw one kind of structure at random; leaves are three times as likely as each other kind."""
    return _rescale(SCENES[random.choice([*SCENES, "leaves", "leaves"])](random, side))


def _rescale(image: Array) -> Array:
    low, high = image.min(), image.max()
    return np.asarray((image - low) / max(high - low, 1e-6))


def _blur(image: Array, sigma: float) -> Array:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(image, sigma, mode="reflect")) if sigma else image


def _log_uniform(random: Random, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _chance(random: Random, probability: float = 0.5) -> bool:
    return bool(random.random() < probability)


def _cloud(random: Random, side: int, slope: float) -> Array:
    """Noise whose amplitude is proportional to the frequency to the power of minus `slope`."""
    rows, columns = np.fft.fftfreq(side), np.fft.rfftfreq(side)
    squeeze = _log_uniform(random, 0.6, 1.6)
    frequency = np.hypot(rows[:, None] * squeeze, columns[None, :] / squeeze)
    frequency[0, 0] = np.inf
    return _rescale(np.fft.irfft2(np.fft.rfft2(random.normal(size=(side, side))) * frequency**-slope, (side, side)))


@_register
def _clouds(random: Random, side: int) -> Array:
    """Rough texture to smooth shading."""
    return _cloud(random, side, random.uniform(0.9, 3))


@_register
def _filaments(random: Random, side: int) -> Array:
    """Crossing curved threads, such as a cytoskeleton or vessels; up to three widths."""
    from skimage.draw import line

    image: Array = np.zeros((side, side))
    for _ in range(random.integers(1, 4)):
        threads = np.zeros((side, side))
        for _ in range(random.integers(2, 20)):
            steps, bend = side // 4, _log_uniform(random, 0.01, 0.3)
            angles = random.uniform(0, 2 * np.pi) + np.cumsum(random.normal(0, bend, steps))
            path = random.uniform(0, side, (2, 1)) + 5 * np.cumsum([np.sin(angles), np.cos(angles)], axis=1)
            corners = np.round(path).astype(int).T.tolist()
            for (y0, x0), (y1, x1) in itertools.pairwise(corners):
                y, x = line(y0, x0, y1, x1)
                inside = (y >= 0) & (y < side) & (x >= 0) & (x < side)
                threads[y[inside], x[inside]] = 1
        image += random.uniform(0.3, 1) * _rescale(_blur(threads, random.choice([0, 0.7, 1, 1.5, 2.5])))
    return image


@_register
def _spots(random: Random, side: int) -> Array:
    """Blurred points of one size and various brightnesses, such as stars, single molecules or vesicles."""
    points: Array = np.zeros((side, side))
    count = int(_log_uniform(random, 10, side * side / 60))
    points[tuple(random.integers(0, side, (2, count)))] = random.pareto(2.5, count) + 0.1
    sharp = _blur(np.minimum(points, 8), _log_uniform(random, 0.6, 4))
    return sharp + float(random.choice([0, 0.5]) * sharp.max()) * _cloud(random, side, 2)


@_register
def _cells(random: Random, side: int) -> Array:
    """Round objects with texture on a dim background, such as nuclei or cells."""
    rows, columns = np.mgrid[:side, :side]
    image: Array = float(random.choice([0, 0.15])) * _cloud(random, side, 2.5)
    texture = 1 - random.uniform(0, 0.8) * _cloud(random, side, random.uniform(0.8, 2))
    size = _log_uniform(random, side / 40, side / 6)
    for _ in range(random.integers(3, 40)):
        y, x = random.uniform(0, side, 2)
        long, short = size * random.uniform(0.6, 1.4, 2)
        angle = random.uniform(0, np.pi)
        along = (rows - y) * np.sin(angle) + (columns - x) * np.cos(angle)
        across = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
        depth = 1 - (along / long) ** 2 - (across / short) ** 2
        body = np.clip(depth * _log_uniform(random, 1, 20), 0, 1)
        image = image + (random.uniform(0.2, 1) * texture - image * random.choice([0, 1])) * body
    return image


@_register
def _leaves(random: Random, side: int) -> Array:
    """Overlapping shapes of all sizes, some with texture, with edges like those in photographs."""
    from skimage.draw import disk, polygon

    image = _clouds(random, side)
    textured = random.uniform(0, 0.7)
    textures = [_clouds(random, side), _stripes(random, side)]
    for _ in range(random.integers(30, 200)):
        size = min(side / 2, 3 * (1 - random.random()) ** -0.7)
        y, x = random.uniform(-size / 2, side + size / 2, 2)
        if _chance(random):
            shape = disk((y, x), size, shape=image.shape)
        else:
            angles = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 7)))
            shape = polygon(y + size * np.sin(angles), x + size * np.cos(angles), image.shape)
        image[shape] = random.random()
        if _chance(random, textured):
            image[shape] += random.uniform(0.05, 0.6) * (textures[random.integers(2)][shape] - 0.5)
    return image


@_register
def _stripes(random: Random, side: int) -> Array:
    """Slightly bent waves of one length, soft or hard, such as fabric, gratings or muscle."""
    angle, length = random.uniform(0, np.pi), _log_uniform(random, 3, 40)
    rows, columns = np.mgrid[:side, :side]
    bend = random.choice([0, 1, 3]) * (_cloud(random, side, 2.5) - 0.5)
    wave = np.sin(2 * np.pi * ((rows * np.sin(angle) + columns * np.cos(angle)) / length + bend))
    hard: Array = np.tanh(wave * _log_uniform(random, 0.3, 8))
    return hard if _chance(random) else hard * _cloud(random, side, 2)


@_register
def _marks(random: Random, side: int) -> Array:
    """Rows of small strokes on an uneven background, such as print, scale bars or wells."""
    image = 1 - random.uniform(0, 0.4) * _cloud(random, side, 2.5)
    height = int(_log_uniform(random, 4, 20))
    thick = max(1, height // int(random.integers(4, 9)))
    ink = random.uniform(0, 0.5)
    for top in range(int(random.integers(0, height)), side, int(height * random.uniform(1.4, 2.5))):
        left = int(random.integers(0, 4 * height))
        while left < side:
            for _ in range(random.integers(1, 4)):
                y, x = top + int(random.integers(0, height)), left + int(random.integers(0, height))
                if _chance(random):
                    image[top : top + height, x : x + thick] = ink
                else:
                    image[y : y + thick, left : left + height] = ink
            left += int(height * random.choice([1.1, 1.3, 2.5]))
    return image if _chance(random, 0.7) else 1 - image
