"""Spiny pollen grains in a scanning electron microscope."""

import numpy as np
from numpy.typing import NDArray

from scenes.optics import Light, blur, clouds, smoothstep

SPINES = 130
GRAINS = [  # row, column, radius in pixels, height of the centre
    (112, 150, 84, 0),
    (206, 300, 96, -6),
    (74, 345, 62, -40),
    (262, 108, 58, -30),
    (300, 440, 66, -45),
    (25, 235, 50, -70),
]


def grains(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return overlapping grains on a slightly rough carbon film, as 8-bit grey levels; `shape` is about (330, 480)."""
    height = np.full((2 * shape[0], 2 * shape[1]), -150.0)
    height += 3 * clouds(height.shape, rng, roughness=2) + 0.6 * clouds(height.shape, rng, roughness=1)
    film = height.copy()
    surface = _grain()
    for row, column, radius, lift in GRAINS:
        _splat(height, surface @ _rotation(rng), (2 * row, 2 * column, 2 * lift), 2 * radius)
    grain = height > film + 1
    slope_y, slope_x = np.gradient(blur(height, 1.0))
    steepness = np.sqrt(1 + slope_y**2 + slope_x**2)
    edge_effect = 1 - np.exp(-0.32 * (steepness - 1))  # more electrons leave steep faces
    toward_detector = (0.55 * slope_y + 0.45 * slope_x) / steepness
    pits = np.clip((blur(height, 14) - height) / 70, -0.15, 0.75)  # and few leave hollows
    wall = 0.3 + 0.55 * edge_effect + 0.2 * toward_detector - 0.3 * pits
    light = np.where(grain, wall, 0.13 + 0.15 * toward_detector)
    shadow = 1 - 0.6 * smoothstep(5, 110, blur(np.where(grain, 200.0, 0.0), 16)) * ~grain
    signal = blur(light * np.where(grain, 1, shadow), 1.0).reshape(shape[0], 2, shape[1], 2).mean((1, 3))
    lines = 0.006 * rng.standard_normal((shape[0], 1))
    noisy = signal + lines + 0.03 * np.sqrt(np.clip(signal, 0.05, None)) * rng.standard_normal(shape)
    return np.rint(np.clip(noisy * 1.05, 0, 1) * 255).astype(np.uint8)


def _grain() -> Light:
    """Return points (N, 3) on the surface of a grain of radius 1: spines on a wall with small knobs."""
    from scipy.spatial import KDTree

    points = _spiral(600_000)
    spine, _ = KDTree(_spiral(SPINES)).query(points)
    knob, _ = KDTree(_spiral(2600)).query(points)
    base = 0.055 * smoothstep(0.16, 0.05, spine)
    tip = 0.15 * np.clip(1 - spine / 0.072, 0, 1) ** 0.9
    radius = 0.93 + base + tip + 0.01 * smoothstep(0.036, 0.008, knob) * (spine > 0.08)  # noqa: PLR2004 - beside the spines
    return points * radius[:, None]


def _splat(height: Light, surface: Light, centre: tuple[float, float, float], radius: float) -> None:
    """Raise `height` to the upper half of a grain's `surface`; a closing fills gaps between points on steep flanks."""
    from scipy.ndimage import grey_closing

    row, column, lift = (surface[surface[:, 2] > -0.15] * radius + centre).T  # noqa: PLR2004 - lower points are hidden
    row, column = np.rint(row).astype(int), np.rint(column).astype(int)
    inside = (row >= 0) & (row < height.shape[0]) & (column >= 0) & (column < height.shape[1])
    grain_height = np.full(height.shape, height.min())
    np.maximum.at(grain_height, (row[inside], column[inside]), lift[inside])
    np.maximum(height, grey_closing(grain_height, 5), out=height)


def _spiral(count: int) -> Light:
    """Return directions of shape (`count`, 3), spread evenly over the sphere along a golden spiral."""
    z = 1 - (2 * np.arange(count) + 1) / count
    angle = np.arange(count) * np.pi * (3 - np.sqrt(5))
    return np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], axis=1)


def _rotation(rng: np.random.Generator) -> Light:
    matrix, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    return matrix
