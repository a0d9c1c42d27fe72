"""Numbers, file names and lines as people read them."""

import os
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

    from imgpool.output.hash_chain import Damage

UNPRINTABLE_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode categories of control characters, surrogates, and line and paragraph separators."""

DIRECTION_CHARACTERS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that change the direction of writing. With them, a file name can look like a different one."""


@dataclass(frozen=True, slots=True)
class StyledLine:
    """A line of text and its style.

    Rich is only imported when a line is shown in colour, because the import takes longer than processing an image.

    Attributes
    ----------
    plain
        The text without its style.
    style
        A style of rich, such as "red".
    """

    plain: str
    style: str = ""

    def __rich__(self) -> "Text":
        """Convert for printing by rich."""
        from rich.text import Text

        return Text(self.plain, self.style)


def printable(name: str) -> str:
    r"""Make a file name safe to print: escape control characters and bytes that are not UTF-8.

    Examples
    --------
    >>> printable("a\nb.tif")
    'a\\nb.tif'
    """
    if name.isprintable():
        return name
    return "".join(
        character
        if unicodedata.category(character) not in UNPRINTABLE_CATEGORIES and character not in DIRECTION_CHARACTERS
        else ascii(character)[1:-1]
        for character in name
    )


def short(path: str, root: str) -> str:
    """Return a path relative to `root` if it lies below it, and the unchanged path otherwise; safe to print."""
    return printable(path.removeprefix(os.path.join(root, "")) if root else path)


def current_folder() -> str:
    """Return the current folder; empty if it no longer exists."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def relative(text: str) -> str:
    """Shorten each absolute path below the current folder that a text mentions."""
    folder = current_folder()
    if not folder.strip(os.sep):
        return text
    return re.sub(rf"(?<![^\s'\"`(]){re.escape(os.path.join(folder, ''))}(?=\S)", "", text)


def size(count: float) -> str:
    """Format a number of bytes in decimal units: "3.1 GB"."""
    if count < 1000:  # noqa: PLR2004 - decimal units
        return plural(round(count), "byte")
    for unit, digits in (("kB", 0), ("MB", 1), ("GB", 1)):
        count /= 1000
        if round(count, digits) < 1000:  # noqa: PLR2004 - decimal units
            return f"{count:.{digits}f} {unit}"
    return f"{count / 1000:.1f} TB"


def damage_text(damage: "Damage") -> str:
    """Say that the journal is damaged, and how this is dealt with."""
    more = f" and {plural(damage.more, 'more line')}" if damage.more else ""
    return (
        f"the journal is damaged in line {damage.line:,}{more}: "
        "a run checks the outputs by their hashes, and makes again what it cannot prove"
    )


def duration(seconds: float) -> str:
    """Format a duration in seconds: "31.5 s", or "2:05:09" from one minute on."""
    if round(seconds, 1) < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def plural(count: int, noun: str) -> str:
    """Format a count with its noun: "1 image", "1,204 images"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
