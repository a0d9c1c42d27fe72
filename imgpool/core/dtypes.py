"""Conversion between a file's dtype and floating point, without wrap-around or loss of grey levels."""

from typing import Any

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.errors import FilterError
from imgpool.core.hint import Hint

Floats = np.ndarray[tuple[int, ...], np.dtype[np.floating[Any]]]

OPENCV_DTYPES = frozenset(map(np.dtype, ("uint8", "uint16", "int16", "float32", "float64")))
"""Dtypes that OpenCV filters."""

OPENCV_ROUNDED_DEPTHS = {np.dtype(np.uint8): "CV_8U", np.dtype(np.uint16): "CV_16U"}
"""OpenCV's name for each dtype to which it rounds and clips floats in one pass."""

MAX_EXACT_INTEGER = 2**53
"""float64 represents every integer up to here."""


def check_real(pixels: Pixels, name: str) -> None:
    """Raise `FilterError` unless the pixels are integers or floats."""
    if pixels.dtype.kind not in "uif":
        raise FilterError(f"{name} needs integers or floats, and the image has {pixels.dtype} pixels",
                          _conversion_hint(pixels.dtype))  # fmt: skip


def check_numeric(pixels: Pixels, name: str) -> None:
    """Check that a filter can compute with these pixels without loss of grey levels.

    Parameters
    ----------
    pixels
        Any array.
    name
        The filter's name, for messages.

    Raises
    ------
    FilterError
        If they are not integers or floats, or are 64-bit integers beyond ±2**53.
    """
    check_real(pixels, name)
    if pixels.dtype.kind in "ui" and pixels.dtype.itemsize == 8 and _exceeds_exact_range(pixels):  # noqa: PLR2004 - bytes
        raise FilterError(
            f"{name} cannot compute exactly with {pixels.dtype} values beyond ±2**53",
            f"add {Hint('filters', 'rescale_intensity:out=uint16')} before it",
        )


def working_dtype(dtype: np.dtype[Any]) -> np.dtype[np.floating[Any]]:
    """Return the float dtype to compute with: float32 for up to 16 bits and for float32, else float64."""
    small = dtype.itemsize <= 2 or dtype == np.float32  # noqa: PLR2004 - bytes
    return np.dtype(np.float32 if small else np.float64)


def to_float(pixels: Pixels) -> Floats:
    """Convert to the working dtype; returns the array itself if it has that dtype already."""
    floats: Floats = pixels.astype(working_dtype(pixels.dtype), copy=False)
    return floats


def restore(values: Pixels, dtype: np.dtype[Any], *, reuse: bool = False) -> Pixels:
    """Convert computed values back to `dtype`; integers are rounded (halves to even) and clipped.

    Parameters
    ----------
    values
        Integers or floats; without NaN if `dtype` is an integer type.
    dtype
        Dtype of the result. Values that overflow a float type become infinite.
    reuse
        Whether `values` may be overwritten, which takes less memory and time.
    """
    if values.dtype == dtype:
        return values
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return values.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    if values.dtype.kind != "f":
        return np.clip(values, limits.min, limits.max).astype(dtype, copy=False)
    rounded = np.rint(values, out=values if reuse else None)
    return np.clip(rounded, limits.min, _highest_float(limits.max, values.dtype), out=rounded).astype(dtype)


def full_scale(dtype: np.dtype[Any]) -> float:
    """Return the value of white, or of opaque: the largest integer of `dtype`, or 1.0 for floats."""
    return float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0


def _conversion_hint(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "b":
        return f"add {Hint('filters', 'to_uint8')} before it"
    return "save its magnitude as floats first"


def _exceeds_exact_range(pixels: Pixels) -> bool:
    return int(pixels.max()) > MAX_EXACT_INTEGER or int(pixels.min()) < -MAX_EXACT_INTEGER


def _highest_float(limit: int, floats: np.dtype[Any]) -> np.floating[Any]:
    """Return the largest float up to `limit`, which may not be one itself: float32 cannot represent 2**32 - 1."""
    nearest = floats.type(limit)
    largest: np.floating[Any] = np.nextafter(nearest, floats.type(0)) if int(nearest) > limit else nearest
    return largest
