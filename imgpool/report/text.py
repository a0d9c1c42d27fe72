"""Numbers and names as people read them."""

import os
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""These turn the direction of writing: with them a name can look like another."""


@dataclass(frozen=True, slots=True)
class StyledLine:
    """A line of text and its style; rich is not imported where nothing is styled, for that takes longer than an image.

    Attributes
    ----------
    plain
        The text alone.
    style
        In rich's words: "red".
    """

    plain: str
    style: str = ""

    def __rich__(self) -> "Text":
        """As rich prints it."""
        from rich.text import Text

        return Text(self.plain, self.style)


def printable(name: str) -> str:
    r"""A file name fit for a terminal: control characters and bytes that are not UTF-8 are written as escapes.

    Examples
    --------
    >>> printable("a\nb.tif")
    'a\\nb.tif'
    """
    if name.isprintable():
        return name
    return "".join(
        character
        if unicodedata.category(character) not in UNPRINTABLE and character not in TURNING
        else ascii(character)[1:-1]
        for character in name
    )


def short(path: str, root: str) -> str:
    """A path as seen from `root`, where it lies below it."""
    inside = os.path.join(root, "")
    return printable(path.removeprefix(inside))


def size(count: float) -> str:
    """Bytes, in decimal units: "3.1 GB"."""
    if count < 1000:  # noqa: PLR2004 - decimal units
        return plural(round(count), "byte")
    for unit, digits in (("kB", 0), ("MB", 1), ("GB", 1)):
        count /= 1000
        if round(count, digits) < 1000:  # noqa: PLR2004
            return f"{count:.{digits}f} {unit}"
    return f"{count / 1000:.1f} TB"


def duration(seconds: float) -> str:
    """Seconds as "31.5 s" or "2:05:09"."""
    if round(seconds, 1) < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def plural(count: int, noun: str) -> str:
    """A count with its noun: "1 image", "1,204 images"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
