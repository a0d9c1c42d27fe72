"""Values of a description, checked when they are taken: a wrong one is refused with the place where it stands."""

import contextlib
import math
import reprlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from imgpool.core.errors import RecipeError

WIDTH = 60
LONGEST = 255
MOST_SHOWN = 2000

Numbers = float | tuple[float, ...]
"""One for all, or one for each entry of an axis."""


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping of a description, and where it stands: "inputs[0].axes[1]"."""

    values: dict[Any, Any]
    place: str = ""

    @classmethod
    def of(cls, value: object, place: str = "") -> "Fields":
        """Check that `value` is a mapping; none at all counts as an empty one."""
        if value is None:
            return cls({}, place)
        if not isinstance(value, dict):
            raise wrong(place or "the description", "a mapping of names to values", value)
        return cls(value, place)

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None

    def at(self, key: str) -> str:
        """The place of one of the values."""
        return f"{self.place}.{key}" if self.place else key

    def inner(self, key: str) -> "Fields":
        """A mapping; empty where there is none."""
        return Fields.of(self.values.get(key), self.at(key))

    def items(self, key: str) -> list[Any]:
        """A list; empty where there is none."""
        value = self.values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise wrong(self.at(key), "a list", value)
        return value

    def texts(self, key: str) -> list[str]:
        """A list of texts; empty where there is none."""
        return [Fields({key: value}, self.place).text(key) for value in self.items(key)]

    def mappings(self, key: str) -> Iterator["Fields"]:
        """The mappings in a list."""
        for index, value in enumerate(self.items(key)):
            yield Fields.of(value, f"{self.at(key)}[{index}]")

    def text(self, key: str, default: str | None = None) -> str:
        """A text of at most `LONGEST` letters; a number counts as one."""
        value = self._value(key, default)
        if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > LONGEST:
            raise wrong(self.at(key), "a short text", value)
        return str(value)

    def line(self, key: str) -> str:
        """A text for people, without what could play tricks on a terminal; empty where there is none."""
        value = self.values.get(key)
        if not isinstance(value, str | int | float):
            return ""
        return "".join(letter for letter in " ".join(str(value).split()) if letter.isprintable())[:MOST_SHOWN]

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number."""
        return _number(self._value(key, default), self.at(key))

    def numbers(self, key: str, default: Numbers | None = None) -> Numbers:
        """A finite number, or a list of them."""
        value = self._value(key, default)
        if isinstance(value, list | tuple) and value:
            return tuple(_number(each, self.at(key)) for each in value)
        return _number(value, self.at(key))

    def whole(self, key: str, least: int, default: int | None = None) -> int:
        """A whole number of at least `least`."""
        return whole(self._value(key, default), least, self.at(key))

    def wholes(self, key: str, count: int, least: int) -> list[int]:
        """A list of `count` whole numbers, of at least `least` each."""
        values = self.items(key)
        if len(values) != count:
            raise wrong(self.at(key), f"one number for each of the {count} axes", values)
        return [whole(value, least, self.at(key)) for value in values]

    def _value(self, key: str, default: object) -> Any:  # noqa: ANN401 - YAML can hold anything
        value = self.values.get(key)
        value = default if value is None else value
        if value is None:
            raise RecipeError(f"its description has no {self.at(key)}")
        return value


def whole(value: object, least: int, place: str) -> int:
    """A whole number of at least `least`, checked."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 1 << 32:
        raise wrong(place, f"a whole number of {least} or more", value)
    return value


def wrong(place: str, wanted: str, value: object) -> RecipeError:
    """The error for a value that is not what it has to be."""
    shown = reprlib.repr(value)  # a list that holds itself many times over has an endless repr
    return RecipeError(f"its {place} must be {wanted}, not {shown if len(shown) <= WIDTH else shown[:WIDTH] + '…'}")


def _number(value: object, place: str) -> float:
    """A finite number, checked; written as 1e-6 it is a number to YAML 1.2, and a text to YAML 1.1."""
    number = math.nan
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):
            number = float(value)
    if not math.isfinite(number):
        raise wrong(place, "a number", value)
    return number
