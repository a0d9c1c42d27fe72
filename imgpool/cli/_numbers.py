"""Values of options that are numbers. All functions raise `UsageError` for anything else."""

from typing import NoReturn


def parse_count(text: str, option: str) -> int | None:
    """Return an integer from 1, or None for "auto"."""
    if text == "auto":
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        _refuse(text, option, "an integer from 1, or auto", "4")
    return int(text)


def parse_whole(text: str, option: str, *, minimum: int = 1, example: int) -> int:
    """Return an integer from `minimum`; a refusal recommends the example."""
    if not text.isascii() or not text.isdigit() or int(text) < minimum:
        _refuse(text, option, f"an integer from {minimum}", str(example))
    return int(text)


def parse_seconds(text: str, option: str) -> float:
    """Return a time in seconds, at least 0."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:
        _refuse(text, option, "a number of seconds from 0", "60")
    return seconds


def _refuse(text: str, option: str, accepted: str, example: str) -> NoReturn:
    from imgpool.core.errors import UsageError

    raise UsageError(f"{option} must be {accepted}, not {text}", f"for example {option} {example}")
