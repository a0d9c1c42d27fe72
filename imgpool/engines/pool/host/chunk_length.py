"""How long the next chunk is to be: from what tasks take, what handing over costs, and what is left.

Handing a chunk over costs about half a millisecond of the processors' time, whatever is in it: small tasks go in
long chunks. A long chunk that is begun last keeps one worker busy while the others have gone home: chunks shrink
toward the end. All here is arithmetic: no clock, no process.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from imgpool.core.task import Task

LONGEST = 128
"""Tasks in a chunk, where the length is chosen here: what they answer still fits into a pipe."""

LONGEST_SECONDS = 0.125
"""A chunk's length in time, where the length is chosen here: progress is seen, and a death costs little."""

OVERHEAD = 0.015
"""The part of a chunk's time that handing it over may cost."""

SHORTEST = 4
"""Times what handing over costs: toward the end a chunk is worth no less."""

SHARE = 4
"""A chunk is at most the fourth part of what is left for each worker."""


@dataclass(frozen=True, slots=True)
class Load:
    """Tasks, as far as their time depends on it: how many, and the bytes of their files."""

    tasks: int = 0
    nbytes: int = 0

    @classmethod
    def of(cls, tasks: Iterable[Task]) -> "Load":
        """What these tasks amount to."""
        sizes = [task.size for task in tasks]
        return cls(len(sizes), sum(sizes))

    def __add__(self, other: "Load") -> "Load":
        return Load(self.tasks + other.tasks, self.nbytes + other.nbytes)

    def __sub__(self, other: "Load") -> "Load":
        return Load(self.tasks - other.tasks, self.nbytes - other.nbytes)


class TaskTimes:
    """What tasks take: seconds ≈ a + b × bytes, learnt from the chunks that were done last.

    Files may differ in kind from one part of a run to the next: what was long ago counts less and less. A task
    that takes far longer than was to be expected (the disk was busy, a worker was cold) counts as one that takes
    a few times as long: it hardly matters, but where all do, it is soon believed.

    Parameters
    ----------
    workers
        Whose chunks are seen here.
    """

    MEMORY = 8  # chunks of each worker after which what was learnt counts for a third
    OUTLIER = 4.0  # times what was to be expected
    RIDGE = 0.01  # of the mean size squared: between files of nearly the same size no slope is seen

    def __init__(self, workers: int = 1) -> None:
        self._keep = math.exp(-1 / (self.MEMORY * workers))
        self._weight = self._x = self._y = self._xx = self._xy = 0.0

    @property
    def known(self) -> bool:
        """Whether anything has been learnt."""
        return self._weight > 0

    def learn(self, load: Load, seconds: float) -> None:
        """Take note of what a chunk took: at least one task."""
        x, y = load.nbytes / load.tasks, seconds / load.tasks
        if self._weight > self.OUTLIER:
            y = min(y, self.OUTLIER * self.seconds(Load(1, round(x))))
        sums = (self._weight, self._x, self._y, self._xx, self._xy)
        news = (1.0, x, y, x * x, x * y)
        kept = (self._keep * old + load.tasks * new for old, new in zip(sums, news, strict=True))
        self._weight, self._x, self._y, self._xx, self._xy = kept

    def seconds(self, load: Load) -> float:
        """What these tasks will take, one after the other; infinite as long as nothing is known."""
        start, slope = self.line
        return start * load.tasks + slope * load.nbytes

    @property
    def line(self) -> tuple[float, float]:
        """The best a and b that are not negative."""
        if not self.known:
            return math.inf, 0.0
        x, y = self._x / self._weight, self._y / self._weight
        variance = max(0.0, self._xx / self._weight - x * x) + self.RIDGE * x * x
        slope = max(0.0, (self._xy / self._weight - x * y) / variance) if variance else 0.0
        return (y - slope * x, slope) if slope * x <= y else (0.0, y / x)


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What handing one chunk over costs.

    Attributes
    ----------
    worker
        Seconds that a worker loses between two chunks, though there is work for it.
    host
        Seconds that the process computes which serves all workers.
    """

    worker: float = 0.0002
    host: float = 0.0003

    LEAST = 0.00005
    MOST = 0.005
    RISE = 1.05  # at most so many times what it was: most of what a worker waits is for want of work
    PART = 0.05  # of what is new

    @property
    def seconds(self) -> float:
        """Both together: they run on the same processors."""
        return self.worker + self.host

    def learn(self, waited: float, host: float) -> "Dispatch":
        """The same after one more chunk, for which a worker has waited, and the host has computed so long."""
        return Dispatch(
            min(max(waited, self.LEAST), self.RISE * self.worker, self.MOST),
            self.host + self.PART * (min(max(host, self.LEAST), self.MOST) - self.host),
        )


def longest_seconds(dispatch: Dispatch, workers: int) -> float:
    """The time of a chunk that is worth handing over; and of so many that the host keeps up with all workers."""
    return min(LONGEST_SECONDS, max(dispatch.seconds / OVERHEAD, 2 * workers * dispatch.host))


def chunk_seconds(dispatch: Dispatch, left: float, workers: int) -> float:
    """The time that the next chunk is to take.

    Parameters
    ----------
    dispatch
        What handing it over costs.
    left
        Seconds that all tasks together will take which have not been handed out; may be infinite.
    workers
        Processes that work at the same time.
    """
    share = max(left / (SHARE * workers), SHORTEST * dispatch.seconds)
    return min(longest_seconds(dispatch, workers), share)


def chunk_length(seconds: Iterable[float], budget: float) -> int:
    """How many of the next tasks, which take so long each, fit into the time: at least one, if there is one."""
    length, spent = 0, 0.0
    for task_seconds in seconds:
        spent += task_seconds
        if length and (spent > budget or length == LONGEST):
            break
        length += 1
    return length
