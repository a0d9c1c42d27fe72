"""What a run shows on stderr: progress, failures as they happen, and a summary."""

from collections.abc import Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import Self

from imgpool.core.engine import RunMetrics
from imgpool.core.task import Result
from imgpool.report.hints import with_options
from imgpool.report.progress import LINE_INTERVAL_S, choose_progress, progress_text
from imgpool.report.stderr import stderr_console
from imgpool.report.tally import Counts, Tally
from imgpool.report.text import StyledLine, duration, plural, printable, relative, short


class Reporter:
    """Shows a run, from its first result to its summary; a context manager.

    Parameters
    ----------
    tally
        Counts the results.
    to_do
        Number of images to process.
    root
        Folder that paths are shown relative to.
    verbosity
        -1 shows failures only; 0 shows progress too; 1 shows a line for every image, and tracebacks.
    line_interval
        Seconds between two lines of progress where there is no terminal.
    """

    def __init__(
        self, tally: Tally, to_do: int, root: str, verbosity: int = 0, *, line_interval: float = LINE_INTERVAL_S
    ) -> None:
        self._console = stderr_console()
        self._tally = tally
        self._root = root
        self._verbosity = verbosity
        self._shown_reason = ""
        quiet = verbosity < 0 or not to_do
        self._progress = choose_progress(
            self._console, partial(progress_text, tally), to_do, quiet=quiet, line_interval=line_interval
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def print(self, text: str, style: str = "") -> None:
        """Print a line, unless the verbosity is -1."""
        if self._verbosity >= 0:
            self._console.print(StyledLine(text, style))

    def print_always(self, text: str) -> None:
        """Print a line, whatever the verbosity."""
        self._console.print(StyledLine(text))

    def show_warning(self, text: str) -> None:
        """Print how the run continues in another way than requested, whatever the verbosity."""
        self._console.print(StyledLine(f"! {printable(with_options(text))}", "yellow"))

    def show_metrics(self, metrics: RunMetrics) -> None:
        """With verbosity 1, print what the engine chose and why, each time it chooses differently."""
        if self._verbosity > 0 and metrics.reason != self._shown_reason:
            self._shown_reason = metrics.reason
            self._console.print(StyledLine(f"  {with_options(metrics.reason)}", "dim"))

    def show(self, result: Result) -> None:
        """Count a result, and print its line if it has one."""
        self._tally.add(result)
        if result.failure:
            for line in failure_lines(result, self._root, traceback=self._verbosity > 0):
                self._console.print(line)
        elif self._verbosity > 0:
            self._console.print(_success_line(result, self._root))
        if result.status != "skipped" or result.pid:  # without one, it was known beforehand
            self._progress.advance()

    def summary(self, advice: Sequence[str] = ()) -> None:
        """End the progress display; print the counts, the metadata that was not stored, and advice."""
        self._progress.stop()
        if self._verbosity >= 0:
            for line in (*summary_lines(self._tally), *(StyledLine(f"  {text}") for text in advice)):
                self._console.print(line)


def summary_lines(counts: Counts, *, running: bool = False) -> Iterator[StyledLine]:
    """Return the counts of a run, and the metadata that the output format could not store."""
    numbers = f"{counts.done:,} done · {counts.failed:,} failed · {counts.skipped:,} skipped"
    numbers += f" · {counts.left:,} left" if counts.left else ""
    speed = f" · {duration(counts.seconds)} · {counts.rate:.1f} images/s" if counts.rate else ""
    mark, style = ("✗", "red") if counts.failed or counts.left else ("✓", "green")
    yield StyledLine(f"  {numbers}{speed}") if running else StyledLine(f"{mark} {numbers}{speed}", style)
    for kind, count in sorted(counts.lost.items()):
        yield StyledLine(f"  not stored in this format: {kind.replace('_', ' ')} ({plural(count, 'image')})")


def failure_lines(result: Result, root: str, *, traceback: bool = False) -> Iterator[StyledLine]:
    """Return the line of an image that failed: path relative to `root`, stage, reason and remedy."""
    failure = result.failure
    assert failure is not None
    texts = [failure.message, *([failure.hint] if failure.hint else [])]
    parts = [
        short(result.task.source, root),
        failure.stage,
        *(printable(with_options(relative(text))) for text in texts),
    ]
    yield StyledLine("✗ " + " · ".join(parts), "red")
    if traceback and failure.traceback:
        yield StyledLine(failure.traceback.rstrip(), "dim")


def _success_line(result: Result, root: str) -> StyledLine:
    name = short(result.task.source, root)
    if result.status == "skipped":
        why = "already done" if result.sha256 or not result.pid else "another file is at its target"
        return StyledLine(f"- {name} · {why}", "dim")
    shape = "×".join(map(str, result.shape))
    stages = [f"{stage} {seconds * 1000:.0f} ms" for stage, seconds in result.seconds.items()]
    parts = [name, f"{result.dtype} {result.axes} {shape}", *stages]
    if result.lost:
        parts.append(f"not stored in this format: {', '.join(result.lost).replace('_', ' ')}")
    return StyledLine(f"✓ {' · '.join(parts)}")
