"""From the file's dtype to floating point and back, without wrapping and without losing grey levels."""

from typing import Any

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.errors import FilterError

Floats = np.ndarray[tuple[int, ...], np.dtype[np.floating[Any]]]

OPENCV_DTYPES = frozenset(map(np.dtype, ("uint8", "uint16", "int16", "float32", "float64")))  # that it filters
LARGEST_EXACT = 2**53  # float64 holds every integer up to here


def check_real(pixels: Pixels, name: str) -> None:
    """Raise `FilterError` unless the pixels are integers or floats."""
    if pixels.dtype.kind not in "uif":
        hint = "add -f to_uint8 before it" if pixels.dtype.kind == "b" else "save its magnitude as floats first"
        raise FilterError(f"{name} works on grey levels, not on {pixels.dtype} pixels", hint)


def check_numeric(pixels: Pixels, name: str) -> None:
    """Raise unless the filter called `name` can compute with these pixels without losing grey levels.

    Raises
    ------
    FilterError
        If they are boolean, complex or not numbers at all, or 64-bit integers beyond ±2**53.
    """
    if pixels.dtype.kind not in "uif":
        raise FilterError(
            f"{name} works on grey levels, not on {pixels.dtype} pixels", "convert first: add -f to_uint8"
        )
    if pixels.dtype.kind in "ui" and pixels.dtype.itemsize == 8 and _beyond_exact(pixels):  # noqa: PLR2004 - bytes
        raise FilterError(
            f"{name} cannot compute exactly with {pixels.dtype} values beyond ±2**53",
            "add -f rescale_intensity:out=uint16 before it",
        )


def working_dtype(dtype: np.dtype[Any]) -> np.dtype[np.floating[Any]]:
    """The floating-point type that holds every value of `dtype`: float32 up to 16 bits, else float64."""
    small = dtype.itemsize <= 2 or dtype == np.float32  # noqa: PLR2004 - bytes
    return np.dtype(np.float32 if small else np.float64)


def to_float(pixels: Pixels) -> Floats:
    """The same values in their working dtype; the array itself, not a copy, where it has that dtype already."""
    floats: Floats = pixels.astype(working_dtype(pixels.dtype), copy=False)
    return floats


def restore(values: Pixels, dtype: np.dtype[Any], *, reuse: bool = False) -> Pixels:
    """Bring computed values back to `dtype`: rounded (halves to even) and clipped for integers, never wrapped.

    NaN has no place among integers: callers keep it out (see `imgpool.filters._pixels.planes`). A float16 that
    overflows becomes infinite. With `reuse`, the values may be overwritten, which takes less memory and time.
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
    return np.clip(rounded, limits.min, _highest(limits.max, values.dtype), out=rounded).astype(dtype)


def full_scale(dtype: np.dtype[Any]) -> float:
    """The value that stands for 1.0 in `dtype`, as white or as opaque: its largest integer, or 1.0 for floats."""
    return float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0


def _beyond_exact(pixels: Pixels) -> bool:
    return int(pixels.max()) > LARGEST_EXACT or int(pixels.min()) < -LARGEST_EXACT


def _highest(limit: int, floats: np.dtype[Any]) -> np.floating[Any]:
    """The largest float not above `limit`: 2**32 - 1 is no float32, and 2**63 - 1 no float64."""
    nearest = floats.type(limit)
    largest: np.floating[Any] = np.nextafter(nearest, floats.type(0)) if int(nearest) > limit else nearest
    return largest
