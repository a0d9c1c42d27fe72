"""Stdout, where the result of a command goes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console

from imgpool.report.text import StyledLine
from imgpool.system.streams import print_text

if TYPE_CHECKING:
    from rich.text import Text


def print_lines(lines: "Iterable[StyledLine | Text]") -> None:
    """Print lines on stdout, in colour on a terminal. Characters that its encoding lacks are printed as escapes."""
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    text = _render(console, lines) if console.is_terminal else "\n".join(line.plain for line in lines)
    if text:
        print_text(text.encode(console.encoding, "backslashreplace").decode(console.encoding))


def _render(console: Console, lines: "Iterable[StyledLine | Text]") -> str:
    with console.capture() as capture:
        for line in lines:
            console.print(line)
    return capture.get().removesuffix("\n")
