"""A bar on a terminal that shows how far a run has come."""

from collections.abc import Callable
from typing import cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from imgpool.report.stderr import StderrConsole


class ProgressBar:
    """A bar on a terminal, with a line beside it that tells more, such as `progress_line`.

    Parameters
    ----------
    line
        Called with the number of images that are left.
    """

    def __init__(self, console: StderrConsole, line: Callable[[int], str], to_do: int) -> None:
        columns = (TextColumn(" "), BarColumn(32), MofNCompleteColumn(), TextColumn("·"), _StatusColumn(line))
        self._progress = Progress(*columns, console=cast("Console", console), transient=True, refresh_per_second=5)
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


class _StatusColumn(ProgressColumn):
    def __init__(self, line: Callable[[int], str]) -> None:
        super().__init__()
        self._line = line

    def render(self, task: Task) -> Text:
        return Text(self._line(int((task.total or 0) - task.completed)))
