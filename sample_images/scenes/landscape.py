"""A mountain lake at sunrise, in linear light and the colour space Display P3."""

import numpy as np

from scenes.optics import Light, blur, clouds, mix, smoothstep, vignette

SKY_TOP, SKY_LOW, GLOW = (0.04, 0.15, 0.42), (0.62, 0.44, 0.42), (1.0, 0.52, 0.16)
SUN = (0.318, 0.685)  # fractions of height and width
SHORE = 0.615  # upper edge of the lake, as a fraction of the height
RIDGES = [  # top and ruggedness (fractions of the height), haze (0 to 1), colour without haze
    (0.335, 0.085, 0.62, (0.12, 0.13, 0.20)),
    (0.415, 0.062, 0.42, (0.07, 0.09, 0.13)),
    (0.485, 0.045, 0.22, (0.03, 0.055, 0.055)),
    (0.555, 0.026, 0.08, (0.012, 0.03, 0.02)),
]


def view(height: int, width: int, rng: np.random.Generator) -> Light:
    """Return the upright scene of shape (`height`, `width`, 3), where 1 is white; `width` is about 2/3 of `height`."""
    scene = _sky(height, width, rng)
    for index, ridge in enumerate(RIDGES):
        scene = _add_ridge(scene, *ridge, rng, trees=index >= 2)  # noqa: PLR2004 - the two nearest ridges have trees
    scene = _add_lake(scene, rng)
    scene = _add_mist(scene, rng)
    scene = _add_pines(scene, rng)
    flare = np.array(GLOW) * 0.16 * np.exp(-_distance_to_sun(height, width) / 0.22)[..., None]
    return blur(1.2 * (scene + flare) * vignette((height, width), 0.5)[..., None], 0.6)


def _grid(height: int, width: int) -> tuple[Light, Light]:
    """Return the coordinates y and x of the pixels, both in fractions of the height."""
    return np.arange(height)[:, None] / height, np.arange(width)[None, :] / height


def _distance_to_sun(height: int, width: int) -> Light:
    y, x = _grid(height, width)
    return np.hypot(y - SUN[0], x - SUN[1] * width / height)


def _sky(height: int, width: int, rng: np.random.Generator) -> Light:
    """Return a sky that is blue at the top and warm around the sun, with flat banks of cloud lit from below."""
    y, _ = _grid(height, width)
    sky = mix(SKY_TOP, SKY_LOW, smoothstep(0.02, 0.5, y) ** 1.2 + np.zeros((height, width)))
    sun = _distance_to_sun(height, width)
    glow = 2.5 * smoothstep(0.02, 0.016, sun) + 0.9 * np.exp(-sun / 0.08) + 0.35 * np.exp(-sun / 0.3)
    sky += np.array(GLOW) * glow[..., None]
    flat = clouds((5 * height, width), rng, roughness=1.75)[::5]
    banks = smoothstep(-0.1, 2.0, flat + 0.5 * np.cos(y * 19)) * smoothstep(0.5, 0.28, y)
    lit = mix((0.34, 0.3, 0.38), (1.15, 0.66, 0.4), np.exp(-sun / 0.33))
    return mix(sky, lit, 0.85 * banks)


def _add_ridge(
    scene: Light, top: float, rugged: float, haze: float, colour: tuple[float, float, float],
    rng: np.random.Generator, *, trees: bool,
) -> Light:  # fmt: skip
    """Add a mountain range, lit from the sun's side and veiled by the air in front of it."""
    height, width = scene.shape[:2]
    y, _ = _grid(height, width)
    profile = clouds((8, 2 * width), rng, roughness=1.35)[0, :width]
    crest = top - rugged * (profile - 0.4 * np.abs(np.roll(profile, 9)))
    if trees:
        crest = crest - _treetops(width, 0.012 * (1 - haze), rng)
    inside = smoothstep(-0.7 / height, 0.7 / height, y - crest)
    rock = clouds((height, width), rng, roughness=1.25, finest=2) * (0.3 - 0.2 * trees)
    sunlit = smoothstep(-0.4, 1.6, np.gradient(blur(rock, 1), axis=1) * 14 + rock) * (1 - trees)
    ground = np.array(colour) * np.exp(0.7 * rock)[..., None] + np.array(GLOW) * 0.1 * sunlit[..., None]
    sun = _distance_to_sun(height, width)
    air = mix((0.30, 0.31, 0.42), (0.95, 0.55, 0.3), np.exp(-sun / 0.17))
    deep = np.clip((y - crest) / 0.16, 0, 1)
    return mix(scene, mix(ground, air, haze * (0.66 + 0.34 * deep)), inside)


def _treetops(width: int, size: float, rng: np.random.Generator) -> Light:
    """Return the outline of a forest: for each column the height of the trees, as a fraction of the image's height."""
    outline = np.zeros(width)
    x = np.arange(width)
    for centre in rng.uniform(0, width, width // 4):
        tree_height = size * rng.uniform(0.4, 1.3)
        cone = tree_height * (1 - np.abs(x - centre) / (420 * tree_height))
        outline = np.maximum(outline, cone)
    return outline


def _add_lake(scene: Light, rng: np.random.Generator) -> Light:
    """Reflect the scene above the shore in rippled water, which is darker towards the viewer."""
    from scipy.ndimage import map_coordinates

    height, width = scene.shape[:2]
    shore = int(SHORE * height)
    rows, columns = np.mgrid[shore:height, :width].astype(float)
    near = (rows - shore) / (height - shore)
    waves = clouds((512, 512), rng, roughness=1.1, finest=5)
    in_perspective = 240 * np.log(near + 0.03), 0.22 * (columns - width / 2) / (near + 0.25)
    swell = map_coordinates(waves, in_perspective, order=1, mode="grid-wrap")
    up = 2 * shore - rows - 3 + swell * (2 + 26 * near)
    places = np.clip(up, 0, shore - 2), columns + swell * 3 * near
    samples = [map_coordinates(sample, places, order=1, mode="nearest") for sample in np.moveaxis(scene, 2, 0)]
    tint = mix((0.80, 0.84, 0.88), (0.34, 0.44, 0.5), near)
    lake = np.stack(samples, axis=2) * tint + np.array([0.003, 0.009, 0.014])
    return np.concatenate([scene[:shore], lake])


def _add_mist(scene: Light, rng: np.random.Generator) -> Light:
    """Add a bank of mist over the shore."""
    height, width = scene.shape[:2]
    y, _ = _grid(height, width)
    drifts = clouds((4 * height, width), rng, roughness=1.8)[::4]
    share = np.exp(-(((y - SHORE + 0.008) / 0.022) ** 2)) * smoothstep(-1.6, 2.2, drifts)
    warm = mix((0.42, 0.42, 0.5), (1.0, 0.62, 0.38), np.exp(-_distance_to_sun(height, width) / 0.25))
    return mix(scene, warm, 0.75 * share)


def _add_pines(scene: Light, rng: np.random.Generator) -> Light:
    """Add dark pines on a bank in the foreground, with rims lit by the sun behind them."""
    height, width = scene.shape[:2]
    y, x = _grid(height, width)
    bank = 0.935 - 0.05 * np.exp(-((x / 0.22) ** 2)) + 0.006 * clouds((8, 2 * width), rng, roughness=1.1)[0, :width]
    grass = bank - _treetops(width, 0.014, rng)
    dark = smoothstep(-1 / height, 1 / height, y - grass)
    for position, tree_height in (
        (0.035, 0.46),
        (0.125, 0.60),
        (0.185, 0.37),
        (0.245, 0.22),
        (0.645, 0.17),
        (0.60, 0.11),
    ):
        foot = float(np.interp(position, x[0], bank[0])) + 0.02
        dark = np.maximum(dark, _pine(y, x, (foot, position), tree_height, rng))
    rim = np.clip(dark - np.roll(dark, -1, axis=1), 0, 1) * np.exp(-_distance_to_sun(height, width) / 0.3)
    moss = clouds((height, width), rng, roughness=0.8, finest=2)
    needles = np.array([0.004, 0.009, 0.007]) * np.exp(0.5 * moss)[..., None] + np.array(GLOW) * 0.2 * rim[..., None]
    return mix(scene, needles, dark)


def _pine(y: Light, x: Light, foot: tuple[float, float], tree_height: float, rng: np.random.Generator) -> Light:
    """Return the fraction of each pixel that a tree covers: a tapering trunk, with branches that shorten to the top."""
    trunk = 0.012 * np.clip((y - foot[0]) + tree_height, 0, tree_height)
    covered = smoothstep(1.2, 0.8, np.abs(x - foot[1]) / (trunk + 3e-4)) * (y < foot[0]) * (y > foot[0] - tree_height)
    for level in np.linspace(0.1, 0.99, int(40 + 70 * tree_height)):
        root = foot[0] - (level + rng.normal(0, 0.006)) * tree_height
        for side in (-1, 1):
            length = 0.2 * tree_height * (1.02 - level) ** 0.8 * rng.uniform(0.55, 1.15)
            rows = slice(*np.searchsorted(y[:, 0], (root - 0.2 * length, root + 0.6 * length)))
            branch = _branch(y[rows] - root, side * (x - foot[1]) / length, length, rng)
            covered[rows] = np.maximum(covered[rows], branch)
    return covered


def _branch(down: Light, out: Light, length: float, rng: np.random.Generator) -> Light:
    """Return the fraction of each pixel that a branch covers.

    Coordinates relative to its root are `down`, in heights of the image, and `out` along the branch, in its length.
    """
    reach = np.clip(out, 0, 1)
    sag = length * (0.5 * reach - 0.22 * reach**3)
    teeth = 0.5 + 0.5 * np.abs(np.sin(reach * rng.uniform(9, 15) + rng.uniform(0, 6)))
    thick = length * 0.16 * (1 - reach) ** 0.6 * teeth
    return smoothstep(1.2, 0.7, np.abs(down - sag) / (thick + 1e-4)) * (out > 0) * (out < 1)
