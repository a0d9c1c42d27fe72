"""Options that take a number or "auto"."""


def parse_count(text: str, option: str) -> int | None:
    """Return the value of an option as a number, or None for "auto"; raise `UsageError` for anything else."""
    from imgpool.core.errors import UsageError

    if text == "auto":
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise UsageError(f"{option} must be a whole number from 1, or auto, not {text}", f"for example {option} 4")
    return int(text)
