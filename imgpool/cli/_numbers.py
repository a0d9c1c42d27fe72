"""Values of options that are numbers. All functions raise `UsageError` for anything else."""

from typing import NoReturn

from imgpool.core.ranges import INTEGERS, TIMEOUT, NumberRange, shown


def parse_count(text: str, option: str) -> int | None:
    """Return an integer from 1, or None for "auto"."""
    if text == "auto":
        return None
    if not text.isascii() or not text.isdigit() or not text.strip("0"):
        _refuse(text, option, "an integer from 1, or auto", "4")
    return _within(text, option, ", or auto", "4")


def parse_whole(text: str, option: str, *, minimum: int = 1, example: int) -> int:
    """Return an integer from `minimum`, which is 0 or 1; a refusal recommends the example."""
    if not text.isascii() or not text.isdigit() or (minimum > 0 and not text.strip("0")):
        _refuse(text, option, f"an integer from {minimum}", str(example))
    return _within(text, option, "", str(example))


def parse_seconds(text: str, option: str) -> float:
    """Return a time in seconds, at least 0."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:
        _refuse(text, option, "a number of seconds from 0", "60")
    if seconds > TIMEOUT.greatest:
        _refuse(text, option, f"a number of seconds from 0 to {TIMEOUT.greatest:,}", "60")
    return seconds


def _within(text: str, option: str, alternative: str, example: str) -> int:
    """Return the number if it is not too large for the option. Python refuses to convert thousands of digits."""
    accepted = INTEGERS.get(option.lstrip("-").replace("-", "_"), NumberRange(0, 10**9))
    digits = text.lstrip("0") or "0"
    if len(digits) > len(str(accepted.greatest)) or int(digits) > accepted.greatest:
        _refuse(text, option, f"an integer from {accepted.least} to {accepted.greatest:,}{alternative}", example)
    return int(digits)


def _refuse(text: str, option: str, accepted: str, example: str) -> NoReturn:
    from imgpool.core.errors import UsageError

    raise UsageError(f"{option} must be {accepted}, not {shown(text)}", f"for example {option} {example}")
