"""Progress of a comparison on stderr."""

from collections.abc import Iterator

from imgpool.batch.plan import RunPlan
from imgpool.compare.bare_pool import PoolMethod, PoolMethodTiming
from imgpool.compare.comparison import ComparisonProgress
from imgpool.compare.measurement import Measurement
from imgpool.compare.results import Comparison
from imgpool.report.compare_words import label
from imgpool.report.progress import choose_progress
from imgpool.report.stderr import stderr_console
from imgpool.report.text import StyledLine, duration, plural, printable


class ComparisonDisplay:
    """Shows the progress of a comparison on stderr.

    Parameters
    ----------
    plan
        The plan whose images are compared.
    verbose
        Show a line for every measurement.
    """

    def __init__(self, plan: RunPlan, *, verbose: bool = False) -> None:
        self._plan = plan
        self._verbose = verbose
        self._console = stderr_console()
        self._seconds_left = 0.0

    def follow(self, steps: Iterator[ComparisonProgress]) -> Comparison:
        """Go through all steps, show them, and return the finished comparison."""
        images = plural(len(self._plan.tasks), "image")
        self._print(f"{printable(self._plan.settings.recipe.name)} · {images} · choosing a sample")
        first = next(steps)
        sample = plural(len(first.comparison.tasks), "image")
        self._print(f"  {plural(first.runs_left, 'more run')} over {sample}, about {duration(first.seconds_left)}")
        self._show(first)
        progress = choose_progress(self._console, self._status_text, first.runs_left)
        progress.start()
        try:
            for step in steps:
                self._show(step)
                progress.advance()
        finally:
            progress.stop()
        return first.comparison

    def _show(self, step: ComparisonProgress) -> None:
        self._seconds_left = step.seconds_left
        if self._verbose:
            self._print(f"  {_describe(step.latest)}")

    def _status_text(self, _left: int) -> str:
        return f"about {duration(self._seconds_left)} left"

    def _print(self, text: str) -> None:
        self._console.print(StyledLine(text))


def _describe(latest: Measurement | PoolMethodTiming | PoolMethod) -> str:
    if isinstance(latest, PoolMethod):
        return f"{label(latest)} · did not finish"
    if isinstance(latest, PoolMethodTiming):
        return f"{label(latest.method)} · {latest.seconds:.2f} s"
    reason = f" · {printable(latest.metrics.reason)}" if latest.metrics.reason else ""
    return f"{label(latest.setup)} · {latest.seconds:.2f} s · {latest.images_per_second:.1f} images/s{reason}"
