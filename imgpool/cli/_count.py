"""Options that take a number, or leave it to imgpool."""


def count(text: str, option: str) -> int | None:
    """The number that an option was given, None for "auto"; raises `UsageError`."""
    from imgpool.core.errors import UsageError

    if text == "auto":
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise UsageError(f"{option} {text}: not a whole number from 1 up", f"{option} 4, or {option} auto")
    return int(text)
