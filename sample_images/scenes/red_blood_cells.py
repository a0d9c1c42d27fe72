"""The phase of red blood cells, as a digital holographic microscope measures it."""

import numpy as np
from numpy.typing import NDArray

from scenes.optics import Light, blur, clouds

RADIANS_PER_UM = (
    2 * np.pi / 0.532 * 0.06
)  # green laser of 0.532 µm; difference of the refractive indices of haemoglobin and plasma


def phase(side: int, pixel_size: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the phase in radians: up to 1.8 in the cells, about 0 beside them, negative where the background drifts.

    Parameters
    ----------
    side
        Number of pixels along Y and X.
    pixel_size
        In µm; a cell is 7.8 µm wide.
    """
    thickness = np.zeros((side, side))
    centres: list[tuple[float, float]] = []
    for y, x in rng.uniform(-0.02, 1.02, (900, 2)) * side:
        if all(np.hypot(y - v, x - u) > 8.0 / pixel_size for v, u in centres):
            centres.append((y, x))
            _add_cell(thickness, (y, x), pixel_size, rng)
        if len(centres) == 22:  # noqa: PLR2004 - cells
            break
    y, x = np.mgrid[:side, :side] / side
    drift = 0.1 * (x - 0.5) - 0.07 * (y - 0.5) + 0.045 * clouds((side, side), rng, roughness=2.5)
    rings = (
        0.012 * np.cos(np.hypot(y - 0.31, x - 0.77) ** 2 * 900) * np.exp(-((np.hypot(y - 0.31, x - 0.77) / 0.14) ** 2))
    )
    speckle = 0.02 * clouds((side, side), rng, roughness=0.6, finest=3) + 0.008 * rng.standard_normal((side, side))
    return (blur(thickness, 1.1) * RADIANS_PER_UM + drift + rings + speckle).astype(np.float32)


def _add_cell(thickness: Light, centre: tuple[float, float], pixel_size: float, rng: np.random.Generator) -> None:
    """Add a biconcave disc (Evans and Fung 1972), slightly elliptic and tilted; one in five is a stomatocyte."""
    y, x = np.ogrid[: thickness.shape[0], : thickness.shape[1]]
    y, x = (y - centre[0]) * pixel_size, (x - centre[1]) * pixel_size
    angle = np.arctan2(y, x)
    radius = 3.9 * rng.normal(1, 0.045) * (1 + rng.normal(0, 0.035) * np.cos(2 * angle + rng.uniform(0, 6)))
    tilt = rng.normal(0, 0.12, 2)
    squared = np.clip((y**2 + x**2) / radius**2, 0, 1)
    dimple = rng.uniform(0.6, 1.1) if rng.random() < 0.8 else 0.12  # noqa: PLR2004 - four of five
    profile = 0.81 * (2 - dimple) + (7.83 * squared - 4.39 * squared**2) * (0.35 + 0.65 * dimple)
    thickness += np.sqrt(1 - squared) * profile * (1 + tilt[0] * y / radius + tilt[1] * x / radius)
