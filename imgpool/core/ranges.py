"""Which numbers the numeric parameters of a run accept: enough for every use, and few enough to be represented."""

from typing import NamedTuple

from imgpool.core.errors import UsageError
from imgpool.core.hint import Hint

MIN_MAX_MEMORY = 16 * 1024**2
"""Least memory limit in bytes. A smaller one is a number without its unit."""

MAX_DIGITS = 40
"""Digits of a number that a message shows."""


class NumberRange(NamedTuple):
    """The least and the greatest number that a parameter accepts."""

    least: int
    greatest: int


INTEGERS = {
    "workers": NumberRange(1, 4096),
    "chunksize": NumberRange(1, 10**9),
    "retries": NumberRange(0, 10**6),
    "max_memory": NumberRange(MIN_MAX_MEMORY, 2**60),
    "max_pixels": NumberRange(1, 2**60),
    "sample": NumberRange(1, 10**9),
    "limit": NumberRange(1, 10**9),
    "rounds": NumberRange(1, 1000),
}
"""Parameters that are integers."""

TIMEOUT = NumberRange(0, 10**9)
"""Seconds, 30 years at most; 0 for no limit."""


def check_integer(name: str, value: object) -> None:
    """Raise `UsageError` if an integer parameter has another type, or a value beyond its range."""
    least, greatest = INTEGERS[name]
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise UsageError(f"{Hint(name)} must be an integer, not {shown(value)}", f"use {least} or more")
    if not least <= value.__index__() <= greatest:
        _refuse(name, value, INTEGERS[name])


def check_timeout(value: object) -> None:
    """Raise `UsageError` if a timeout is not a number of seconds within its range."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise UsageError(f"{Hint('timeout')} must be a number of seconds, not {shown(value)}", "use 0 or more")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = float("inf")
    if not TIMEOUT.least <= seconds <= TIMEOUT.greatest:
        _refuse("timeout", value, TIMEOUT)


def shown(value: object) -> str:
    """Return a value as a message shows it: a long number is cut."""
    try:
        text = str(value)
    except ValueError:  # Python refuses to print an integer of more than 4,300 digits
        return "a number with thousands of digits"
    return text if len(text) <= MAX_DIGITS else f"{text[:MAX_DIGITS]}…"


def _refuse(name: str, value: object, accepted: NumberRange) -> None:
    if name == "max_memory":
        _refuse_memory(value)
    hint = f"use {accepted.greatest:,} or less" if _exceeds(value, accepted) else f"use {accepted.least} or more"
    raise UsageError(f"{Hint(name)} is {shown(value)}", hint)


def _refuse_memory(value: object) -> None:
    if _exceeds(value, INTEGERS["max_memory"]):
        raise UsageError(
            f"{Hint('max_memory')} is more than any machine has", f"for example {Hint('max_memory', '8GiB')}"
        )
    raise UsageError(
        f"{Hint('max_memory')} is {shown(value)} bytes, which is too little for any image",
        f"give the unit, for example {Hint('max_memory', '8GiB')}; the least is {MIN_MAX_MEMORY // 1024**2}MiB",
    )


def _exceeds(value: object, accepted: NumberRange) -> bool:
    return bool(value > accepted.greatest)  # type: ignore[operator]  # it is a number
