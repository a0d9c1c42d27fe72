"""What a person sees of a run: progress, failures as they happen, a summary. All on stderr."""

from collections.abc import Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import Self

from imgpool.core.engine import RunMetrics
from imgpool.core.task import Result
from imgpool.report.hints import with_options
from imgpool.report.progress import choose_progress, progress_line, stderr_console
from imgpool.report.tally import Counts, Tally
from imgpool.report.text import StyledLine, duration, plural, printable, short


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
        self._console = stderr_console()
        self._tally = tally
        self._root = root
        self._verbosity = verbosity
        self._explained = ""
        quiet = verbosity < 0 or not to_do
        self._progress = choose_progress(self._console, partial(progress_line, tally), to_do, quiet=quiet)

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
            self._console.print(StyledLine(text, style))

    def explain(self, metrics: RunMetrics) -> None:
        """Say with ``-v`` what the engine has chosen, and why; once, until it chooses anew."""
        if self._verbosity > 0 and metrics.reason != self._explained:
            self._explained = metrics.reason
            self._console.print(StyledLine(f"  {metrics.reason}", "dim"))

    def notice(self, text: str) -> None:
        """Print a line that answers a person, whatever is wanted else."""
        self._console.print(StyledLine(text))

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
        """Print what the run did, and what to do about what it did not; progress is shown no more."""
        self._progress.stop()
        if self._verbosity >= 0:
            for text in (*summary_lines(self._tally), *(StyledLine(f"  {line}") for line in advice)):
                self._console.print(text)

    def _show_failure(self, result: Result) -> None:
        for text in failure_lines(result, self._root, traceback=self._verbosity > 0):
            self._console.print(text)

    def _success(self, result: Result) -> StyledLine:
        name = short(result.task.source, self._root)
        if result.status == "skipped":
            return StyledLine(f"- {name} · done before", "dim")
        stages = " · ".join(f"{stage} {seconds * 1000:.0f} ms" for stage, seconds in result.seconds.items())
        pixels = "×".join(map(str, result.shape))
        lost = f" · could not keep: {', '.join(result.lost).replace('_', ' ')}" if result.lost else ""
        return StyledLine(f"✓ {name} · {result.dtype} {result.axes} {pixels} · {stages}{lost}")


def summary_lines(counts: Counts, *, running: bool = False) -> Iterator[StyledLine]:
    """What a run did, or has done so far, in numbers."""
    numbers = f"{counts.done:,} done · {counts.failed:,} failed · {counts.skipped:,} skipped"
    numbers += f" · {counts.left:,} left" if counts.left else ""
    speed = f" · {duration(counts.seconds)} · {counts.rate:.1f} images/s" if counts.rate else ""
    mark, style = ("✗", "red") if counts.failed or counts.left else ("✓", "green")
    yield StyledLine(f"  {numbers}{speed}") if running else StyledLine(f"{mark} {numbers}{speed}", style)
    for kind, count in sorted(counts.lost.items()):
        yield StyledLine(f"  {plural(count, 'output')} could not keep: {kind.replace('_', ' ')}")


def failure_lines(result: Result, root: str, *, traceback: bool = False) -> Iterator[StyledLine]:
    """An image that failed: its name as seen from `root`, the stage, the reason and the remedy."""
    failure = result.failure
    assert failure is not None
    parts = [short(result.task.source, root), failure.stage, printable(with_options(failure.message))]
    parts += [printable(with_options(failure.hint))] * bool(failure.hint)
    yield StyledLine("✗ " + " · ".join(parts), "red")
    if traceback and failure.traceback:
        yield StyledLine(failure.traceback.rstrip(), "dim")
