"""Memory that processes hold: this one, its children that have ended, and others while they run."""

import contextlib
import sys
from collections.abc import Iterable
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple, Self

SAMPLING_INTERVAL_S = 0.05

_PROC_SELF = Path("/proc/self")


class MemoryUse(NamedTuple):
    """Resident memory of a process, in bytes."""

    current: int
    peak: int


def memory_use() -> MemoryUse:
    """Return the resident memory of this process; the peak counts from the last `reset_peak_memory`."""
    try:
        lines = (_PROC_SELF / "status").read_text("utf-8").splitlines()
    except OSError:
        return _memory_use_by_psutil()
    sizes = {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith("Vm")}
    return MemoryUse(sizes["VmRSS"], sizes["VmHWM"])


def _memory_use_by_psutil() -> MemoryUse:
    import psutil

    try:
        now = psutil.Process().memory_info()
    except psutil.Error:  # Linux without /proc
        return MemoryUse(peak_memory(), peak_memory())
    return MemoryUse(now.rss, getattr(now, "peak_wset", 0) or max(now.rss, peak_memory()))  # Windows reports peak_wset


def reset_peak_memory() -> None:
    """Restart the measurement of this process's peak memory. Only Linux can; elsewhere the peak stays."""
    with contextlib.suppress(OSError):
        (_PROC_SELF / "clear_refs").write_bytes(b"5")


def peak_memory(*, of_children: bool = False) -> int:
    """Return the peak resident memory of this process in bytes; 0 where the system does not report it.

    Cheaper than `memory_use`.

    Parameters
    ----------
    of_children
        Return instead the largest peak of all children that have ended.
    """
    try:
        import resource
    except ImportError:  # on Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_CHILDREN if of_children else resource.RUSAGE_SELF).ru_maxrss


class MemoryMonitor:
    """Context manager that samples the memory of other processes from a thread.

    Attributes
    ----------
    peak
        The most bytes that any one process held.
    total_peak
        The most bytes that all of them held at the same time; shared memory counts once.
    """

    def __init__(self) -> None:
        import psutil  # not in the thread: a process forked during the import could never import anything

        self.peak = 0
        self.total_peak = 0
        self._psutil = psutil
        self._processes: dict[int, psutil.Process] = {}
        self._closing = Event()
        self._thread = Thread(target=self._run, name="memory monitor", daemon=True)

    def watch(self, pid: int) -> None:
        """Include a process from now on."""
        if pid not in self._processes:
            with contextlib.suppress(self._psutil.Error):
                self._processes[pid] = self._psutil.Process(pid)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(SAMPLING_INTERVAL_S):
            samples = []
            for process in tuple(self._processes.values()):
                with contextlib.suppress(self._psutil.Error):
                    samples.append(process.memory_info())
            self.peak = max(self.peak, *(sample.rss for sample in samples), 0)
            self.total_peak = max(self.total_peak, total_memory(samples))


def total_memory(samples: Iterable[Any]) -> int:
    """Return the bytes that processes hold together; memory they share counts once, where the system reports it.

    Parameters
    ----------
    samples
        The `psutil.Process.memory_info` of each process.
    """
    samples = list(samples)
    shared = [getattr(sample, "shared", 0) for sample in samples]
    total: int = sum(sample.rss for sample in samples) - sum(shared) + max(shared, default=0)
    return total
