"""Numbers and names as people read them."""

import os
import unicodedata


def printable(name: str) -> str:
    r"""A file name fit for a terminal: control characters and bytes that are not UTF-8 are written as escapes.

    Examples
    --------
    >>> printable("a\nb.tif")
    'a\\nb.tif'
    """
    return "".join(
        character if unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"} else ascii(character)[1:-1]
        for character in name
    )


def short(path: str, root: str) -> str:
    """A path as seen from `root`, where it lies below it."""
    inside = os.path.join(root, "")
    return printable(path.removeprefix(inside))


def size(count: float) -> str:
    """Bytes, in decimal units: "3.1 GB"."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:  # noqa: PLR2004 - decimal units
            return f"{count:,.0f} {unit}" if unit in {"bytes", "kB"} else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """Seconds as "31.5 s" or "2:05:09"."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def plural(count: int, noun: str) -> str:
    """A count with its noun: "1 image", "1,204 images"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
