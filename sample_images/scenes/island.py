"""A shaded relief map of an island in a palette of 58 colours."""

import numpy as np
from numpy.typing import NDArray

from scenes.optics import blur, clouds, smoothstep

SHADES = np.array([0.62, 0.76, 0.88, 1.0, 1.09])
LAND = np.array([
    (214, 203, 160), (158, 186, 124), (128, 168, 106), (166, 182, 114), (204, 194, 130),
    (203, 170, 112), (182, 142, 98), (160, 122, 96), (188, 170, 158), (226, 222, 220),
])  # fmt: skip
SEA = np.array([
    (58, 104, 150), (70, 119, 164), (84, 135, 178), (103, 153, 191), (128, 174, 205), (163, 202, 220), (203, 226, 231),
])  # fmt: skip
INK = np.array([(74, 66, 58)])


def relief(height: int, width: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return palette indices of shape (`height`, `width`) and the palette of shape (58, 3), both in 8 bits.

    The sea is coloured by depth, the land by height and by its slope towards the light; the coast is a dark line.
    """
    y, x = np.mgrid[:height, :width]
    middle = np.hypot((y / height - 0.52) * 1.15, (x / width - 0.48) * 0.95)
    ground = clouds((2 * height, 2 * width), rng, roughness=1.95)[:height, :width]
    level = 0.78 - 2.6 * middle + 0.30 * ground + 0.12 * np.abs(ground) ** 1.3
    slope_y, slope_x = np.gradient(blur(level, 0.6))
    light = 1 + 11 * (slope_y + slope_x)
    shade = np.digitize(light, [0.72, 0.88, 1.02, 1.24])
    step = np.clip((level * 8.5).astype(int), 0, len(LAND) - 1)
    depth = np.clip(((smoothstep(-1.1, 0.0, level) ** 1.4) * len(SEA)).astype(int), 0, len(SEA) - 1)
    index = np.where(level > 0, len(SEA) + step * len(SHADES) + shade, depth)
    land = level > 0
    coast = land & ~(np.roll(land, 1, 0) & np.roll(land, -1, 0) & np.roll(land, 1, 1) & np.roll(land, -1, 1))
    index[coast] = len(SEA) + len(LAND) * len(SHADES)
    tints = np.clip(LAND[:, None, :] * SHADES[None, :, None], 0, 255).reshape(-1, 3)
    return index.astype(np.uint8), np.rint(np.concatenate([SEA, tints, INK])).astype(np.uint8)
