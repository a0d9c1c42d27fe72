"""How far a run has come: a bar on a terminal, a line now and then in a log file."""

import sys
import time
from collections.abc import Callable
from typing import Protocol, TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from imgpool.report.stream import Unfailing
from imgpool.report.tally import Counts
from imgpool.report.text import duration

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


class Silent:
    """Shows nothing."""

    def start(self) -> None:
        """Show nothing."""

    def advance(self, images: int = 1) -> None:
        """Show nothing."""

    def stop(self) -> None:
        """Show nothing."""


class Bar:
    """A bar on a terminal, with a line beside it that tells more, such as `progress_line`.

    Parameters
    ----------
    line
        Called with the number of images that are left.
    """

    def __init__(self, console: Console, line: Callable[[int], str], to_do: int) -> None:
        columns = (TextColumn(" "), BarColumn(32), MofNCompleteColumn(), TextColumn("·"), _Line(line))
        self._progress = RichProgress(*columns, console=console, transient=True, refresh_per_second=5)
        self._task = self._progress.add_task("", total=to_do)

    def start(self) -> None:
        """Draw the bar."""
        self._progress.start()

    def advance(self, images: int = 1) -> None:
        """Move the bar."""
        self._progress.advance(self._task, images)

    def stop(self) -> None:
        """Take the bar away."""
        self._progress.stop()


class _Line(ProgressColumn):
    def __init__(self, line: Callable[[int], str]) -> None:
        super().__init__()
        self._line = line

    def render(self, task: Task) -> Text:
        return Text(self._line(int((task.total or 0) - task.completed)))


class Lines:
    """A line every few seconds, where stderr is no terminal."""

    def __init__(self, console: Console, line: Callable[[int], str], to_do: int) -> None:
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
            self._console.print(Text(f"  {self._finished:,}/{self._to_do:,} · {line}"))

    def stop(self) -> None:
        """Leave nothing open."""


def choose_progress(console: Console, line: Callable[[int], str], to_do: int, *, quiet: bool = False) -> Progress:
    """What suits a console: a bar on a terminal, else lines; nothing where nothing is wanted."""
    if quiet:
        return Silent()
    return (Bar if console.is_terminal else Lines)(console, line, to_do)


def stderr_console() -> Console:
    """Stderr as rich sees it; it takes names as they are, and goes on without an audience."""
    stderr = cast("TextIO", Unfailing(sys.stderr)) if sys.stderr else None
    return Console(file=stderr, stderr=True, highlight=False, soft_wrap=True, emoji=False, markup=False)
