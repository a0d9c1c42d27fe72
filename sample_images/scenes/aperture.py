"""An icon: the blades of an aperture on a rounded tile that casts a soft shadow."""

import numpy as np
from numpy.typing import NDArray

from scenes.optics import Light, blur, mix, smoothstep

HIDDEN_COLOUR = (255, 0, 255)  # magenta under transparent pixels, which shows if a filter lets colours bleed
BLADES = 7


def icon(side: int) -> NDArray[np.uint8]:
    """Return the icon in 8 bits, with straight alpha and shape (`side`, `side`, 4)."""
    size = 4 * side
    y, x = (np.mgrid[:size, :size] + 0.5) / size - 0.5
    corner = np.hypot(np.maximum(np.abs(x) - 0.25, 0), np.maximum(np.abs(y + 0.02) - 0.25, 0))
    tile = smoothstep(0.151, 0.149, corner)
    lowered = np.roll(blur(tile, 0.028 * size), int(0.03 * size), axis=0)
    shadow = 0.55 * lowered * smoothstep(0.65, 0.6, np.hypot(x, y))
    colour = mix((0.16, 0.50, 0.86), (0.24, 0.13, 0.52), smoothstep(-0.45, 0.45, y + 0.45 * x))
    colour = mix(colour, (1.0, 1.0, 1.0), 0.18 * smoothstep(0.12, -0.42, y) * tile)
    colour = _add_blades(colour, x, y + 0.02)
    alpha = tile + (1 - tile) * shadow
    colour = mix((0.03, 0.03, 0.10), colour, tile)
    premultiplied = np.concatenate([colour * alpha[..., None], alpha[..., None]], axis=2)
    small = premultiplied.reshape(side, 4, side, 4, 4).mean((1, 3))
    return _straight(small)


def _add_blades(colour: Light, x: Light, y: Light) -> Light:
    """Add the blades around a hole; each is shaded along its edge as if it lay on the next one."""
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    ring = smoothstep(0.303, 0.299, r)
    turn = 0.3 + 2 * np.pi * np.arange(BLADES)[:, None, None] / BLADES
    beyond = x * np.cos(turn) + y * np.sin(turn) - 0.115
    hole = smoothstep(0.002, -0.002, beyond.max(axis=0))
    on_top = (beyond > 0) & (np.roll(beyond, -1, axis=0) <= 0)
    tone = 0.95 - 0.45 * np.exp(-np.maximum(beyond, 0) / 0.03) + 0.05 * np.cos(2 * angle + 1.2)
    metal = (on_top * tone).sum(axis=0)
    steel = metal[..., None] * np.array([0.93, 0.96, 1.0])
    shaded = mix(colour, colour * 0.45, smoothstep(0.345, 0.30, r) * 0.8)
    bladed = mix(shaded, steel, ring)
    glass = mix((0.05, 0.07, 0.20), (0.45, 0.85, 1.0), smoothstep(0.16, -0.02, np.hypot(x + 0.04, y + 0.05)) ** 2)
    return mix(bladed, glass, hole * ring)


def _straight(premultiplied: Light) -> NDArray[np.uint8]:
    """Convert premultiplied to straight alpha, with `HIDDEN_COLOUR` in fully transparent pixels."""
    alpha = np.rint(premultiplied[..., 3] * 255)
    visible = alpha > 0
    colour = np.full((*alpha.shape, 3), HIDDEN_COLOUR, float)
    colour[visible] = premultiplied[visible, :3] / premultiplied[visible, 3:] * 255
    return np.concatenate([np.rint(np.clip(colour, 0, 255)), alpha[..., None]], axis=2).astype(np.uint8)
