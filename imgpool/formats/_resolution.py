"""Pixels per inch, centimetre or metre: the size of a microscope's pixel, or a resolution for print.

PNG, JPEG, BMP and plain TIFF have one field for both. The rule, for all of them: a pixel smaller than
20 µm (more than 1270 dpi) is a microscope's or a slide scanner's, and becomes `Image.pixel_size`; a larger
one is a resolution for print or screen (72 to 1200 dpi), and becomes `Metadata.dpi`.
"""

import math
from typing import Literal

from imgpool.core.image import Image, PixelSize

Unit = Literal["inch", "cm", "m"]
Dpi = tuple[float, float]

PRINT_LIMIT = 20.0  # µm per pixel: the first size that is a resolution for print

_MICROMETRES: dict[Unit, float] = {"inch": 25_400.0, "cm": 1e4, "m": 1e6}


def pixel_size_or_dpi(horizontal: float, vertical: float, unit: Unit) -> tuple[PixelSize | None, Dpi | None]:
    """What a resolution field means.

    Parameters
    ----------
    horizontal, vertical
        Pixels per `unit`; where one is zero, negative or not finite, the field means nothing.
    unit
        What the pixels are counted along.

    Returns
    -------
    pixel_size, dpi
        One of them, and None for the other; or None for both.
    """
    if not all(math.isfinite(density) and density > 0 for density in (horizontal, vertical)):
        return None, None
    size = PixelSize(y=_MICROMETRES[unit] / vertical, x=_MICROMETRES[unit] / horizontal)
    if is_microscopic(size):
        return size, None
    inches = _MICROMETRES["inch"] / _MICROMETRES[unit]
    return None, (horizontal * inches, vertical * inches)


def density(image: Image, unit: Unit) -> tuple[float, float] | None:
    """What to write into a resolution field: pixels per `unit`, horizontal and vertical; None for nothing.

    A microscope's pixel size comes before a resolution for print where an image has both.
    """
    if is_microscopic(image.pixel_size):
        assert image.pixel_size is not None  # a microscope's pixel size is one
        return _MICROMETRES[unit] / image.pixel_size.x, _MICROMETRES[unit] / image.pixel_size.y
    if image.metadata.dpi is None:
        return None
    inches = _MICROMETRES[unit] / _MICROMETRES["inch"]
    horizontal, vertical = image.metadata.dpi
    return horizontal * inches, vertical * inches


def whole_density(image: Image, unit: Unit, most: int) -> tuple[int, int] | None:
    """As `density`, for a field that holds integers from 1 to `most`; None where it cannot say it within 1 %."""
    exact = density(image, unit)
    if exact is None or not all(1 <= value <= most for value in exact):
        return None
    horizontal, vertical = round(exact[0]), round(exact[1])
    near = math.isclose(horizontal, exact[0], rel_tol=0.01) and math.isclose(vertical, exact[1], rel_tol=0.01)
    return (horizontal, vertical) if near else None


def kept_by_density(image: Image) -> set[str]:
    """The name of what `density` says of an image: its pixel size where that has no depth, or its dpi."""
    if not is_microscopic(image.pixel_size):
        return {"dpi"}
    assert image.pixel_size is not None
    return {"pixel_size"} if image.pixel_size.z is None else set()


def is_microscopic(size: PixelSize | None) -> bool:
    """Whether a resolution field with this pixel size would be read as a pixel size again."""
    return size is not None and max(size.y, size.x) < PRINT_LIMIT


def tidy(value: float) -> float:
    """The value without the rounding error of the rational number that it was stored as."""
    return float(f"{value:.12g}")
