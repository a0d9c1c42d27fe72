"""Quantities with units: lengths ("0.65um", "2px"), areas ("12um2"), ranges ("100..4000", "2%..98%").

A length in pixels is taken as it stands; a physical one is resolved against each image's own pixel size.
Everything physical is kept in µm.
"""

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from imgpool.core.errors import FilterError
from imgpool.core.parsed import Parsed

if TYPE_CHECKING:
    from imgpool.core.image import PixelSize

MICROMETRES = {"nm": 1e-3, "um": 1.0, "mm": 1e3, "cm": 1e4}
ANISOTROPY_TOLERANCE = 0.01

_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*$", re.DOTALL)


def split_number(text: str) -> tuple[float, str]:
    """Split "0.65 µm" into 0.65 and "um"; raise ``ValueError`` where there is no number in front."""
    match = _NUMBER.match(text)
    if not match:
        raise ValueError(f"{text!r} does not begin with a number")
    if not math.isfinite(float(match[1])):
        raise ValueError(f"{text!r} is not a number that can be computed with")
    unit = match[2].replace("µ", "u").replace("μ", "u").replace("²", "2").replace("^2", "2")
    return float(match[1]), unit


@dataclass(frozen=True, slots=True)
class _Measure(Parsed):
    """A number with "px" or a physical unit; compares with plain numbers by its value."""

    value: float
    unit: Literal["px", "um"] = "px"

    power: ClassVar[int]
    units: ClassVar[str]

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a number (pixels), or a text such as "2px" or "650nm"."""
        if isinstance(value, cls):
            return value
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(f"{value!r} is not {cls.units}")
        number, unit = split_number(str(value))
        if unit in {"", "px"}:
            return cls(number, "px")
        base = unit.removesuffix("2") if cls.power == 2 else unit  # noqa: PLR2004 - an area
        if base not in MICROMETRES or (cls.power == 2 and base == unit):  # noqa: PLR2004
            raise ValueError(f"{value!r} is not {cls.units}")
        per_micrometre = round(1 / MICROMETRES[base])  # dividing makes 70nm the same float as 0.07um
        scaled = number / per_micrometre**cls.power if per_micrometre else number * MICROMETRES[base] ** cls.power
        return cls(scaled, "um")

    def __str__(self) -> str:
        suffix = self.unit + ("2" if self.power == 2 and self.unit == "um" else "")  # noqa: PLR2004
        return f"{self.value:g}{suffix}" if self.value == float(f"{self.value:g}") else f"{self.value!r}{suffix}"

    def __gt__(self, other: float) -> bool:
        return self.value > other

    def __ge__(self, other: float) -> bool:
        return self.value >= other

    def __lt__(self, other: float) -> bool:
        return self.value < other

    def __le__(self, other: float) -> bool:
        return self.value <= other

    def need_pixel_size(self, pixel_size: "PixelSize | None") -> "PixelSize":
        """The pixel size, or a `FilterError` that says how to give one."""
        if pixel_size is None:
            raise FilterError(
                f"{self} needs the size of a pixel, and the file does not tell it",
                "add --pixel-size, for example --pixel-size 0.325um, or give the length in px",
            )
        return pixel_size


@dataclass(frozen=True, slots=True)
class Length(_Measure):
    """A length in pixels or in µm.

    Examples
    --------
    >>> from imgpool.core.image import PixelSize
    >>> Length.parse("0.65um").in_pixels(PixelSize(y=0.325, x=0.325))
    (2.0, 2.0)
    """

    power: ClassVar[int] = 1
    units: ClassVar[str] = "a length: a number of pixels, or one with a unit (px, nm, um, mm, cm)"

    def in_pixels(self, pixel_size: "PixelSize | None") -> tuple[float, float]:
        """The length in pixels along Y and along X.

        Raises
        ------
        FilterError
            If the length is physical and the pixel size unknown.
        """
        if self.unit == "px":
            return self.value, self.value
        size = self.need_pixel_size(pixel_size)
        return self.value / size.y, self.value / size.x

    def in_square_pixels(self, pixel_size: "PixelSize | None") -> float:
        """The length in pixels, for what needs the same along Y and X (a disk, a square).

        Raises
        ------
        FilterError
            If the length is physical and the pixels are unknown in size, or not square within 1 %.
        """
        y, x = self.in_pixels(pixel_size)
        if abs(y - x) > ANISOTROPY_TOLERANCE * max(y, x):
            raise FilterError(f"{self} is {y:.3g} px high but {x:.3g} px wide: the pixels are not square",
                              "resize to square pixels first, or give the length in px")  # fmt: skip
        return y


@dataclass(frozen=True, slots=True)
class Area(_Measure):
    """An area in pixels or in µm²."""

    power: ClassVar[int] = 2
    units: ClassVar[str] = "an area: a number of pixels, or one with a unit (px, nm2, um2, mm2)"

    def in_pixels(self, pixel_size: "PixelSize | None") -> float:
        """The area in pixels.

        Raises
        ------
        FilterError
            If the area is physical and the pixel size unknown.
        """
        if self.unit == "px":
            return self.value
        size = self.need_pixel_size(pixel_size)
        return self.value / (size.y * size.x)


@dataclass(frozen=True, slots=True)
class Range(Parsed):
    """From `low` to `high`, as grey levels ("100..4000") or as percentiles ("0.35%..99.65%").

    Attributes
    ----------
    low, high
        Grey levels, or percentiles from 0 to 100 where `percent` is true.
    """

    low: float
    high: float
    percent: bool = False

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read "100..4000", "2%..98%" or a pair of numbers."""
        if isinstance(value, cls):
            return value
        ends = value.split("..") if isinstance(value, str) else value
        if not isinstance(ends, list | tuple) or len(ends) != 2:  # noqa: PLR2004 - low and high
            raise ValueError(f"{value!r} is not a range such as 100..4000 or 2%..98%")
        (low, low_unit), (high, high_unit) = (split_number(str(end)) for end in ends)
        if low_unit != high_unit or low_unit not in {"", "%"}:
            raise ValueError(f"{value!r} is not a range such as 100..4000 or 2%..98%")
        percent = low_unit == "%"
        if not low < high or (percent and not 0 <= low < high <= 100):  # noqa: PLR2004 - per cent
            raise ValueError(f"{value!r} does not run from a lower to a higher value")
        return cls(low, high, percent)

    def __str__(self) -> str:
        sign = "%" if self.percent else ""
        return f"{self.low!r}{sign}..{self.high!r}{sign}"


def parse_size(text: str) -> int:
    """Bytes from "2GiB", "500MB" or "4096".

    Raises
    ------
    ValueError
        If the text is no size.
    """
    number, unit = split_number(text)
    scale = {"": 1, "b": 1}
    for power, prefix in enumerate("kmgt", start=1):
        scale |= {prefix: 1024**power, f"{prefix}b": 1000**power, f"{prefix}ib": 1024**power}
    count = int(number * scale.get(unit.lower(), 0))
    if count < 1:
        raise ValueError(f"{text!r} is not a size such as 2GiB or 500MB")
    return count
