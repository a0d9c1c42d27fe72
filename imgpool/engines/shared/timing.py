"""Timing of chunks: elapsed time, CPU time, and memory."""

import time
from typing import NamedTuple

from imgpool.engines.shared.workload import Workload
from imgpool.system.memory import peak_memory
from imgpool.system.queued_time import QueuedTime


class Timing(NamedTuple):
    """Measurements of one chunk, or of several together.

    Attributes
    ----------
    tasks, nbytes
        Number of tasks that returned a result, and the total size of their files.
    seconds
        From the start of the first task to the end of the last.
    cpu_seconds
        Part of ``seconds`` in which a processor computed for the worker.
    queued_seconds
        Part of ``seconds`` in which the worker was ready to compute and no processor was free.
    idle_seconds
        Time between the previous chunk, or the worker's start, and this chunk.
    peak_memory
        The most bytes that the worker has held so far; 0 if unknown.
    """

    tasks: int = 0
    nbytes: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    queued_seconds: float = 0.0
    idle_seconds: float = 0.0
    peak_memory: int = 0

    @property
    def workload(self) -> Workload:
        """The tasks that returned a result."""
        return Workload(self.tasks, self.nbytes)

    @property
    def unqueued_seconds(self) -> float:
        """The time that the chunk takes if a processor is always free."""
        return max(0.0, self.seconds - self.queued_seconds)

    @property
    def blocked_seconds(self) -> float:
        """Time spent waiting for disk or network."""
        return max(0.0, self.seconds - self.cpu_seconds - self.queued_seconds)

    def combine(self, other: "Timing") -> "Timing":
        """Return the timing of this and another chunk together."""
        return Timing(
            tasks=self.tasks + other.tasks,
            nbytes=self.nbytes + other.nbytes,
            seconds=self.seconds + other.seconds,
            cpu_seconds=self.cpu_seconds + other.cpu_seconds,
            queued_seconds=self.queued_seconds + other.queued_seconds,
            idle_seconds=self.idle_seconds + other.idle_seconds,
            peak_memory=max(self.peak_memory, other.peak_memory),
        )


class Stopwatch:
    """Times the chunks of this process one after another. The first idle time starts now."""

    def __init__(self) -> None:
        self._queued_time = QueuedTime()
        self._stopped = self._started = time.monotonic()
        self._cpu = self._queued = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the chunk was started."""
        return time.monotonic() - self._started

    def start(self) -> None:
        """Start a chunk."""
        self._started = time.monotonic()
        self._queued = self._queued_time.seconds
        self._cpu = time.process_time()

    def stop(self, tasks: int, nbytes: int) -> Timing:
        """Stop the chunk, of `tasks` tasks with files of `nbytes` bytes together."""
        cpu_seconds = time.process_time() - self._cpu
        idle_seconds, self._stopped = self._started - self._stopped, time.monotonic()
        return Timing(
            tasks=tasks,
            nbytes=nbytes,
            seconds=self._stopped - self._started,
            cpu_seconds=cpu_seconds,
            queued_seconds=self._queued_time.seconds - self._queued,
            idle_seconds=idle_seconds,
            peak_memory=peak_memory(),
        )

    def close(self) -> None:
        """Close the file in use."""
        self._queued_time.close()
