"""Quantities with units: lengths ("0.65um", "2px"), areas ("12um2"), ranges ("100..4000", "2%..98%"), sizes ("2GiB").

A physical length is stored in µm and converted to pixels with the pixel size of each image.
"""

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from imgpool.core.errors import FilterError
from imgpool.core.hint import Hint
from imgpool.core.parsed import Parsed

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

    from imgpool.core.image import PixelSize

MICROMETRES = {"nm": 1e-3, "um": 1.0, "mm": 1e3, "cm": 1e4}
"""Length of each unit in µm."""

MAX_MICROMETRES = 1e9
"""Longest physical length, 1 km; what it is in pixels is checked for each image."""

MAX_ANISOTROPY = 0.01
"""Largest relative difference between height and width at which a pixel counts as square."""

_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(.*)", re.DOTALL)


def split_number(text: str) -> tuple[float, str]:
    """Split "0.65 µm" into 0.65 and "um"; raises ``ValueError`` if the text does not start with a finite number."""
    match = _NUMBER.fullmatch(text.strip())
    if not match:
        raise ValueError("must start with a number")
    if not math.isfinite(float(match[1])):
        raise ValueError("must be a finite number")
    unit = match[2].strip().replace("µ", "u").replace("μ", "u").replace("²", "2").replace("^2", "2")
    return float(match[1]), unit


def _split_or_raise(value: object, description: str) -> tuple[float, str]:
    """Split a number or text like `split_number`, with an error that describes the whole value."""
    try:
        return split_number(str(value))  # Python refuses to print an integer of more than 4,300 digits
    except ValueError:
        raise ValueError(f"must be {description}") from None


@dataclass(frozen=True, slots=True)
class _Measure(Parsed):
    """A number in pixels or in a physical unit; it compares with plain numbers by its value."""

    value: float
    unit: Literal["px", "um"] = "px"

    power: ClassVar[int]
    power_suffix: ClassVar[str]
    description: ClassVar[str]

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a number of pixels, or text such as "2px" or "650nm"; raises ``ValueError``."""
        if isinstance(value, cls):
            return value
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(f"must be {cls.description}")
        number, unit = _split_or_raise(value, cls.description)
        if unit in {"", "px"}:
            return cls(number, "px")
        length_unit = unit.removesuffix(cls.power_suffix)
        if length_unit not in MICROMETRES or unit != length_unit + cls.power_suffix:
            raise ValueError(f"must be {cls.description}")
        per_micrometre = round(1 / MICROMETRES[length_unit])  # division makes 70nm and 0.07um the same float
        if per_micrometre:
            return cls(number / per_micrometre**cls.power, "um")
        return cls(number * MICROMETRES[length_unit] ** cls.power, "um")

    def __str__(self) -> str:
        unit = self.unit + (self.power_suffix if self.unit == "um" else "")
        return f"{self.value:g}{unit}" if self.value == float(f"{self.value:g}") else f"{self.value!r}{unit}"

    def __gt__(self, other: float) -> bool:
        return self.value > other

    def __ge__(self, other: float) -> bool:
        return self.value >= other

    def __lt__(self, other: float) -> bool:
        return self.value < other

    def __le__(self, other: float) -> bool:
        return self.value <= other

    def require_pixel_size(self, pixel_size: "PixelSize | None") -> "PixelSize":
        """Return the pixel size; raises `FilterError` if it is unknown."""
        if pixel_size is None:
            raise FilterError(
                f"{self} needs the pixel size, which the file does not contain",
                f"add {Hint('pixel_size', '0.325um')} with the size of your pixels, or give the value in px",
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
    power_suffix: ClassVar[str] = ""
    description: ClassVar[str] = "a length in px, nm, um, mm or cm, for example 2px or 0.65um"

    def in_pixels(self, pixel_size: "PixelSize | None") -> tuple[float, float]:
        """Return the length in pixels along Y and along X.

        Raises
        ------
        FilterError
            If the length is physical and the pixel size is unknown or unreasonably small.
        """
        if self.unit == "px":
            return self.value, self.value
        size = self.require_pixel_size(pixel_size)
        return _divide(self, size.y), _divide(self, size.x)

    def in_square_pixels(self, pixel_size: "PixelSize | None") -> float:
        """Return the length in pixels for a shape that is equally high and wide, such as a disk or a square.

        Raises
        ------
        FilterError
            If the length is physical and the pixel size is unknown, or the pixels are not square within 1 %.
        """
        y, x = self.in_pixels(pixel_size)
        if abs(y - x) > MAX_ANISOTROPY * max(y, x):
            raise FilterError(f"{self} is {y:.3g} px high but {x:.3g} px wide: the pixels are not square",
                              "resize to square pixels first, or give the length in px")  # fmt: skip
        return y


@dataclass(frozen=True, slots=True)
class Area(_Measure):
    """An area in pixels or in µm²."""

    power: ClassVar[int] = 2
    power_suffix: ClassVar[str] = "2"
    description: ClassVar[str] = "an area in px, nm2, um2, mm2 or cm2, for example 40px or 12um2"

    def in_pixels(self, pixel_size: "PixelSize | None") -> float:
        """Return the area in pixels.

        Raises
        ------
        FilterError
            If the area is physical and the pixel size is unknown or unreasonably small.
        """
        if self.unit == "px":
            return self.value
        size = self.require_pixel_size(pixel_size)
        return _divide(self, size.y * size.x)


def _divide(measure: _Measure, pixel: float) -> float:
    """Return how many pixels of a given length or area a physical one has."""
    count = measure.value / pixel if pixel > 0 else math.inf
    if not math.isfinite(count):
        raise FilterError(
            f"{measure} has no finite size in pixels: the pixel size in the file is wrong",
            "correct it in the file, or give the value in px",
        )
    return count


@dataclass(frozen=True, slots=True)
class UpTo:
    """Largest value of a parameter that is a `Length`, as metadata of its type: ``Annotated[Length, UpTo(100)]``.

    A physical length is compared with 1 km when the recipe is read, and in pixels for each image (`check`).

    Attributes
    ----------
    pixels
        The largest number of pixels.
    """

    pixels: float

    def __get_pydantic_core_schema__(self, source: type[Any], handler: "GetCoreSchemaHandler") -> "CoreSchema":
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self._check_range, handler(source))

    def __str__(self) -> str:
        return f"≤ {self.pixels:g} px"

    def check(self, name: str, length: Length, pixel_size: "PixelSize | None") -> tuple[float, float]:
        """Return a length in pixels along Y and X; raise `FilterError` if it is too long in this image."""
        y, x = length.in_pixels(pixel_size)
        if max(y, x) > self.pixels:
            raise FilterError(
                f"{name}={length} is {max(y, x):.0f} px in this image, above the limit of {self.pixels:g} px",
                f"check the unit of {name}, or resize the image first",
            )
        return y, x

    def _check_range(self, length: Length) -> Length:
        limit = Length(self.pixels) if length.unit == "px" else Length(MAX_MICROMETRES, "um")
        if length.value > limit.value:
            raise ValueError(f"must be at most {limit}")
        return length


@dataclass(frozen=True, slots=True)
class Range(Parsed):
    """An interval of grey levels ("100..4000") or of percentiles ("0.35%..99.65%").

    Attributes
    ----------
    low, high
        Grey levels; percentiles from 0 to 100 if `percent` is true.
    """

    low: float
    high: float
    percent: bool = False

    description: ClassVar[str] = "a range, for example 100..4000 or 2%..98%"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read "100..4000", "2%..98%" or a pair of numbers; raises ``ValueError``."""
        if isinstance(value, cls):
            return value
        ends = value.split("..") if isinstance(value, str) else value
        if not isinstance(ends, list | tuple) or len(ends) != 2:  # noqa: PLR2004 - low and high
            raise ValueError(f"must be {cls.description}")
        (low, low_unit), (high, high_unit) = (_split_or_raise(end, cls.description) for end in ends)
        if low_unit != high_unit or low_unit not in {"", "%"}:
            raise ValueError(f"must be {cls.description}")
        parsed = cls(low, high, low_unit == "%")
        parsed._check_order()
        return parsed

    def _check_order(self) -> None:
        if not self.low < self.high:
            raise ValueError("must be a range from a lower to a higher value")
        if self.percent and not 0 <= self.low < self.high <= 100:  # noqa: PLR2004 - percentiles end at 100
            raise ValueError("must be a range from a lower to a higher percentile, between 0% and 100%")

    def __str__(self) -> str:
        sign = "%" if self.percent else ""
        return f"{self.low!r}{sign}..{self.high!r}{sign}"


def parse_size(text: str) -> int:
    """Convert "2GiB", "500MB" or "4096" to bytes.

    Raises
    ------
    ValueError
        If the text is not a size of at least one byte.
    """
    scale = {"": 1, "b": 1}
    for power, prefix in enumerate("kmgt", start=1):
        scale |= {prefix: 1024**power, f"{prefix}b": 1000**power, f"{prefix}ib": 1024**power}
    description = "a size, for example 2GiB or 500MB"
    number, unit = _split_or_raise(text, description)
    size = number * scale.get(unit.lower(), 0)
    if not 1 <= size < math.inf:
        raise ValueError(f"must be {description}")
    return int(size)
