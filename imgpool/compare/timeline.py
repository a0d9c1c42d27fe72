"""Where the time of a run's workers was spent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imgpool.core.engine import RunMetrics
from imgpool.core.task import Result


@dataclass(frozen=True, slots=True)
class StageTime:
    """Seconds that a stage took, summed over all workers."""

    stage: str
    seconds: float


@dataclass(frozen=True, slots=True)
class WorkSpan:
    """The time that a worker spent on one image.

    Attributes
    ----------
    pid
        Process id of the worker.
    began, finished
        Seconds after the start of the run.
    """

    pid: int
    began: float
    finished: float

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.finished - self.began


def stage_times(
    results: Sequence[Result],
    spans: Sequence[WorkSpan],
    *,
    steps: Sequence[str],
    workers: int,
    seconds: float,
    metrics: RunMetrics,
) -> tuple[StageTime, ...]:
    """Divide the time of all workers among the stages, in the order in which an image passes through them.

    Parameters
    ----------
    results, spans
        Result and span of every image.
    steps
        Names of the recipe's filters.
    workers, seconds
        Number of workers and duration of the run. Their product is divided among the stages.
    metrics
        The engine's metrics of the run.

    Returns
    -------
    tuple of StageTime
        "start", "read", one for each filter, "other" (between filters), "write", "dispatch", "idle" and "end".
    """
    read, filter_, write = (sum(result.seconds.get(name, 0.0) for result in results) for name in _IMAGE_STAGES)
    filters = [0.0] * len(steps)
    for result in results:
        for index, step_seconds in enumerate(result.step_seconds):
            filters[index] += step_seconds
    start = workers * min((span.began for span in spans), default=seconds)
    end = workers * (seconds - max((span.finished for span in spans), default=seconds))
    remaining = workers * seconds - start - end - read - filter_ - write
    dispatch = min(max(0.0, remaining), metrics.chunks * metrics.dispatch_seconds)
    return (
        StageTime("start", start),
        StageTime("read", read),
        *(StageTime(name, each) for name, each in zip(number_duplicates(steps), filters, strict=True)),
        StageTime("other", max(0.0, filter_ - sum(filters))),
        StageTime("write", write),
        StageTime("dispatch", dispatch),
        StageTime("idle", remaining - dispatch),
        StageTime("end", end),
    )


_IMAGE_STAGES = ("read", "filter", "write")


def number_duplicates(names: Sequence[str]) -> list[str]:
    """Append a number to names that have occurred before.

    Examples
    --------
    >>> number_duplicates(["median", "gaussian", "median"])
    ['median', 'gaussian', 'median 2']
    """
    counts = [names[: index + 1].count(name) for index, name in enumerate(names)]
    return [name if count == 1 else f"{name} {count}" for name, count in zip(names, counts, strict=True)]


def tail_seconds(spans: Iterable[WorkSpan]) -> float:
    """Return the seconds at the end in which only one worker was busy; 0 with a single worker."""
    last: dict[int, float] = {}
    for span in spans:
        last[span.pid] = max(last.get(span.pid, 0.0), span.finished)
    ends = sorted(last.values())
    return ends[-1] - ends[-2] if len(ends) > 1 else 0.0


def max_waiting(intervals: Iterable[tuple[float, float]]) -> int:
    """Return the largest number of intervals (begin, end) that overlap at one time.

    Examples
    --------
    >>> max_waiting([(0, 3), (1, 2), (2, 4)])
    2
    """
    changes = sorted(change for begin, end in intervals for change in ((begin, 1), (max(begin, end), -1)))
    most = waiting = 0
    for _, step in changes:
        waiting += step
        most = max(most, waiting)
    return most
