"""A stained section of gland tissue (haematoxylin and eosin) in transmitted light, as a slide scanner sees it."""

import numpy as np
from numpy.typing import NDArray

from scenes.optics import Light, blur, clouds, smoothstep

# Optical density of the two dyes in red, green and blue (Ruifrok and Johnston 2001, normalized).
HAEMATOXYLIN = np.array([0.65, 0.70, 0.29])
EOSIN = np.array([0.10, 0.95, 0.25])


def section(side: int, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Return cross sections of glands with fibres between them, as 16-bit RGB of shape (`side`, `side`, 3)."""
    y, x = np.mgrid[:side, :side].astype(float)
    warp = 7 * np.array([clouds((side, side), rng, roughness=2, finest=12) for _ in range(2)])
    glands = [(0.3, 0.33, 0.25), (0.8, 0.7, 0.24), (0.88, 0.08, 0.2), (0.17, 0.93, 0.22), (0.44, 0.84, 0.12)]
    blue, pink = _stroma(y, x, side, rng)
    for centre_y, centre_x, radius in glands:
        v, u = (y + warp[0]) / side - centre_y, (x + warp[1]) / side - centre_x
        r = np.hypot(v * 1.08, u) / radius
        wall = smoothstep(1.03, 0.98, r)
        lumen = smoothstep(0.47, 0.41, r + 0.02 * clouds((side, side), rng, roughness=0.8, finest=5))
        cells = (0.26 + 0.05 * clouds((side, side), rng, roughness=1, finest=3)) * (1 - lumen)
        brush = 0.28 * np.exp(-(((r - 0.49) / 0.035) ** 2))
        pink = pink * (1 - wall) + wall * (cells + brush)
        blue = blue * (1 - wall) + wall * 0.1 * (1 - lumen)
        blue += wall * _ring_of_nuclei(y + warp[0], x + warp[1], (centre_y * side, centre_x * side), radius * side, rng)
    density = blur(blue, 0.8)[..., None] * HAEMATOXYLIN + blur(pink, 0.8)[..., None] * EOSIN
    lamp = np.array([0.9, 0.885, 0.86]) * (0.985 + 0.015 * clouds((side, side), rng, roughness=2.5)[..., None] / 2)
    light = lamp * 10 ** -np.clip(density, 0, None)
    noisy = light + 0.0045 * np.sqrt(light) * rng.standard_normal(light.shape)
    encoded = np.clip(noisy, 0, 1) ** (1 / 2.2)
    return np.rint(encoded * 65535).astype(np.uint16)


def _stroma(y: Light, x: Light, side: int, rng: np.random.Generator) -> tuple[Light, Light]:
    """Return the amounts of blue and pink dye in connective tissue: wavy fibres, clefts and spindle-shaped nuclei."""
    drift = 24 * clouds((side, side), rng, roughness=2.4, finest=30)
    along, across = x * 0.8 - y * 0.6, x * 0.6 + y * 0.8 + drift
    noise = clouds((64, 1024), rng, roughness=0.9, finest=3)
    fibres = _sample(noise, along / 22, across * 1.6)
    pink = 0.3 + 0.09 * fibres - 0.24 * smoothstep(1.1, 1.9, -fibres)
    blue = np.full((side, side), 0.02)
    for centre_y, centre_x, size in rng.random((55, 3)):
        row, column = int(centre_y * side), int(centre_x * side)
        length, width = 6 + 5 * size, 1.7 + 0.9 * size
        a, c = along - along[row, column], across - across[row, column]
        blue += 0.6 * smoothstep(1.15, 0.8, np.hypot(a / length, c / width))
    return np.clip(blue, 0, 0.85), pink


def _sample(texture: Light, row: Light, column: Light) -> Light:
    """Interpolate a periodic texture linearly at fractional positions."""
    from scipy.ndimage import map_coordinates

    values: Light = map_coordinates(texture, (row, column), order=1, mode="grid-wrap")
    return values


def _ring_of_nuclei(y: Light, x: Light, centre: tuple[float, float], radius: float, rng: np.random.Generator) -> Light:
    """Return the amount of blue dye in a layer of oval nuclei along the outer border of a gland."""
    blue = np.zeros(y.shape)
    count = int(2 * np.pi * 0.82 * radius / 9.5)
    for angle in (np.arange(count) + rng.uniform(-0.22, 0.22, count)) * 2 * np.pi / count:
        distance = radius * rng.normal(0.81, 0.035)
        v, u = y - centre[0] - distance * np.sin(angle), x - centre[1] - distance * np.cos(angle)
        outward, sideways = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
        r = np.hypot(outward / rng.normal(6.6, 0.7), sideways / rng.normal(4.1, 0.35))
        grain = 1 + 0.25 * np.cos(outward * 1.3 + angle * 9) * np.cos(sideways * 1.5 + angle * 5)
        blue = np.maximum(blue, rng.uniform(0.5, 0.72) * smoothstep(1.12, 0.86, r) * grain * (0.85 + 0.25 * r))
    return blue
