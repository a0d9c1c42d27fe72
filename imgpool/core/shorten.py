"""Values in messages: as text, and never longer than a line."""

MAX_CHARACTERS = 80


def shorten(value: object) -> str:
    """Return a value as text; the end of a long one is replaced by "…"."""
    try:
        text = str(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, or nested data
        return "…"
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}…"


def quote(value: object) -> str:
    """Return a value as in source code, shortened."""
    try:
        return shorten(repr(value))
    except (ValueError, RecursionError):
        return "…"
