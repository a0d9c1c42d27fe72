"""How far a run has come: a bar on a terminal, a line now and then in a log file."""

import time
from collections.abc import Callable
from typing import Protocol

from imgpool.report.stderr import StderrConsole, stderr_console
from imgpool.report.tally import Counts
from imgpool.report.text import StyledLine, duration

__all__ = ["Progress", "choose_progress", "progress_line", "stderr_console"]

LINE_SECONDS = 10.0
"""Between two lines of progress where there is no terminal."""


class Progress(Protocol):
    """Shows how far a run has come."""

    def start(self) -> None:
        """Begin to show."""

    def advance(self, images: int = 1) -> None:
        """So many images more are finished, and counted."""

    def stop(self) -> None:
        """Show no more."""


def progress_line(counts: Counts, left: int) -> str:
    """Rate, time left and failures: "38.2 images/s · 9.0 s left · 2 failed"."""
    parts = [f"{counts.rate:.1f} images/s"]
    if counts.rate and left:
        parts.append(f"{duration(left / counts.rate)} left")
    if counts.failed:
        parts.append(f"{counts.failed:,} failed")
    return " · ".join(parts)


class NoProgress:
    """Shows nothing."""

    def start(self) -> None:
        """Show nothing."""

    def advance(self, images: int = 1) -> None:
        """Show nothing."""

    def stop(self) -> None:
        """Show nothing."""


class ProgressLines:
    """A line every few seconds, where stderr is no terminal."""

    def __init__(self, console: StderrConsole, line: Callable[[int], str], to_do: int) -> None:
        self._console = console
        self._line = line
        self._to_do = to_do
        self._finished = 0
        self._said = time.monotonic()

    def start(self) -> None:
        """Begin to wait for the first line."""
        self._said = time.monotonic()

    def advance(self, images: int = 1) -> None:
        """Print a line if the last one is long ago."""
        self._finished += images
        if time.monotonic() - self._said >= LINE_SECONDS:
            self._said = time.monotonic()
            line = self._line(self._to_do - self._finished)
            self._console.print(StyledLine(f"  {self._finished:,}/{self._to_do:,} · {line}"))

    def stop(self) -> None:
        """Leave nothing open."""


def choose_progress(console: StderrConsole, line: Callable[[int], str], to_do: int, *, quiet: bool = False) -> Progress:
    """What suits a console: a bar on a terminal, else lines; nothing where nothing is wanted."""
    if quiet:
        return NoProgress()
    if not console.is_terminal:
        return ProgressLines(console, line, to_do)
    from imgpool.report.progress_bar import ProgressBar

    return ProgressBar(console, line, to_do)
