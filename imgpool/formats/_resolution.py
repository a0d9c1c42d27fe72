"""Pixels per inch, centimetre or metre: either the pixel size of a microscope, or a resolution for print.

PNG, JPEG, BMP and plain TIFF have one field for both. All formats follow the same rule: a pixel smaller than 20 µm
(more than 1270 dpi) is that of a microscope or a slide scanner, and becomes `Image.pixel_size`; a larger one is a
resolution for print or screen (72 to 1200 dpi), and becomes `Metadata.dpi`.
"""

import math
from typing import Literal

from imgpool.core.image import Image, PixelSize

Unit = Literal["inch", "cm", "m"]
Dpi = tuple[float, float]

MIN_PRINT_PIXEL_UM = 20.0
"""Smallest pixel of a resolution for print, in µm; a smaller pixel is that of a microscope."""

_MICROMETRES: dict[Unit, float] = {"inch": 25_400.0, "cm": 1e4, "m": 1e6}
_MAX_ROUNDING_ERROR = 0.01  # relative; with a larger one, an integer field cannot store a resolution


def pixel_size_or_dpi(horizontal: float, vertical: float, unit: Unit) -> tuple[PixelSize | None, Dpi | None]:
    """Interpret a resolution field.

    Parameters
    ----------
    horizontal, vertical
        Pixels per `unit`. If one is zero, negative or not finite, the field is ignored.
    unit
        Unit of length.

    Returns
    -------
    pixel_size, dpi
        One of them, and None for the other; or None for both.
    """
    if not all(math.isfinite(value) and value > 0 for value in (horizontal, vertical)):
        return None, None
    size = PixelSize(y=_MICROMETRES[unit] / vertical, x=_MICROMETRES[unit] / horizontal)
    if is_microscopic(size):
        return size, None
    inches = _MICROMETRES["inch"] / _MICROMETRES[unit]
    return None, (horizontal * inches, vertical * inches)


def pixels_per_unit(image: Image, unit: Unit) -> tuple[float, float] | None:
    """Return the value of a resolution field, horizontal and vertical; None if the image has neither.

    If an image has both, a microscopic pixel size takes precedence over a resolution for print.
    """
    size = image.pixel_size
    if size is not None and is_microscopic(size):
        return _MICROMETRES[unit] / size.x, _MICROMETRES[unit] / size.y
    if image.metadata.dpi is None:
        return None
    inches = _MICROMETRES[unit] / _MICROMETRES["inch"]
    horizontal, vertical = image.metadata.dpi
    return horizontal * inches, vertical * inches


def integer_pixels_per_unit(image: Image, unit: Unit, maximum: int) -> tuple[int, int] | None:
    """Return the value of an integer resolution field of 1 to `maximum`; None if rounding changes it over 1%."""
    exact = pixels_per_unit(image, unit)
    if exact is None or not all(1 <= value <= maximum for value in exact):
        return None
    horizontal, vertical = round(exact[0]), round(exact[1])
    is_close = all(
        math.isclose(rounded, value, rel_tol=_MAX_ROUNDING_ERROR)
        for rounded, value in zip((horizontal, vertical), exact, strict=True)
    )
    return (horizontal, vertical) if is_close else None


def stored_by_resolution(image: Image) -> set[str]:
    """Return the name of the metadata that a resolution field stores: "pixel_size" if it has no depth, or "dpi"."""
    size = image.pixel_size
    if size is None or not is_microscopic(size):
        return {"dpi"}
    return {"pixel_size"} if size.z is None else set()


def is_microscopic(size: PixelSize | None) -> bool:
    """Whether a resolution field with this pixel size is read as a pixel size again."""
    return size is not None and max(size.y, size.x) < MIN_PRINT_PIXEL_UM


def round_off(value: float) -> float:
    """Remove the rounding error of a value that was stored as a rational number."""
    return float(f"{value:.12g}")
