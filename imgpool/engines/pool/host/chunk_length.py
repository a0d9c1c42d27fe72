"""Length of the next chunk: from the duration of tasks, the cost of handing over a chunk, and the work that is left.

Handing over a chunk costs about half a millisecond of CPU time, whatever it contains, so small tasks go in long chunks.
A long chunk that starts last keeps one worker busy while the others have nothing left to do, so chunks shrink toward
the end. All of this is arithmetic: no clock, no process.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from imgpool.engines.pool.protocol.messages import MAX_CHUNK_TASKS

MAX_CHUNK_SECONDS = 0.125
"""Longest duration of a chunk: progress stays visible, and little is lost when a worker dies."""

MAX_DISPATCH_SHARE = 0.015
"""Share of a chunk's duration that handing it over may cost."""

MIN_CHUNK_DISPATCHES = 4
"""Shortest duration of a chunk toward the end, as a multiple of what handing it over costs."""

MIN_CHUNKS_LEFT_PER_WORKER = 4
"""A chunk is at most this fraction (1/4) of a worker's share of the remaining work."""


@dataclass(frozen=True, slots=True)
class DispatchCost:
    """Cost of handing over one chunk.

    Attributes
    ----------
    worker
        Seconds that a worker is idle between two chunks although there is work for it.
    host
        CPU seconds of the host process, which serves all workers.
    """

    worker: float = 0.0002
    host: float = 0.0003

    MIN_SECONDS = 0.00005
    MAX_SECONDS = 0.005
    MAX_GROWTH = 1.05  # per observation: most idle time of a worker has another cause, a lack of work
    WEIGHT = 0.05  # of an observation in the moving average

    @property
    def seconds(self) -> float:
        """Cost in worker and host together: they run on the same processors."""
        return self.worker + self.host

    def observe(self, idle_seconds: float, host_seconds: float) -> "DispatchCost":
        """Return the cost updated by one more chunk: the worker's idle time before it, and the host's CPU time."""
        return DispatchCost(
            min(max(idle_seconds, self.MIN_SECONDS), self.MAX_GROWTH * self.worker, self.MAX_SECONDS),
            self.host + self.WEIGHT * (min(max(host_seconds, self.MIN_SECONDS), self.MAX_SECONDS) - self.host),
        )


def max_chunk_seconds(dispatch: DispatchCost, workers: int) -> float:
    """Return the longest useful duration: handing over costs little then, and the host keeps up with all workers."""
    return min(MAX_CHUNK_SECONDS, max(dispatch.seconds / MAX_DISPATCH_SHARE, 2 * workers * dispatch.host))


def chunk_seconds(dispatch: DispatchCost, remaining_seconds: float, workers: int) -> float:
    """Return the duration that the next chunk should have.

    Parameters
    ----------
    dispatch
        Cost of handing it over.
    remaining_seconds
        Time that all tasks take together that are not assigned yet; may be infinite.
    workers
        Processes that work at the same time.
    """
    share = max(remaining_seconds / (MIN_CHUNKS_LEFT_PER_WORKER * workers), MIN_CHUNK_DISPATCHES * dispatch.seconds)
    return min(max_chunk_seconds(dispatch, workers), share)


def chunk_length(seconds: Iterable[float], budget: float) -> int:
    """Return how many of the next tasks fit into a chunk: at least one, if there is one.

    Parameters
    ----------
    seconds
        Estimated duration of each of the next tasks.
    budget
        Duration of the chunk in seconds.
    """
    length, total = 0, 0.0
    for task_seconds in seconds:
        total += task_seconds
        if length and (total > budget or length == MAX_CHUNK_TASKS):
            break
        length += 1
    return length
