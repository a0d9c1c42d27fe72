"""CPU time and I/O of processes: they tell a process that is slow from one that hangs."""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from imgpool.system.process_identity import ticks_per_second

PROC = Path("/proc")

_STAT_STATE, _STAT_MAJOR_FAULTS, _STAT_USER, _STAT_SYSTEM = 0, 9, 11, 12  # words after the command's name


class ProcessUsage(NamedTuple):
    """What a process has used since it started.

    Attributes
    ----------
    cpu_seconds
        CPU time of all its threads.
    io
        Counters that grow when it reads or writes anything, or loads a page from a file.
    stopped
        Whether it is suspended now.
    """

    cpu_seconds: float
    io: tuple[int, ...]
    stopped: bool


def usage_below(pids: Iterable[int], proc: Path = PROC) -> dict[int, ProcessUsage]:
    """Return what the descendants of some processes have used, and the processes themselves that have none.

    A process that only waits for its descendants wakes up now and then, so its own CPU time says nothing.

    Parameters
    ----------
    pids
        Numbers of processes. Those that do not exist are left out.
    proc
        Where Linux describes processes. If there is nothing, psutil is asked.
    """
    read = _usage_from_proc if (proc / "self" / "stat").exists() else _usage_from_psutil
    usage = {pid: read(pid, proc) for root in pids for pid in _descendants(root) or [root]}
    return {pid: known for pid, known in usage.items() if known is not None}


def _descendants(pid: int) -> list[int]:
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    return []


def _usage_from_proc(pid: int, proc: Path) -> ProcessUsage | None:
    try:
        words = (proc / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    ticks = int(words[_STAT_USER]) + int(words[_STAT_SYSTEM])
    io = [int(words[_STAT_MAJOR_FAULTS])]
    with contextlib.suppress(OSError):  # some systems show it to root only
        io += [int(line.split()[1]) for line in (proc / str(pid) / "io").read_bytes().splitlines()]
    return ProcessUsage(ticks / ticks_per_second(), tuple(io), stopped=words[_STAT_STATE] in {b"T", b"t"})


def _usage_from_psutil(pid: int, _proc: Path) -> ProcessUsage | None:
    import psutil

    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        stopped = process.status() == psutil.STATUS_STOPPED
    except (psutil.Error, OSError):
        return None
    io: tuple[int, ...] = ()
    with contextlib.suppress(psutil.Error, OSError, AttributeError):  # macOS does not count it
        io = tuple(process.io_counters())
    return ProcessUsage(times.user + times.system, io, stopped)
