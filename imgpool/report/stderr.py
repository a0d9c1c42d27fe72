"""Stderr, where everything goes that is meant for people and is not the result of a command."""

import os
import sys
from typing import TYPE_CHECKING, Protocol, TextIO, cast

from imgpool.report.text import StyledLine
from imgpool.system.streams import BestEffortStream

if TYPE_CHECKING:
    from rich.text import Text

FORCE_TERMINAL_VARIABLES = ("FORCE_COLOR", "TTY_COMPATIBLE")
"""Environment variables that make rich treat any stream as a terminal."""


class StderrConsole(Protocol):
    """Prints lines: rich's console, or `PlainConsole`."""

    @property
    def is_terminal(self) -> bool:
        """Whether colours and a progress bar can be shown."""

    def print(self, line: "StyledLine | Text", /) -> None:
        """Print a line."""


class PlainConsole:
    """Prints lines without colours to a stream that is not a terminal, without importing rich, which is slow."""

    is_terminal = False

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def print(self, line: "StyledLine | Text", /) -> None:
        """Print a line."""
        if self._stream:
            self._stream.write(f"{line.plain}\n")
            self._stream.flush()


def stderr_console() -> StderrConsole:
    """Return a console on stderr. It prints file names unchanged, and never fails when nobody reads stderr."""
    stderr = cast("TextIO", BestEffortStream(sys.stderr)) if sys.stderr else None
    if not (stderr and stderr.isatty()) and not any(map(os.environ.get, FORCE_TERMINAL_VARIABLES)):
        return PlainConsole(stderr)
    from rich.console import Console

    return Console(file=stderr, stderr=True, highlight=False, soft_wrap=True, emoji=False, markup=False)
