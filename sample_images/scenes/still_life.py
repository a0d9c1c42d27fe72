"""Two oranges, a plum and a glazed ball on a wooden table beside a window: a small ray tracer."""

from dataclasses import dataclass

import numpy as np

from scenes.optics import Light, blur, clouds, mix, smoothstep, vignette

WINDOW = np.array([-0.62, 0.66, -0.42]) / np.sqrt(
    0.9964
)  # direction of the light: left, up, slightly towards the viewer
SKYLIGHT, WARM = np.array([0.32, 0.36, 0.44]), np.array([1.0, 0.86, 0.66])


@dataclass(frozen=True)
class Ball:
    """A fruit or glazed ball on the table.

    Attributes
    ----------
    position
        Position on the table along X and Z, in cm.
    radius
        In cm.
    colour
        Linear RGB, 0 to 1.
    dimples, gloss
        Depth of the pores and strength of the reflections, 0 to 1.
    stalk
        Direction of the stalk; None without one.
    """

    position: tuple[float, float]
    radius: float
    colour: tuple[float, float, float]
    dimples: float
    gloss: float
    stalk: tuple[float, float, float] | None = None

    @property
    def centre(self) -> Light:
        """Position in cm: X to the right, Y up from the table, Z away from the viewer."""
        return np.array([self.position[0], self.radius, self.position[1]])


BALLS = (
    Ball((-2.6, 2.0), 3.7, (0.86, 0.235, 0.004), 0.045, 0.16, (0.42, 0.66, -0.62)),
    Ball((4.3, 4.4), 3.5, (0.82, 0.27, 0.008), 0.045, 0.16),
    Ball((2.5, -2.9), 2.1, (0.085, 0.012, 0.045), 0.004, 0.3),
    Ball((-3.9, -4.3), 1.15, (0.02, 0.2, 0.26), 0.0, 1.0),
)


def view(height: int, width: int, rng: np.random.Generator) -> Light:
    """Return the scene in linear light, where 1 is white, with shape (`height`, `width`, 3).

    The far end of the table and the wall are out of focus.
    """
    eye = np.array([0.3, 7.2, -21.0])
    rays = _rays(2 * height, 2 * width)
    scene = _wall(rays)
    table = -eye[1] / np.minimum(rays[..., 1], -1e-6)
    wood = _table(eye + table[..., None] * rays, rng)
    far = smoothstep(17, 21, (eye + table[..., None] * rays)[..., 2])
    falling = rays[..., 1] < 0
    scene = mix(wood, scene, np.where(falling, far, 1.0))
    scene = mix(scene, blur(scene, 7), np.where(falling, smoothstep(2, 16, table - 21), 1.0))
    for ball in sorted(BALLS, key=lambda ball: -ball.position[1]):
        scene = _add_ball(scene, ball, eye, rays, rng)
    halved = scene.reshape(height, 2, width, 2, 3).mean((1, 3))
    return 1.35 * blur(halved, 0.45) * vignette((height, width), 0.55)[..., None]


def _rays(height: int, width: int) -> Light:
    """Return the unit direction through each pixel, from an eye that looks slightly down."""
    x = (np.arange(width)[None, :] - width / 2 + 0.5) / width
    y = (height / 2 - 0.5 - np.arange(height)[:, None]) / width
    down = 0.21
    direction = np.stack(np.broadcast_arrays(x, y - 1.35 * np.sin(down), 1.35 * np.cos(down) + 0 * x), axis=2)
    return direction / np.linalg.norm(direction, axis=2, keepdims=True)


def _wall(rays: Light) -> Light:
    """Return a dim, plain wall on which the light of the window fades to the right."""
    across, up = rays[..., 0], rays[..., 1]
    share = np.exp(-((across + 0.35) ** 2) / 0.12 - (up - 0.02) ** 2 / 0.05)
    return mix((0.045, 0.05, 0.06), (0.30, 0.28, 0.25), share)


def _table(spot: Light, rng: np.random.Generator) -> Light:
    """Return the colour of oak boards at the positions `spot` (…, 3), with the shadows of the balls."""
    from scipy.ndimage import map_coordinates

    x, z = spot[..., 0], np.clip(spot[..., 2], -30, 60)
    board = np.floor((z + 3.2) / 6.5)
    streaks = clouds((1024, 128), rng, roughness=1.0, finest=2)
    grain = map_coordinates(streaks, (z * 34 + 170 * board, x * 1.1 + 37 * board), order=1, mode="grid-wrap")
    rings = np.sin(z * 5.2 + board * 2.1 + 2.75 * np.sin(x * 0.21 + board * 1.7) + 0.5 * grain)
    tone = 0.34 + 0.05 * np.sin(board * 12.9) + 0.055 * rings + 0.06 * grain
    joint = 1 - 0.85 * np.exp(-((((z + 3.2) / 6.5 - np.rint((z + 3.2) / 6.5)) / 0.011) ** 2))
    colour = np.array([1.0, 0.60, 0.31]) * np.clip(tone, 0.05, 1)[..., None] * joint[..., None]
    spot = np.stack([x, np.zeros_like(x), z], axis=2)
    falloff = 1 / (1 + ((x + 9) ** 2 + (z + 2) ** 2) / 420)
    direct, ambient = falloff, np.ones_like(x)
    for ball in BALLS:
        direct = direct * _lit(spot, ball)
        gap = np.linalg.norm(spot - ball.centre, axis=2)
        ambient *= 1 - 0.9 * (ball.radius / np.maximum(gap, ball.radius)) ** 3
    return colour * (0.95 * WARM * direct[..., None] + 0.5 * SKYLIGHT * ambient[..., None])


def _lit(spot: Light, ball: Ball) -> Light:
    """Return the fraction of the window that is visible past a ball; shadows are softer at a distance."""
    offset = ball.centre - spot
    along = offset @ WINDOW
    beside = np.sqrt(np.maximum((offset**2).sum(axis=-1) - along**2, 0))
    softness = 0.3 + 0.2 * np.maximum(along, 0)
    return np.where(along > 0, smoothstep(-1, 1, (beside - ball.radius) / softness), 1.0)


def _add_ball(scene: Light, ball: Ball, eye: Light, rays: Light, rng: np.random.Generator) -> Light:
    """Add one ball to the scene."""
    window = _find_window(rays @ (ball.centre - eye), ball, eye)
    scene, rays = scene.copy(), rays[window]
    toward = rays @ (ball.centre - eye)
    beside = np.sqrt(np.maximum(((ball.centre - eye) ** 2).sum() - toward**2, 0))
    depth = np.sqrt(np.maximum(ball.radius**2 - beside**2, 0))
    spot = eye + (toward - depth)[..., None] * rays
    covered = smoothstep(ball.radius + 0.012, ball.radius - 0.012, beside)
    scene[window] = mix(scene[window], _shade(ball, spot, rays, rng), covered)
    return scene


def _shade(ball: Ball, spot: Light, rays: Light, rng: np.random.Generator) -> Light:
    """Return the colour of each spot of a ball: lit by window, sky and table, with reflections of the window."""
    smooth = (spot - ball.centre) / ball.radius
    normal = _add_pores(smooth, ball, rng)
    direct = smoothstep(-0.12, 1.0, normal @ WINDOW)
    for other in BALLS:
        if other is not ball:
            direct = direct * _lit(spot, other)
    open_side = smoothstep(-1.02, -0.35, smooth[..., 1])  # darker near the point where it touches the table
    sky, bounce = 0.5 + 0.5 * normal[..., 1], np.clip(0.25 - 0.75 * smooth[..., 1], 0, 1) * open_side
    lamp = 1.15 * WARM * direct[..., None] + 0.5 * SKYLIGHT * sky[..., None]
    matt = _skin(smooth, ball) * (lamp + np.array([0.30, 0.17, 0.08]) * bounce[..., None])
    facing = (normal * rays).sum(axis=2)
    mirrored = rays - 2 * facing[..., None] * normal
    shine = ball.gloss * (_window_seen(mirrored) + 0.25 * np.clip(1 + facing, 0, 1) ** 4 * open_side)
    return matt * (0.3 + 0.7 * open_side)[..., None] + shine[..., None] * np.array([1.0, 0.97, 0.92])


def _find_window(toward: Light, ball: Ball, eye: Light) -> tuple[slice, slice]:
    """Return the rows and columns of the rays that come near a ball.

    `toward` is the length of the vector from the eye to the ball's centre, projected on each ray.
    """
    near = toward**2 > ((ball.centre - eye) ** 2).sum() - (ball.radius + 0.1) ** 2
    rows, columns = (np.flatnonzero(near.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _skin(normal: Light, ball: Ball) -> Light:
    """Return the colour of the peel; where the stalk was, there is a dry star on a paler ground."""
    colour = np.broadcast_to(np.array(ball.colour), normal.shape)
    if ball.stalk is None:
        return colour
    axis = np.array(ball.stalk) / np.linalg.norm(ball.stalk)
    side = np.cross(axis, [0.0, 0.0, 1.0])
    around = np.arctan2(normal @ np.cross(axis, side), normal @ side)
    off = np.arccos(np.clip(normal @ axis, -1, 1)) * ball.radius
    colour = mix(colour, (0.62, 0.33, 0.02), 0.6 * np.exp(-((off / 0.7) ** 2)))
    star = 0.33 + 0.1 * np.cos(5 * around) + 0.03 * np.cos(11 * around)
    colour = mix(colour, (0.07, 0.085, 0.02), smoothstep(0.05, -0.05, off - star))
    return mix(colour, (0.25, 0.19, 0.08), smoothstep(0.13, 0.08, off))


def _add_pores(normal: Light, ball: Ball, rng: np.random.Generator) -> Light:
    """Tilt the normals at random, to imitate the pores of a peel."""
    from scipy.ndimage import map_coordinates

    bumps = clouds((256, 256), rng, roughness=0.3, finest=5, coarsest=11)
    places = np.stack([normal[..., 0], normal[..., 1]]) * 20 * ball.radius + 128
    tilt = [map_coordinates(np.gradient(bumps, axis=axis), places[::-1], order=1, mode="grid-wrap") for axis in (1, 0)]
    tilted = normal + ball.dimples * 4 * np.stack([*tilt, np.zeros_like(tilt[0])], axis=2)
    return tilted / np.linalg.norm(tilted, axis=2, keepdims=True)


def _window_seen(direction: Light) -> Light:
    """Return the brightness of a window of six panes, with soft borders, in a reflected `direction`."""
    right = np.cross([0, 1, 0], WINDOW)
    right /= np.linalg.norm(right)
    u, v = direction @ right, direction @ np.cross(WINDOW, right)
    pane = smoothstep(0.25, 0.20, np.abs(u)) * smoothstep(0.42, 0.37, np.abs(v))
    bars = smoothstep(0.012, 0.03, np.abs(u)) * smoothstep(0.012, 0.03, np.abs(np.abs(v) - 0.135))
    return pane * bars * (direction @ WINDOW > 0)
