"""Stderr, where all is shown that is meant for people."""

import os
import sys
from typing import TYPE_CHECKING, Protocol, TextIO, cast

from imgpool.report.text import StyledLine
from imgpool.system.streams import BestEffortStream

if TYPE_CHECKING:
    from rich.text import Text

FORCING = ("FORCE_COLOR", "TTY_COMPATIBLE")
"""Environment variables by which rich takes what is no terminal for one."""


class StderrConsole(Protocol):
    """Where lines are shown: rich's console, or `PlainConsole`."""

    @property
    def is_terminal(self) -> bool:
        """Whether it can show colours, and what moves."""

    def print(self, line: "StyledLine | Text", /) -> None:
        """Show a line."""


class PlainConsole:
    """A stream that is no terminal: lines without colours, and without the time that it takes to import rich."""

    is_terminal = False

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def print(self, line: "StyledLine | Text", /) -> None:
        """Write a line."""
        if self._stream:
            self._stream.write(f"{line.plain}\n")
            self._stream.flush()


def stderr_console() -> StderrConsole:
    """Stderr as it shows lines; it takes names as they are, and goes on without an audience."""
    stderr = cast("TextIO", BestEffortStream(sys.stderr)) if sys.stderr else None
    if not (stderr and stderr.isatty()) and not any(map(os.environ.get, FORCING)):
        return PlainConsole(stderr)
    from rich.console import Console

    return Console(file=stderr, stderr=True, highlight=False, soft_wrap=True, emoji=False, markup=False)
