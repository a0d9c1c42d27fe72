"""Images of cells under a known illumination."""

import numpy as np
from scipy.ndimage import gaussian_filter


def light(height, width):
    """Off-centre vignetting with a slope and a warp: from about 0.5 to 1.15, with a mean of 1."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    field = 1 - 0.2 * ((y - 0.15) ** 2 + (x + 0.25) ** 2) + 0.08 * x * y
    return field / field.mean()


def cells(rng, height, width, count):
    """Bright ellipses of random position and size on an even background of 1."""
    scene = np.full((height, width), 1.0)
    y, x = np.mgrid[:height, :width]
    for _ in range(rng.poisson(count)):
        middle, angle = rng.uniform((0, 0), (height, width)), rng.uniform(0, 3)
        axes = rng.uniform(0.02, 0.045, 2) * width
        along = (y - middle[0]) * np.cos(angle) + (x - middle[1]) * np.sin(angle)
        across = (x - middle[1]) * np.cos(angle) - (y - middle[0]) * np.sin(angle)
        scene += rng.uniform(1, 5) * ((along / axes[0]) ** 2 + (across / axes[1]) ** 2 < 1)
    return gaussian_filter(scene, 1.5)


def photograph(rng, scene, field, *, exposure=300.0, dark=0.0, noise=5.0):
    """A 16-bit camera image of a scene under an illumination, with shot noise, read noise and a dark level."""
    photons = rng.poisson(exposure * rng.uniform(0.8, 1.25) * scene * field)
    return np.rint(photons + dark + rng.normal(0, noise, scene.shape)).clip(0, 65535).astype(np.uint16)


def rms(found, true):
    """Root mean square of the relative error in per cent, independent of the scale."""
    return 100 * float(np.sqrt(np.mean((found / found.mean() * true.mean() / true - 1) ** 2)))


def stack(field, count, cover, seed=0, *, absorbing=False):
    """Small images of different scenes under one illumination; `cover` is the covered fraction of the area."""
    rng = np.random.default_rng(seed)
    scenes = [cells(rng, *field.shape, cover * 180) for _ in range(count)]
    if absorbing:
        scenes = [np.exp(-0.2 * (scene - 1)) for scene in scenes]
    return np.stack([photograph(rng, scene, field, exposure=20000) for scene in scenes]).astype(np.float32)
