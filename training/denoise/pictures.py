"""Pictures that the denoiser learns from and is measured on: structures of many scales, and camera noise.

Needs numpy, SciPy and scikit-image alone. Every picture follows from its seed.
"""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
Random = np.random.Generator
SCENES: dict[str, Callable[[Random, int], Array]] = {}

HELD_OUT = 1_000_000
"""Seeds from here on are for measuring; training takes those below. The first were looked at between trainings."""

UNTOUCHED = 2_000_000
"""Seeds from here on were not: the card's figures are of these."""

FAINTEST, STRONGEST = 0.008, 0.6
"""Standard deviations of the noise in training, as parts of a picture's range."""


def clean_picture(seed: int, side: int = 256) -> Array:
    """Draw a picture without noise.

    Parameters
    ----------
    seed
        Decides everything.
    side
        Height and width in pixels.

    Returns
    -------
    ndarray of float32, shape (side, side)
        From 0 to 1.
    """
    random = np.random.default_rng(seed)
    layers = [_layer(random, side) for _ in range(random.choice([1, 1, 2]))]
    picture = layers[0]
    for layer in layers[1:]:
        picture = picture * (0.3 + layer) if _chance(random) else picture + random.uniform(0.2, 1) * layer
    picture = _blurred(picture, random.choice([0, 0.5, 0.8, 1.2, 2.0]))
    return np.asarray(_unit(picture) ** random.choice([0.6, 1, 1, 1.8]), np.float32)


def noisy_picture(clean: Array, noise: float, shot: float, seed: int) -> Array:
    """Add the noise of a camera: that of counting photons, and that of reading them out.

    Parameters
    ----------
    clean
        Light, 0 or more.
    noise
        Standard deviation of all noise where the light is as bright as the mean of `clean`, in its units.
    shot
        Which part of the variance there is counting (Poisson) noise, 0–1; the rest is the same everywhere.
    seed
        Decides everything.

    Returns
    -------
    ndarray of float32
        Neither rounded nor clipped: below 0 where the read-out noise leads there.
    """
    random = np.random.default_rng(seed)
    result = clean + random.normal(0, noise * np.sqrt(1 - shot), clean.shape)
    if shot > 0:
        photons = max(float(clean.mean()), 1e-3) / (shot * noise**2)
        result += random.poisson(clean * photons) / photons - clean
    return result.astype(np.float32)


def _scene(draw: Callable[[Random, int], Array]) -> Callable[[Random, int], Array]:
    SCENES[draw.__name__.strip("_")] = draw
    return draw


def _layer(random: Random, side: int) -> Array:
    return _unit(SCENES[random.choice([*SCENES, "leaves", "leaves"])](random, side))


def _unit(picture: Array) -> Array:
    low, high = picture.min(), picture.max()
    return np.asarray((picture - low) / max(high - low, 1e-6))


def _blurred(picture: Array, sigma: float) -> Array:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(picture, sigma, mode="reflect")) if sigma else picture


def _log_uniform(random: Random, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _chance(random: Random, probability: float = 0.5) -> bool:
    return bool(random.random() < probability)


def _cloud(random: Random, side: int, slope: float) -> Array:
    """Noise whose amplitude falls with frequency to the power `slope`."""
    rows, columns = np.fft.fftfreq(side), np.fft.rfftfreq(side)
    squeeze = _log_uniform(random, 0.6, 1.6)
    frequency = np.hypot(rows[:, None] * squeeze, columns[None, :] / squeeze)
    frequency[0, 0] = np.inf
    return _unit(np.fft.irfft2(np.fft.rfft2(random.normal(size=(side, side))) * frequency**-slope, (side, side)))


@_scene
def _clouds(random: Random, side: int) -> Array:
    """From rough texture to smooth shading."""
    return _cloud(random, side, random.uniform(0.9, 3))


@_scene
def _filaments(random: Random, side: int) -> Array:
    """Curved threads of one width each, crossing: a cytoskeleton, vessels."""
    from skimage.draw import line

    picture: Array = np.zeros((side, side))
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
        picture += random.uniform(0.3, 1) * _unit(_blurred(threads, random.choice([0, 0.7, 1, 1.5, 2.5])))
    return picture


@_scene
def _spots(random: Random, side: int) -> Array:
    """Points spread by a lens, of one size and all brightnesses: stars, single molecules, vesicles."""
    points: Array = np.zeros((side, side))
    count = int(_log_uniform(random, 10, side * side / 60))
    points[tuple(random.integers(0, side, (2, count)))] = random.pareto(2.5, count) + 0.1
    sharp = _blurred(np.minimum(points, 8), _log_uniform(random, 0.6, 4))
    return sharp + float(random.choice([0, 0.5]) * sharp.max()) * _cloud(random, side, 2)


@_scene
def _cells(random: Random, side: int) -> Array:
    """Round bodies with an uneven inside on a dim ground: nuclei, cells."""
    rows, columns = np.mgrid[:side, :side]
    picture: Array = float(random.choice([0, 0.15])) * _cloud(random, side, 2.5)
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
        picture = picture + (random.uniform(0.2, 1) * texture - picture * random.choice([0, 1])) * body
    return picture


@_scene
def _leaves(random: Random, side: int) -> Array:
    """Shapes of all sizes lying over each other, some with texture: what edges in photographs are like."""
    from skimage.draw import disk, polygon

    picture = _clouds(random, side)
    textured = random.uniform(0, 0.7)
    textures = [_clouds(random, side), _stripes(random, side)]
    for _ in range(random.integers(30, 200)):
        size = min(side / 2, 3 * (1 - random.random()) ** -0.7)
        y, x = random.uniform(-size / 2, side + size / 2, 2)
        if _chance(random):
            shape = disk((y, x), size, shape=picture.shape)
        else:
            angles = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 7)))
            shape = polygon(y + size * np.sin(angles), x + size * np.cos(angles), picture.shape)
        picture[shape] = random.random()
        if _chance(random, textured):
            picture[shape] += random.uniform(0.05, 0.6) * (textures[random.integers(2)][shape] - 0.5)
    return picture


@_scene
def _stripes(random: Random, side: int) -> Array:
    """Waves of one length, soft or hard, bent a little: fabric, gratings, muscle."""
    angle, length = random.uniform(0, np.pi), _log_uniform(random, 3, 40)
    rows, columns = np.mgrid[:side, :side]
    bend = random.choice([0, 1, 3]) * (_cloud(random, side, 2.5) - 0.5)
    wave = np.sin(2 * np.pi * ((rows * np.sin(angle) + columns * np.cos(angle)) / length + bend))
    hard: Array = np.tanh(wave * _log_uniform(random, 0.3, 8))
    return hard if _chance(random) else hard * _cloud(random, side, 2)


@_scene
def _marks(random: Random, side: int) -> Array:
    """Small upright strokes and boxes in rows on an uneven sheet: print, scale bars, grids of wells."""
    picture = 1 - random.uniform(0, 0.4) * _cloud(random, side, 2.5)
    height = int(_log_uniform(random, 4, 20))
    thick = max(1, height // int(random.integers(4, 9)))
    ink = random.uniform(0, 0.5)
    for top in range(int(random.integers(0, height)), side, int(height * random.uniform(1.4, 2.5))):
        left = int(random.integers(0, 4 * height))
        while left < side:
            for _ in range(random.integers(1, 4)):
                y, x = top + int(random.integers(0, height)), left + int(random.integers(0, height))
                if _chance(random):
                    picture[top : top + height, x : x + thick] = ink
                else:
                    picture[y : y + thick, left : left + height] = ink
            left += int(height * random.choice([1.1, 1.3, 2.5]))
    return picture if _chance(random, 0.7) else 1 - picture
