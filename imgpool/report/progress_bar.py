"""A progress bar for terminals."""

from collections.abc import Callable
from typing import cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from imgpool.report.stderr import StderrConsole


class ProgressBar:
    """A progress bar with a text beside it.

    Parameters
    ----------
    console
        Console to draw on.
    text
        Returns the text, given the number of items that are left.
    total
        Number of items.
    """

    def __init__(self, console: StderrConsole, text: Callable[[int], str], total: int) -> None:
        columns = (TextColumn(" "), BarColumn(32), MofNCompleteColumn(), TextColumn("·"), _ChangingText(text))
        self._progress = Progress(*columns, console=cast("Console", console), transient=True, refresh_per_second=5)
        self._task = self._progress.add_task("", total=total)

    def start(self) -> None:
        """Draw the bar."""
        self._progress.start()

    def advance(self, items: int = 1) -> None:
        """Move the bar."""
        self._progress.advance(self._task, items)

    def stop(self) -> None:
        """Remove the bar."""
        self._progress.stop()


class _ChangingText(ProgressColumn):
    def __init__(self, text: Callable[[int], str]) -> None:
        super().__init__()
        self._text = text

    def render(self, task: Task) -> Text:
        return Text(self._text(int((task.total or 0) - task.completed)))
