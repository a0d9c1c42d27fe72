"""How far a run has come: a bar on a terminal, a line now and then in a log file."""

import time
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from imgpool.report.tally import Tally
from imgpool.report.text import duration

LINE_SECONDS = 10.0
"""Between two lines of progress where there is no terminal."""


class Progress(Protocol):
    """Shows how far a run has come."""

    def start(self) -> None:
        """Begin to show."""

    def advance(self) -> None:
        """One image more is finished, and counted."""

    def stop(self) -> None:
        """Show no more."""


def progress_line(tally: Tally, left: int) -> str:
    """Rate, time left and failures: "38.2 images/s · 9.0 s left · 2 failed"."""
    parts = [f"{tally.rate:.1f} images/s"]
    if tally.rate and left:
        parts.append(f"{duration(left / tally.rate)} left")
    if tally.failed:
        parts.append(f"{tally.failed:,} failed")
    return " · ".join(parts)


class Silent:
    """Shows nothing."""

    def start(self) -> None:
        """Show nothing."""

    def advance(self) -> None:
        """Show nothing."""

    def stop(self) -> None:
        """Show nothing."""


class Bar:
    """A bar with rate, time left and failures, on a terminal."""

    def __init__(self, console: Console, tally: Tally, to_do: int) -> None:
        columns = (TextColumn(" "), BarColumn(32), MofNCompleteColumn(), TextColumn("·"), _Line(tally))
        self._progress = RichProgress(*columns, console=console, transient=True, refresh_per_second=5)
        self._task = self._progress.add_task("", total=to_do)

    def start(self) -> None:
        """Draw the bar."""
        self._progress.start()

    def advance(self) -> None:
        """Move the bar by one image."""
        self._progress.advance(self._task)

    def stop(self) -> None:
        """Take the bar away."""
        self._progress.stop()


class _Line(ProgressColumn):
    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self._tally = tally

    def render(self, task: Task) -> Text:
        return Text(progress_line(self._tally, int((task.total or 0) - task.completed)))


class Lines:
    """A line every few seconds, where stderr is no terminal."""

    def __init__(self, console: Console, tally: Tally, to_do: int) -> None:
        self._console = console
        self._tally = tally
        self._to_do = to_do
        self._finished = 0
        self._said = time.monotonic()

    def start(self) -> None:
        """Begin to wait for the first line."""
        self._said = time.monotonic()

    def advance(self) -> None:
        """Print a line if the last one is long ago."""
        self._finished += 1
        if time.monotonic() - self._said >= LINE_SECONDS:
            self._said = time.monotonic()
            line = progress_line(self._tally, self._to_do - self._finished)
            self._console.print(Text(f"  {self._finished:,}/{self._to_do:,} · {line}"))

    def stop(self) -> None:
        """Leave nothing open."""
