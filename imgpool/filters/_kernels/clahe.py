"""Contrast-limited adaptive histogram equalisation (CLAHE) of one plane, as in scikit-image and as in OpenCV.

Both equalise one brightness per pixel: the grey level, or for RGB the value of HSV (scikit-image) or the lightness
of CIE Lab (OpenCV). A plane with constant brightness is returned unchanged.
"""

from collections.abc import Sequence

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import Floats, full_scale, restore, to_float
from imgpool.core.errors import FilterError
from imgpool.core.hint import Hint

LUMINANCE_WEIGHTS = np.array([0.2126, 0.7152, 0.0722])
"""Weights of red, green and blue by ITU-R BT.709."""

UINT8, UINT16 = np.dtype(np.uint8), np.dtype(np.uint16)


def equalize_as_skimage(colour: Pixels, sides: Sequence[int] | None, clip_limit: float, nbins: int) -> Pixels:
    """Equalise (Y, X), or the HSV value of (Y, X, 3), with `skimage.exposure.equalize_adapthist`.

    Parameters
    ----------
    colour
        Integers or floats.
    sides
        Height and width of a region in pixels; None for an eighth of the image.
    clip_limit, nbins
        As in scikit-image.

    Raises
    ------
    FilterError
        If a value is infinite.
    """
    from skimage.exposure import equalize_adapthist

    low, high = _range(colour, "equalize_adapthist")
    if colour.dtype.kind == "f" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    unit = _to_unit(colour, low, high)
    value = unit if unit.ndim == 2 else unit.max(axis=-1)  # noqa: PLR2004 - Y and X
    if _is_constant(restore(value * full_scale(UINT16), UINT16)):  # scikit-image works with 16 bits
        return colour
    equalized = equalize_adapthist(value, kernel_size=sides, clip_limit=clip_limit, nbins=nbins)
    return restore(_with_brightness(unit, value, equalized) * (high - low) + low, colour.dtype)


def equalize_as_opencv(colour: Pixels, clip_limit: float, tile_grid: int) -> Pixels:
    """Equalise (Y, X), or the lightness of (Y, X, 3), with ``cv2.createCLAHE``.

    Parameters
    ----------
    colour
        Integers or floats.
    clip_limit
        As in OpenCV.
    tile_grid
        Number of tiles along each side of the image.

    Raises
    ------
    FilterError
        If a value is infinite.
    """
    import cv2

    def equalize(brightness: Pixels) -> Pixels:
        equalized: Pixels = cv2.createCLAHE(clip_limit, (tile_grid, tile_grid)).apply(brightness)
        return equalized

    if colour.dtype in {UINT8, UINT16} and colour.ndim == 2:  # noqa: PLR2004 - Y and X
        return colour if _is_constant(colour) else equalize(colour)
    if colour.dtype == UINT8:
        lab = cv2.cvtColor(colour, cv2.COLOR_RGB2LAB)
        lightness = np.ascontiguousarray(lab[..., 0])
        if _is_constant(lightness):
            return colour
        lab[..., 0] = equalize(lightness)
        rgb: Pixels = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
        return rgb
    low, high = _range(colour, "clahe")
    unit = _to_unit(colour, low, high)
    luminance: Floats = unit if unit.ndim == 2 else unit @ LUMINANCE_WEIGHTS.astype(unit.dtype)  # noqa: PLR2004 - Y and X
    as_uint16 = restore(luminance * full_scale(UINT16), UINT16)
    if _is_constant(as_uint16):
        return colour
    equalized: Floats = to_float(equalize(as_uint16)) / full_scale(UINT16)
    return restore(_with_brightness(unit, luminance, equalized) * (high - low) + low, colour.dtype)


def _range(colour: Pixels, name: str) -> tuple[float, float]:
    """Return the values that become 0 and 1: the full scale of uint8 and uint16, else minimum and maximum."""
    if colour.dtype in {UINT8, UINT16}:
        return 0.0, full_scale(colour.dtype)
    low, high = float(colour.min()), float(colour.max())
    if colour.ndim == 3:  # noqa: PLR2004 - RGB, whose hues would shift unless black stays 0
        low = min(low, 0.0)
    if not np.isfinite(high - low):
        raise FilterError(
            f"{name} cannot process infinite values",
            f"clip them first: add {Hint('filters', 'rescale_intensity:in=0..4095')} with the range of the image",
        )
    return low, high


def _to_unit(colour: Pixels, low: float, high: float) -> Floats:
    unit: Floats = to_float(colour) - low
    unit /= (high - low) or 1.0
    return unit


def _is_constant(brightness: Pixels) -> bool:
    return bool((brightness == brightness.flat[0]).all())


def _with_brightness(unit: Floats, brightness: Floats, target: Floats) -> Floats:
    """Scale the samples of each pixel by one factor that turns its `brightness` into `target`; black becomes grey."""
    if unit.ndim == 2:  # noqa: PLR2004 - Y and X
        return target
    visible = brightness > 0
    factor = np.divide(target, brightness, out=np.zeros_like(brightness), where=visible)
    scaled = np.minimum(unit * factor[..., np.newaxis], 1)
    return np.where(visible[..., np.newaxis], scaled, target[..., np.newaxis])
