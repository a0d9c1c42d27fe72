"""What a person sees of a run: progress, failures as they happen, a summary. All on stderr."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from imgpool.core.task import Result
from imgpool.report.progress import Bar, Lines, Progress, Silent
from imgpool.report.tally import Tally
from imgpool.report.text import duration, plural, printable, short


class Reporter:
    """Tells of a run, from its first result to its summary; a context manager.

    Parameters
    ----------
    tally
        Counts the results.
    to_do
        Images that will run.
    root
        Paths below it are shown without it.
    verbosity
        -1 shows failures only, 0 progress too, 1 a line for every image, and tracebacks.
    """

    def __init__(self, tally: Tally, to_do: int, root: str, verbosity: int = 0) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False, markup=False)
        self._tally = tally
        self._root = root
        self._verbosity = verbosity
        self._progress: Progress = Silent()
        if verbosity >= 0 and to_do:
            self._progress = (Bar if self._console.is_terminal else Lines)(self._console, tally, to_do)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def say(self, text: str, style: str = "") -> None:
        """Print a line, unless only failures are wanted."""
        if self._verbosity >= 0:
            self._console.print(Text(text, style))

    def show(self, result: Result) -> None:
        """Count a result and tell of it."""
        self._tally.add(result)
        if result.failure:
            self._show_failure(result)
        elif self._verbosity > 0:
            self._console.print(self._success(result))
        if result.status != "skipped":
            self._progress.advance()

    def summary(self, advice: Sequence[str] = ()) -> None:
        """Print what the run did, and what to do about what it did not."""
        tally = self._tally
        counts = f"{tally.done:,} done · {tally.failed:,} failed · {tally.skipped:,} skipped"
        counts += f" · {tally.left:,} left" if tally.left else ""
        speed = f" · {duration(tally.seconds)} · {tally.rate:.1f} images/s" if tally.done or tally.failed else ""
        mark, style = ("✗", "red") if tally.failed or tally.left else ("✓", "green")
        self.say(f"{mark} {counts}{speed}", style)
        for kind, count in sorted(tally.lost.items()):
            self.say(f"  {plural(count, 'output')} could not keep: {kind.replace('_', ' ')}")
        for line in advice:
            self.say(f"  {line}")

    def _show_failure(self, result: Result) -> None:
        failure = result.failure
        assert failure is not None
        parts = [short(result.task.source, self._root), failure.stage, printable(failure.message)]
        parts += [printable(failure.hint)] * bool(failure.hint)
        self._console.print(Text("✗ " + " · ".join(parts), "red"))
        if self._verbosity > 0 and failure.traceback:
            self._console.print(Text(failure.traceback.rstrip(), "dim"))

    def _success(self, result: Result) -> Text:
        name = short(result.task.source, self._root)
        if result.status == "skipped":
            return Text(f"- {name} · done before", "dim")
        stages = " · ".join(f"{stage} {seconds * 1000:.0f} ms" for stage, seconds in result.seconds.items())
        pixels = "×".join(map(str, result.shape))
        lost = f" · could not keep: {', '.join(result.lost).replace('_', ' ')}" if result.lost else ""
        return Text(f"✓ {name} · {result.dtype} {result.axes} {pixels} · {stages}{lost}")
