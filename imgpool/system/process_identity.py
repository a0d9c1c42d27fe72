"""Identity of a process over time. Its number alone is not enough, because the system reuses numbers."""

import os
from pathlib import Path

_PROC = Path("/proc")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Return an identifier of the machine's current boot; empty where the system has none."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def own_start_time() -> float:
    """Return when this process started, as `process_start_time`; 0.0 where that is unknown."""
    return process_start_time(os.getpid()) or 0.0


def process_start_time(pid: int) -> float | None:
    """Return when a process started, in seconds after the boot; None if it does not exist or is a zombie.

    The value does not change when the clock is set.
    """
    if (_PROC / "self" / "stat").exists():
        return _start_time_from_proc(pid)
    return _start_time_from_psutil(pid)


def _start_time_from_proc(pid: int) -> float | None:
    """Read /proc instead of importing psutil, which takes longer than processing a small image."""
    try:
        state, *numbers = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if state in {b"Z", b"X"} else round(int(numbers[18]) / os.sysconf("SC_CLK_TCK"), 2)


def _start_time_from_psutil(pid: int) -> float | None:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        boot_time = psutil.boot_time()
        return round(process.create_time() - boot_time, 2)
    except psutil.Error:
        return None
