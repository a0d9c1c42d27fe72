"""What every scene is seen through: lenses that blur, light that comes in photons, sensors that add noise."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Light = NDArray[np.float64]
Grey16 = NDArray[np.uint16]

SHOULDER = 0.7  # linear light above this is compressed, so that highlights do not clip
TOE = 0.0031308  # below it sRGB's tone curve is a straight line


def blur(light: Light, sigma: float) -> Light:
    """Blur a plane (Y, X), or each sample of (Y, X, S), by a Gaussian of `sigma` pixels."""
    from scipy.ndimage import gaussian_filter

    blurred: Light = gaussian_filter(light, (sigma, sigma) + (0,) * (light.ndim - 2), mode="nearest")
    return blurred


def clouds(
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    roughness: float = 2.0,
    finest: float = 0.0,
    coarsest: float = 0.0,
) -> Light:
    """Random texture of mean 0 and standard deviation 1 that repeats at the borders.

    Parameters
    ----------
    shape
        Rows and columns.
    rng
        Where the randomness comes from.
    roughness
        The amplitude falls with frequency to this power: 0 is white noise, 1 sand, 2 clouds.
    finest, coarsest
        Structures smaller or larger than this many pixels are left out; 0 for no limit.
    """
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :])
    frequency[0, 0] = 1
    amplitude = frequency**-roughness
    if finest:
        amplitude *= np.exp(-((frequency * finest) ** 2))
    if coarsest:
        amplitude *= 1 - np.exp(-((frequency * coarsest) ** 2))
    amplitude[0, 0] = 0
    texture = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * amplitude, s=shape)
    return texture / texture.std()


def vignette(shape: tuple[int, int], edge: float, centre: tuple[float, float] = (0.5, 0.5)) -> Light:
    """The light that reaches each pixel: 1 at `centre` (fractions of the height and width), `edge` half a width off."""
    y = np.arange(shape[0])[:, None] / shape[0] - centre[0]
    x = np.arange(shape[1])[None, :] / shape[1] - centre[1]
    return 1 / (1 + 4 * (1 / np.sqrt(edge) - 1) * (y**2 + x**2)) ** 2


def count_photons(mean: Light, rng: np.random.Generator) -> Light:
    """Poisson-distributed counts around `mean`, which should be above 10.

    One normal number is drawn per pixel and bent to the Poisson quantile (Cornish–Fisher, right to a count):
    unlike `Generator.poisson`, which draws as many numbers as the mean asks for, a mean that differs by the
    last bit on another processor changes one pixel and not all that follow.
    """
    z = rng.standard_normal(mean.shape)
    return np.maximum(np.rint(mean + np.sqrt(mean) * z + (z**2 - 1) / 6), 0)


def camera(photons: Light, rng: np.random.Generator, *, gain: float = 2.0, offset: float = 100.0) -> Grey16:
    """What a scientific camera writes: shot noise, read noise of 1.6 electrons, `gain` grey levels each, an offset."""
    electrons = count_photons(photons, rng) + 1.6 * rng.standard_normal(photons.shape)
    return np.clip(np.rint(electrons * gain + offset), 0, 65535).astype(np.uint16)


def smoothstep(low: float, high: float, value: Light) -> Light:
    """Rise smoothly from 0 at `low` to 1 at `high` (or fall, where `low` is the larger)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(under: Any, over: Any, share: Light) -> Light:  # noqa: ANN401 - a colour or a picture, whatever broadcasts
    """Lay `over` onto `under`; `share` (Y, X) is how much of it covers, 0 to 1."""
    share = share[..., None]
    mixed: Light = np.asarray(under) * (1 - share) + np.asarray(over) * share
    return mixed


def develop(linear: Light, rng: np.random.Generator, *, noise: float = 0.006) -> NDArray[np.uint8]:
    """Turn linear light (Y, X, 3), 1 = white, into 8-bit colours as a photo camera does.

    Adds shot noise (standard deviation `noise` at white), rolls highlights off softly and encodes with the
    tone curve that sRGB and Display P3 share.
    """
    room = 1 - SHOULDER
    exposed = linear + noise * np.sqrt(np.clip(linear, 0.02, None)) * rng.standard_normal(linear.shape)
    rolled = np.where(exposed < SHOULDER, exposed, 1 - room * (1 - np.tanh((exposed - SHOULDER) / room)))
    rolled = np.clip(rolled, 0, 1)
    encoded = np.where(rolled <= TOE, 12.92 * rolled, 1.055 * rolled ** (1 / 2.4) - 0.055)
    return np.rint(encoded * 255).astype(np.uint8)
