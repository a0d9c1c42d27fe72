"""Where the time of a run's workers went."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from imgpool.core.engine import RunMetrics
from imgpool.core.task import Result


@dataclass(frozen=True, slots=True)
class StageTime:
    """What a stage took, of all workers together, in seconds."""

    stage: str
    seconds: float


@dataclass(frozen=True, slots=True)
class WorkSpan:
    """One image's time in a worker.

    Attributes
    ----------
    pid
        The worker.
    began, finished
        In seconds after the start of the run.
    """

    pid: int
    began: float
    finished: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.finished - self.began


def stage_times(
    results: Sequence[Result],
    spans: Sequence[WorkSpan],
    steps: Sequence[str],
    workers: int,
    seconds: float,
    metrics: RunMetrics,
) -> tuple[StageTime, ...]:
    """Where the time of all workers went, in the order in which an image meets it.

    Parameters
    ----------
    results, spans
        Of every image.
    steps
        The recipe's filters.
    workers, seconds
        Of the run: their product is shared out.
    metrics
        What the engine says of the run.
    """
    read, filter_, write = (
        sum(each.seconds.get(stage, 0.0) for each in results) for stage in ("read", "filter", "write")
    )
    filters = [0.0] * len(steps)
    for result in results:
        for index, step_seconds in enumerate(result.step_seconds):
            filters[index] += step_seconds
    start = workers * min((span.began for span in spans), default=seconds)
    end = workers * (seconds - max((span.finished for span in spans), default=seconds))
    left = workers * seconds - start - end - read - filter_ - write
    dispatch = min(max(0.0, left), metrics.chunks * metrics.dispatch_seconds)
    return (
        StageTime("start", start),
        StageTime("read", read),
        *(StageTime(name, each) for name, each in zip(numbered(steps), filters, strict=True)),
        StageTime("other", max(0.0, filter_ - sum(filters))),
        StageTime("write", write),
        StageTime("dispatch", dispatch),
        StageTime("idle", left - dispatch),
        StageTime("end", end),
    )


def numbered(names: Sequence[str]) -> list[str]:
    """The names, those that come again with their number.

    Examples
    --------
    >>> numbered(["median", "gaussian", "median"])
    ['median', 'gaussian', 'median 2']
    """
    counts = [names[: index + 1].count(name) for index, name in enumerate(names)]
    return [name if count == 1 else f"{name} {count}" for name, count in zip(names, counts, strict=True)]


def alone_at_the_end(spans: Iterable[WorkSpan]) -> float:
    """Seconds between the last images of the two workers that finished last; 0 with a single worker."""
    last: dict[int, float] = {}
    for span in spans:
        last[span.pid] = max(last.get(span.pid, 0.0), span.finished)
    ends = sorted(last.values(), reverse=True)
    return max((later - earlier for later, earlier in pairwise(ends[:2])), default=0.0)


def most_waiting(spells: Iterable[tuple[float, float]]) -> int:
    """The most that waited at one time, each from its first to its second moment.

    Examples
    --------
    >>> most_waiting([(0, 3), (1, 2), (2, 4)])
    2
    """
    moments = sorted(moment for begin, end in spells for moment in ((begin, 1), (max(begin, end), -1)))
    most = waiting = 0
    for _, change in moments:
        waiting += change
        most = max(most, waiting)
    return most
