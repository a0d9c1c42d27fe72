"""Building blocks of all scenes: blur, random textures, vignetting, photon noise and camera noise."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Light = NDArray[np.float64]
Grey16 = NDArray[np.uint16]

HIGHLIGHTS_START = 0.7  # linear light above this is compressed, so that highlights do not clip
LINEAR_PART_END = 0.0031308  # linear light below which sRGB's tone curve is a straight line


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
    """Return a random, periodic texture with mean 0 and standard deviation 1.

    Parameters
    ----------
    shape
        Rows and columns.
    rng
        Random number generator.
    roughness
        Exponent with which the amplitude falls with frequency: 0 looks like white noise, 1 like sand, 2 like clouds.
    finest, coarsest
        Sizes in pixels below and above which structures are suppressed; 0 for no limit.
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
    """Return the fraction of light that reaches each pixel.

    It is 1 at `centre`, given in fractions of height and width, and `edge` at a distance of half the width.
    """
    y = np.arange(shape[0])[:, None] / shape[0] - centre[0]
    x = np.arange(shape[1])[None, :] / shape[1] - centre[1]
    return 1 / (1 + 4 * (1 / np.sqrt(edge) - 1) * (y**2 + x**2)) ** 2


def count_photons(mean: Light, rng: np.random.Generator) -> Light:
    """Return Poisson-distributed counts for `mean`, which should be above 10.

    One normal number per pixel is transformed to the Poisson quantile by a Cornish–Fisher expansion, accurate to one
    count. `Generator.poisson` is not used because it draws a variable number of random numbers: if the mean of one
    pixel differed by the last bit on another processor, all following pixels would change too.
    """
    z = rng.standard_normal(mean.shape)
    return np.maximum(np.rint(mean + np.sqrt(mean) * z + (z**2 - 1) / 6), 0)


def camera(photons: Light, rng: np.random.Generator, *, gain: float = 2.0, offset: float = 100.0) -> Grey16:
    """Return the grey levels of a scientific camera.

    It adds shot noise and read noise of 1.6 electrons. `gain` is in grey levels per electron, `offset` in grey levels.
    """
    electrons = count_photons(photons, rng) + 1.6 * rng.standard_normal(photons.shape)
    return np.clip(np.rint(electrons * gain + offset), 0, 65535).astype(np.uint16)


def smoothstep(low: float, high: float, value: Light) -> Light:
    """Rise smoothly from 0 at `low` to 1 at `high`; fall if `low` is larger than `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(under: Any, over: Any, share: Light) -> Light:  # noqa: ANN401 - a colour or an image, whatever broadcasts
    """Blend `over` onto `under`; `share` (Y, X) is the opacity of `over`, 0 to 1."""
    share = share[..., None]
    mixed: Light = np.asarray(under) * (1 - share) + np.asarray(over) * share
    return mixed


def develop(linear: Light, rng: np.random.Generator, *, noise: float = 0.006) -> NDArray[np.uint8]:
    """Convert linear light (Y, X, 3), where 1 is white, to 8-bit colours as a photo camera does.

    The steps are: add shot noise with a standard deviation of `noise` at white, compress highlights softly, and apply
    the tone curve of sRGB and Display P3.
    """
    headroom = 1 - HIGHLIGHTS_START
    exposed = linear + noise * np.sqrt(np.clip(linear, 0.02, None)) * rng.standard_normal(linear.shape)
    compressed = 1 - headroom * (1 - np.tanh((exposed - HIGHLIGHTS_START) / headroom))
    light = np.clip(np.where(exposed < HIGHLIGHTS_START, exposed, compressed), 0, 1)
    encoded = np.where(light <= LINEAR_PART_END, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(encoded * 255).astype(np.uint8)
