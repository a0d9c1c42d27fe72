"""DAPI-stained cell nuclei under a wide-field fluorescence microscope."""

import numpy as np

from scenes.optics import Grey16, Light, blur, camera, clouds, smoothstep, vignette


def field(side: int, cells: int, radius: float, rng: np.random.Generator) -> Grey16:
    """Return a field of view of shape (`side`, `side`): nuclei with a radius of about `radius` pixels.

    The background is uneven. One cell in twelve is dividing: its chromosomes form one bright plate, or two.
    """
    dna = np.zeros((side, side))
    for index, centre in enumerate(_scatter(side, cells, 1.75 * radius, rng)):
        add_nucleus = _add_dividing if index % 12 == 7 else _add_resting  # noqa: PLR2004 - the eighth of each dozen
        add_nucleus(dna, centre, radius * rng.normal(1, 0.1), rng)
    sharp = blur(dna, 0.05 * radius)
    haze = blur(dna, 0.6 * radius)
    medium = 0.2 + 0.2 * smoothstep(-2, 2, clouds((side, side), rng, roughness=2.5))
    light = (0.82 * sharp + 0.18 * haze + 0.6 * medium) * vignette((side, side), 0.6, (0.42, 0.56))
    return camera(1500 * light + 30, rng)


def _scatter(side: int, count: int, gap: float, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Return centres at least `gap` pixels apart, with a density that varies slowly at random."""
    density = smoothstep(-1.5, 1.5, clouds((side, side), rng, roughness=2))
    centres: list[tuple[float, float]] = []
    for y, x, chance in rng.random((60 * count, 3)):
        free = all((y * side - v) ** 2 + (x * side - u) ** 2 > gap**2 for v, u in centres)
        if free and chance < density[int(y * side), int(x * side)]:
            centres.append((y * side, x * side))
        if len(centres) == count:
            break
    return centres


def _add_resting(dna: Light, centre: tuple[float, float], radius: float, rng: np.random.Generator) -> None:
    """Add a nucleus between divisions: a flat dome of clumpy chromatin with dark nucleoli and a denser rim."""
    window, y, x = _window(dna, centre, 1.7 * radius)
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(1.05, 1.4)
    v, u = _rotate(y, x, turn)
    angle = np.arctan2(v * stretch, u)
    wobble = 1 + sum(rng.normal(0, 0.035 / k) * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 4, 5))
    r = np.hypot(v * np.sqrt(stretch), u / np.sqrt(stretch)) / (radius * wobble)
    dome = np.sqrt(np.clip(1 - r**4, 0, 1)) * smoothstep(1.04, 0.94, r)
    texture = clouds((y.shape[0], x.shape[1]), rng, roughness=1.1, finest=0.16 * radius, coarsest=0.9 * radius)
    chromatin = np.exp(0.2 * texture) + 0.22 * np.exp(-(((r - 0.9) / 0.07) ** 2))
    for _ in range(rng.integers(2, 6)):
        distance, direction = 0.6 * radius * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
        spot = np.hypot(y - distance * np.sin(direction), x - distance * np.cos(direction))
        chromatin *= 1 - rng.uniform(0.4, 0.65) * smoothstep(0.24, 0.1, spot / radius)
    dna[window] += rng.uniform(0.55, 1.0) * (dome * chromatin)


def _add_dividing(dna: Light, centre: tuple[float, float], radius: float, rng: np.random.Generator) -> None:
    """Add condensed chromosomes: one plate (metaphase), or two parallel ones (anaphase)."""
    window, y, x = _window(dna, centre, 1.7 * radius)
    v, u = _rotate(y, x, rng.uniform(0, np.pi))
    bend = clouds((y.shape[0], x.shape[1]), rng, roughness=1.5, finest=0.15 * radius, coarsest=radius)
    apart = rng.choice([0.0, 0.42]) * radius
    for side in (-apart, apart) if apart else (0.0,):
        across = (v - side + np.sign(side) * 0.12 * u**2 / radius + 0.04 * radius * bend) / (0.23 * radius)
        along = (u + 0.05 * radius * bend) / (0.78 * radius)
        dna[window] += 1.5 * smoothstep(1.25, 0.5, np.hypot(across, along**2)) * np.exp(0.12 * bend)


def _window(plane: Light, centre: tuple[float, float], reach: float) -> tuple[tuple[slice, slice], Light, Light]:
    """Return the slices of `plane` within `reach` of `centre`, and the coordinates y and x relative to `centre`."""
    low = [max(int(c - reach), 0) for c in centre]
    high = [min(int(c + reach) + 1, length) for c, length in zip(centre, plane.shape, strict=True)]
    y = np.arange(low[0], high[0], dtype=float)[:, None] - centre[0]
    x = np.arange(low[1], high[1], dtype=float)[None, :] - centre[1]
    return (slice(low[0], high[0]), slice(low[1], high[1])), y, x


def _rotate(y: Light, x: Light, angle: float) -> tuple[Light, Light]:
    return y * np.cos(angle) - x * np.sin(angle), y * np.sin(angle) + x * np.cos(angle)
