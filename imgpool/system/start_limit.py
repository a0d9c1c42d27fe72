"""Limits on the start of a child process: a library that hangs while it is loaded must not hang the run.

A start may take long: a large model, or a slow network share. So what counts is progress, as CPU time or I/O of the
child and its own children. Only a generous limit on the whole start applies whatever they do.
"""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from imgpool.system.process_usage import ProcessUsage, usage_below

START_IDLE_TIMEOUT_S = 300.0
"""Time without CPU time and I/O after which a start has failed."""

START_TIMEOUT_S = 1800.0
"""Time after which a start has failed in any case."""

SAMPLES_PER_TIMEOUT = 60
"""How often the processes are looked at during the shorter time limit."""

MIN_CPU_SHARE = 0.01
"""Share of one processor from which a process makes progress. A thread that only waits for the GIL uses 0.3 %."""

MIN_CPU_S = 0.02

START_HINT = (
    "a library may lack memory, or wait for a network share that is gone: check both, also memory limits (ulimit -v), "
    "then try again"
)

Measure = Callable[[Iterable[int]], dict[int, ProcessUsage]]


class StartLimit:
    """Tells when a start must be ended.

    Time in which this process is suspended does not count, nor time in which one of the processes is stopped.

    Parameters
    ----------
    idle_timeout_s, timeout_s
        As the constants of this module.
    clock
        Returns seconds that only ever increase.
    measure
        Returns what the processes have used.
    """

    def __init__(
        self,
        idle_timeout_s: float,
        timeout_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        measure: Measure = usage_below,
    ) -> None:
        self._idle_timeout_s = idle_timeout_s
        self._timeout_s = timeout_s
        self._clock = clock
        self._measure = measure
        self.interval_s = min(idle_timeout_s, timeout_s) / SAMPLES_PER_TIMEOUT
        self._last_check = clock()
        self._idle_s = self._total_s = 0.0
        self._marks: dict[int, ProcessUsage] = {}

    def check(self, pids: Iterable[int]) -> str:
        """Return why the start of these processes must end ("no activity for 5 minutes"); empty while it may go on.

        Looks at the processes once per `interval_s`, however often it is called.
        """
        elapsed = self._clock() - self._last_check
        if elapsed < self.interval_s:
            return ""
        self._last_check += elapsed
        counted = min(elapsed, 2 * self.interval_s)  # this process itself was suspended if more has passed
        self._total_s += counted
        self._idle_s = 0.0 if self._is_active(pids) else self._idle_s + counted
        if self._total_s > self._timeout_s:
            return f"not ready after {_duration(self._timeout_s)}"
        return f"no activity for {_duration(self._idle_timeout_s)}" if self._idle_s > self._idle_timeout_s else ""

    def _is_active(self, pids: Iterable[int]) -> bool:
        """Return whether a process has made progress since the last time that one had."""
        usage = self._measure(pids)
        active = (
            not usage or usage.keys() != self._marks.keys() or any(map(self._has_progressed, usage, usage.values()))
        )
        if active:
            self._marks = usage
        return active

    def _has_progressed(self, pid: int, now: ProcessUsage) -> bool:
        mark = self._marks[pid]
        cpu_s = max(MIN_CPU_S, MIN_CPU_SHARE * (self._idle_s + self.interval_s))
        return now.stopped or now.io != mark.io or now.cpu_seconds - mark.cpu_seconds >= cpu_s


class StartMonitor:
    """Thread that ends a start which exceeds its limits.

    Parameters
    ----------
    pids
        Returns the numbers of the processes that are starting.
    is_started
        Returns whether the start is over; the thread then ends.
    kill
        Called once if the start must end.

    Attributes
    ----------
    reason : str
        Why the start was ended; empty if it was not.
    is_active : bool
        Whether it has been started and not been stopped.
    """

    def __init__(
        self,
        pids: Callable[[], Iterable[int]],
        kill: Callable[[], object],
        is_started: Callable[[], bool] = lambda: False,
    ) -> None:
        self.reason = ""
        self.is_active = False
        self._pids = pids
        self._kill = kill
        self._is_started = is_started
        self._limit = StartLimit(START_IDLE_TIMEOUT_S, START_TIMEOUT_S)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch start", daemon=True)

    def start(self) -> None:
        """Start the thread; if the system allows no further thread, the start has no limits."""
        with contextlib.suppress(RuntimeError, MemoryError):
            self._thread.start()
            self.is_active = True

    def stop(self) -> None:
        """End the thread: the start is over."""
        self.is_active = False
        self._stop.set()
        if self._thread.ident and threading.current_thread() is not self._thread:
            self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self._limit.interval_s) and not self._is_started():
            if reason := self._limit.check(self._pids()):
                self.reason = reason
                self._kill()
                return


@contextlib.contextmanager
def monitored(monitor: StartMonitor) -> Iterator[StartMonitor]:
    """Context in which a monitor is active."""
    monitor.start()
    try:
        yield monitor
    finally:
        monitor.stop()


def describe_start(reason: str, last_import: str) -> str:
    """Return a clause for a message: "no activity for 5 minutes (last import: numpy.linalg)"."""
    return f"{reason} (last import: {last_import})" if last_import else reason


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes:g} minutes" if minutes >= 1 and math.isfinite(minutes) else f"{seconds:g} s"
