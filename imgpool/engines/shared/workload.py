"""Amounts of work, and how long they take."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from imgpool.core.task import Task


@dataclass(frozen=True, slots=True)
class Workload:
    """An amount of work: the number of tasks and the total size of their files in bytes."""

    tasks: int = 0
    nbytes: int = 0

    @classmethod
    def of(cls, tasks: Iterable[Task]) -> "Workload":
        """Return the workload of some tasks."""
        sizes = [task.size for task in tasks]
        return cls(len(sizes), sum(sizes))

    def __add__(self, other: "Workload") -> "Workload":
        return Workload(self.tasks + other.tasks, self.nbytes + other.nbytes)

    def __sub__(self, other: "Workload") -> "Workload":
        return Workload(self.tasks - other.tasks, self.nbytes - other.nbytes)


class TaskTimes:
    """Estimates the duration of tasks from those that are done, as seconds = a + b × bytes.

    Older observations count less, because files may differ in kind from one part of a run to the next. A task that
    takes far longer than expected (the disk was busy, a worker was new) counts as one that takes a few times as long.
    One such task hardly changes the estimate; many of them soon do.

    Parameters
    ----------
    workers
        Number of workers whose chunks are observed.
    """

    MEMORY_CHUNKS = 8  # chunks per worker after which an observation counts for a third (1/e)
    MAX_DEVIATION = 4.0  # an observation counts at most as this multiple of the estimate
    RIDGE = 0.01  # of the mean size squared: files of nearly the same size determine no slope

    def __init__(self, workers: int = 1) -> None:
        self._decay = math.exp(-1 / (self.MEMORY_CHUNKS * workers))
        self._weight = self._x = self._y = self._xx = self._xy = 0.0

    @property
    def known(self) -> bool:
        """Whether anything has been observed."""
        return self._weight > 0

    def observe(self, workload: Workload, seconds: float) -> None:
        """Add an observation of at least one task."""
        x, y = workload.nbytes / workload.tasks, seconds / workload.tasks
        if self._weight > self.MAX_DEVIATION:
            y = min(y, self.MAX_DEVIATION * self.estimate(Workload(1, round(x))))
        sums = (self._weight, self._x, self._y, self._xx, self._xy)
        observation = (1.0, x, y, x * x, x * y)
        updated = (self._decay * old + workload.tasks * new for old, new in zip(sums, observation, strict=True))
        self._weight, self._x, self._y, self._xx, self._xy = updated

    def estimate(self, workload: Workload) -> float:
        """Return the seconds that a workload takes if done one task at a time; infinite if nothing is known."""
        intercept, slope = self.line
        return intercept * workload.tasks + slope * workload.nbytes

    @property
    def line(self) -> tuple[float, float]:
        """The best fit of a (seconds per task) and b (seconds per byte), neither negative."""
        if not self.known:
            return math.inf, 0.0
        x, y = self._x / self._weight, self._y / self._weight
        variance = max(0.0, self._xx / self._weight - x * x) + self.RIDGE * x * x
        slope = max(0.0, (self._xy / self._weight - x * y) / variance) if variance else 0.0
        return (y - slope * x, slope) if slope * x <= y else (0.0, y / x)
