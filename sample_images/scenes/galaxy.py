"""A spiral galaxy behind stars of the Milky Way, in a long exposure through one filter."""

import numpy as np

from scenes.optics import Grey16, Light, camera, clouds, smoothstep


def exposure(side: int, rng: np.random.Generator) -> Grey16:
    """Return a tilted galaxy and 230 stars on a faint sky, as 16-bit grey levels of shape (`side`, `side`)."""
    y, x = np.mgrid[:side, :side] / side - np.array([0.5, 0.49])[:, None, None]
    turn, slant = 0.6, 0.62
    v, u = (y * np.cos(turn) - x * np.sin(turn)) / slant, y * np.sin(turn) + x * np.cos(turn)
    r, angle = np.hypot(v, u) / 0.4, np.arctan2(v, u)
    light = (
        2600 * _disc(r, angle, side, rng) + 9000 * np.exp(-((r / 0.055) ** 0.8)) + 1500 * np.exp(-((r / 0.16) ** 1.4))
    )
    return camera(90 + light + _stars(side, rng), rng, gain=1.5, offset=300)


def _disc(r: Light, angle: Light, side: int, rng: np.random.Generator) -> Light:
    """Return the brightness of the disc: two logarithmic spiral arms with dust on their inner side and young stars."""
    ripple = clouds((side, side), rng, roughness=1.7)
    phase = 2 * angle + 5.2 * np.log(r + 0.03) + 0.35 * ripple
    fade = np.exp(-r / 0.36) * smoothstep(1.25, 0.7, r)
    arms = np.exp(1.5 * np.cos(phase)) / 4
    spurs = 0.75 + 0.25 * np.cos(2.2 * phase + 1 + 0.6 * ripple)
    dust = 1 - 0.55 * smoothstep(0.35, 0.95, np.cos(phase - 0.85)) * smoothstep(0.08, 0.25, r)
    texture = np.exp(0.35 * clouds((side, side), rng, roughness=1.1, finest=2.5))
    knots = smoothstep(1.9, 3.6, clouds((side, side), rng, roughness=0.4, finest=3.2)) * arms**1.5
    return fade * (0.12 + arms * spurs * texture + 2.2 * knots) * dust


def _stars(side: int, rng: np.random.Generator) -> Light:
    """Return stars of different brightness, blurred by the air (a Moffat profile); the brightest have four spikes."""
    light = np.zeros((side, side))
    y, x = np.ogrid[:side, :side]
    for row, column, chance in rng.random((230, 3)):
        flux = min(70 * (chance + 1e-3) ** -1.05, 26000)
        v, u = y - row * side, x - column * side
        squared = v**2 + u**2
        light += flux * (1 + squared / 1.55**2) ** -2.6
        if flux > 2500:  # noqa: PLR2004 - photons
            reach = 4.0 + flux / 2600
            for across, along in ((v, u), (u, v)):
                light += 0.05 * flux * np.exp(-((across / 0.75) ** 2)) * np.exp(-np.abs(along) / reach)
    return light
