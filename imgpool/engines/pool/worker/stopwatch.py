"""What a worker's chunks take: time that passes, time that a processor computes, memory."""

import os
import time

from imgpool.engines.pool.protocol.messages import Timing
from imgpool.system.memory import peak_memory


class Stopwatch:
    """Times one chunk after the other in this process, which begins to wait for the first one now."""

    def __init__(self) -> None:
        self._schedule = _open_schedule()
        self._stopped = self._started = time.monotonic()
        self._cpu = self._queued = 0.0

    @property
    def seconds(self) -> float:
        """Since the chunk was begun."""
        return time.monotonic() - self._started

    def start(self) -> None:
        """Begin a chunk."""
        self._started = time.monotonic()
        self._queued = self._in_queue()
        self._cpu = time.process_time()

    def stop(self, tasks: int, nbytes: int) -> Timing:
        """End the chunk, of so many tasks with files of so many bytes."""
        cpu_seconds = time.process_time() - self._cpu
        waited, self._stopped = self._started - self._stopped, time.monotonic()
        seconds = self._stopped - self._started
        return Timing(tasks, nbytes, seconds, cpu_seconds, self._in_queue() - self._queued, waited, peak_memory())

    def close(self) -> None:
        """Let go of what is open."""
        if self._schedule is not None:
            os.close(self._schedule)
            self._schedule = None

    def _in_queue(self) -> float:
        """Seconds that this process was ready to run and no processor free; 0 where the system does not tell."""
        return int(os.pread(self._schedule, 64, 0).split()[1]) / 1e9 if self._schedule is not None else 0.0


def _open_schedule() -> int | None:
    """Linux tells how long the first thread of a process has computed and has waited to, in nanoseconds."""
    try:
        return os.open("/proc/self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
