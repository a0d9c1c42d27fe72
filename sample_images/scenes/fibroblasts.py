"""A confocal-like z-stack of cells: DNA in one channel, a filament network in the other."""

import numpy as np

from scenes.optics import Grey16, Light, blur, camera, clouds, smoothstep

LAYERS = 9  # rendered layers, at half the distance of the imaged planes
PLANES = 5  # imaged planes


def stack(side: int, rng: np.random.Generator) -> Grey16:
    """Return two channels of five focal planes, with shape (2, 5, `side`, `side`)."""
    nuclei, filaments = np.zeros((2, LAYERS, side, side))
    cells = [(0.26, 0.3), (0.68, 0.24), (0.4, 0.72), (0.86, 0.64), (0.06, 0.86), (0.97, 0.03)]
    for index, (y, x) in enumerate(cells):
        centre = (2.5 + 1.1 * (index % 4), y * side, x * side)
        _add_nucleus(nuclei, centre, 0.125 * side * rng.normal(1, 0.08), rng)
        _add_filaments(filaments, centre, 0.115 * side, rng)
    channels = (900 * _focus(nuclei, 1.3) + 35, 1500 * _focus(filaments, 1.0) + 45)
    return np.stack([camera(light, rng, gain=1.6) for light in channels])


def _focus(volume: Light, min_sigma: float) -> Light:
    """Image every second layer; the other layers are blurred and dimmed with their distance from the focal plane."""
    depth = np.abs(np.arange(LAYERS)[None, :] - np.arange(0, LAYERS, 2)[:, None])
    planes = np.zeros((PLANES, *volume.shape[1:]))
    for distance in range(LAYERS):
        layers = [blur(layer, min_sigma + 1.15 * distance) / (1 + 0.35 * distance) for layer in volume]
        for plane, layer in zip(*np.nonzero(depth == distance), strict=True):
            planes[plane] += layers[layer]
    return planes


def _add_nucleus(volume: Light, centre: tuple[float, float, float], radius: float, rng: np.random.Generator) -> None:
    """Add an ellipsoid, 5 layers high, filled with chromatin whose texture changes slowly with depth."""
    side = volume.shape[1]
    z, y, x = np.ogrid[:LAYERS, :side, :side]
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(1.0, 1.35)
    v = ((y - centre[1]) * np.cos(turn) - (x - centre[2]) * np.sin(turn)) * np.sqrt(stretch)
    u = ((y - centre[1]) * np.sin(turn) + (x - centre[2]) * np.cos(turn)) / np.sqrt(stretch)
    inside = smoothstep(1.05, 0.9, np.sqrt((v**2 + u**2) / radius**2 + ((z - centre[0]) / 2.7) ** 2))
    textures = [clouds((side, side), rng, roughness=1.2, finest=5, coarsest=24) for _ in range(2)]
    for layer in range(LAYERS):
        phase = layer / (LAYERS - 1) * np.pi / 2
        texture = np.cos(phase) * textures[0] + np.sin(phase) * textures[1]
        volume[layer] += 0.3 * inside[layer] * np.exp(0.45 * texture) * smoothstep(-2.2, -0.8, texture)


def _add_filaments(volume: Light, centre: tuple[float, float, float], start: float, rng: np.random.Generator) -> None:
    """Add filaments that start at the border of the nucleus, run in random curves and sink towards the glass."""
    count, steps = 210, 170
    heading = rng.uniform(0, 2 * np.pi, count)
    lengths = rng.integers(60, steps, count) * (0.75 + 0.25 * np.cos(2 * heading + rng.uniform(0, 6)))
    y, x = centre[1] + start * np.sin(heading), centre[2] + start * np.cos(heading)
    heading += rng.normal(0, 0.7, count)
    z = centre[0] + rng.normal(0, 1.0, count)
    turning = np.zeros(count)
    for step in range(steps):
        turning = 0.93 * turning + rng.normal(0, 0.012, count)
        heading += turning
        y, x, z = y + 0.7 * np.sin(heading), x + 0.7 * np.cos(heading), z + (1.2 - z) * 0.012
        _splat(volume, z, y, x, np.where(step < lengths, 0.55, 0.0))


def _splat(volume: Light, z: Light, y: Light, x: Light, brightness: Light) -> None:
    """Add points to a volume; the brightness of each is distributed over the eight voxels around it."""
    corner = np.floor([z, y, x]).astype(int)
    fraction = np.array([z, y, x]) - corner
    for offset in np.ndindex(2, 2, 2):
        voxel = corner + np.array(offset)[:, None]
        weight = brightness * np.prod(np.where(np.array(offset)[:, None], fraction, 1 - fraction), axis=0)
        inside = np.all((voxel >= 0) & (voxel < np.array(volume.shape)[:, None]), axis=0)
        np.add.at(volume, tuple(voxel[:, inside]), weight[inside])
