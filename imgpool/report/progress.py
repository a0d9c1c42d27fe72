"""Progress of a command: a bar on a terminal, a line every few seconds in a log file."""

import time
from collections.abc import Callable
from typing import Protocol

from imgpool.report.stderr import StderrConsole
from imgpool.report.tally import Counts
from imgpool.report.text import StyledLine, duration

LINE_INTERVAL_S = 10.0
"""Time between two progress lines where there is no terminal."""


class Progress(Protocol):
    """Shows how many of the items have been finished."""

    def start(self) -> None:
        """Show the progress from now on."""

    def advance(self, items: int = 1) -> None:
        """Count items that have been finished."""

    def stop(self) -> None:
        """Stop showing the progress; remove the bar, if there is one."""


class NoProgress:
    """Shows nothing."""

    def start(self) -> None:
        """Show nothing."""

    def advance(self, items: int = 1) -> None:
        """Show nothing."""

    def stop(self) -> None:
        """Show nothing."""


class ProgressLines:
    """Prints a line every few seconds, for log files.

    Parameters
    ----------
    console
        Console to print on.
    text
        Returns the text after the counts, given the number of items that are left.
    total
        Number of items.
    interval
        Seconds between two lines.
    """

    def __init__(self, console: StderrConsole, text: Callable[[int], str], total: int, interval: float) -> None:
        self._console = console
        self._text = text
        self._total = total
        self._interval = interval
        self._finished = 0
        self._last_line = time.monotonic()

    def start(self) -> None:
        """Wait for one interval before the first line."""
        self._last_line = time.monotonic()

    def advance(self, items: int = 1) -> None:
        """Count finished items; print a line if the last one was printed long enough ago."""
        self._finished += items
        if time.monotonic() - self._last_line >= self._interval:
            self._last_line = time.monotonic()
            text = self._text(self._total - self._finished)
            self._console.print(StyledLine(f"  {self._finished:,}/{self._total:,} · {text}"))

    def stop(self) -> None:
        """Print no more lines."""


def choose_progress(
    console: StderrConsole,
    text: Callable[[int], str],
    total: int,
    *,
    quiet: bool = False,
    line_interval: float = LINE_INTERVAL_S,
) -> Progress:
    """Return the kind of progress that suits a console.

    Parameters
    ----------
    console
        Console to show the progress on.
    text
        Returns the text beside the counts, given the number of items that are left.
    total
        Number of items.
    quiet
        Show nothing.
    line_interval
        Seconds between two lines where there is no terminal.
    """
    if quiet:
        return NoProgress()
    if not console.is_terminal:
        return ProgressLines(console, text, total, line_interval)
    from imgpool.report.progress_bar import ProgressBar

    return ProgressBar(console, text, total)


def progress_text(counts: Counts, left: int) -> str:
    """Return rate, time left and failures: "38.2 images/s · 9.0 s left · 2 failed"."""
    parts = [f"{counts.rate:.1f} images/s"]
    if counts.rate and left:
        parts.append(f"{duration(left / counts.rate)} left")
    if counts.failed:
        parts.append(f"{counts.failed:,} failed")
    return " · ".join(parts)
