"""Values of a description, checked when they are read; errors name the field."""

import contextlib
import math
import reprlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from imgpool.core.errors import RecipeError

MAX_SHOWN_CHARACTERS = 60
MAX_TEXT_LENGTH = 255
MAX_LINE_LENGTH = 2000

Numbers = float | tuple[float, ...]
"""One number for all entries of an axis, or one for each."""


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping in a description, and its path there: "inputs[0].axes[1]"."""

    values: dict[Any, Any]
    path: str = ""

    @classmethod
    def of(cls, value: object, path: str = "") -> "Fields":
        """Check that `value` is a mapping; None is an empty one."""
        if value is None:
            return cls({}, path)
        if not isinstance(value, dict):
            raise invalid_value(path or "the description", "a mapping of names to values", value)
        return cls(value, path)

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None

    def path_to(self, key: str) -> str:
        """Path of one of the values."""
        return f"{self.path}.{key}" if self.path else key

    def mapping(self, key: str) -> "Fields":
        """A mapping; empty if there is none."""
        return Fields.of(self.values.get(key), self.path_to(key))

    def sequence(self, key: str) -> list[Any]:
        """A list; empty if there is none."""
        value = self.values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise invalid_value(self.path_to(key), "a list", value)
        return value

    def texts(self, key: str) -> list[str]:
        """A list of texts; empty if there is none."""
        return [Fields({key: value}, self.path).text(key) for value in self.sequence(key)]

    def mappings(self, key: str) -> Iterator["Fields"]:
        """The mappings in a list."""
        for index, value in enumerate(self.sequence(key)):
            yield Fields.of(value, f"{self.path_to(key)}[{index}]")

    def text(self, key: str, default: str | None = None) -> str:
        """A text of at most `MAX_TEXT_LENGTH` characters; numbers are converted."""
        value = self._value(key, default)
        if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > MAX_TEXT_LENGTH:
            raise invalid_value(self.path_to(key), "a short text", value)
        return str(value)

    def line(self, key: str) -> str:
        """A text to show, on one line and without control characters; empty if there is none."""
        value = self.values.get(key)
        if not isinstance(value, str | int | float):
            return ""
        return "".join(letter for letter in " ".join(str(value).split()) if letter.isprintable())[:MAX_LINE_LENGTH]

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number."""
        return _finite_number(self._value(key, default), self.path_to(key))

    def numbers(self, key: str, default: Numbers | None = None) -> Numbers:
        """A finite number, or a list of them."""
        value = self._value(key, default)
        if isinstance(value, list | tuple) and value:
            return tuple(_finite_number(each, self.path_to(key)) for each in value)
        return _finite_number(value, self.path_to(key))

    def integer(self, key: str, minimum: int, default: int | None = None) -> int:
        """An integer of at least `minimum`."""
        return _integer(self._value(key, default), minimum, self.path_to(key))

    def integers(self, key: str, count: int, minimum: int) -> list[int]:
        """A list of `count` integers, each at least `minimum`."""
        values = self.sequence(key)
        if len(values) != count:
            raise invalid_value(self.path_to(key), f"one number for each of the {count} axes", values)
        return [_integer(value, minimum, self.path_to(key)) for value in values]

    def _value(self, key: str, default: object) -> Any:  # noqa: ANN401 - YAML can hold anything
        value = self.values.get(key)
        value = default if value is None else value
        if value is None:
            raise RecipeError(f"its description has no {self.path_to(key)}")
        return value


def invalid_value(path: str, expected: str, value: object) -> RecipeError:
    """Make the error for a field with an invalid value."""
    shown = reprlib.repr(value)  # nested YAML aliases can make the full repr endless
    shown = shown if len(shown) <= MAX_SHOWN_CHARACTERS else f"{shown[:MAX_SHOWN_CHARACTERS]}…"
    return RecipeError(f"its {path} must be {expected}, not {shown}")


def _integer(value: object, minimum: int, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value < 1 << 32:
        raise invalid_value(path, f"an integer of {minimum} or more", value)
    return value


def _finite_number(value: object, path: str) -> float:
    """Check a number; 1e-6 is a number in YAML 1.2, but a text in YAML 1.1."""
    number = math.nan
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):
            number = float(value)
    if not math.isfinite(number):
        raise invalid_value(path, "a number", value)
    return number
