"""Identity of a process over time. Its number alone is not enough, because the system reuses numbers."""

import os
import sys
from pathlib import Path

PROC = Path("/proc")
BOOT_ID = PROC / "sys/kernel/random/boot_id"


def kill_command(pid: int, platform: str = sys.platform) -> str:
    """Return the command by which a user ends a process on this system."""
    return f"taskkill /F /PID {pid}" if platform == "win32" else f"kill {pid}"


def boot_id() -> str:
    """Return an identifier of the machine's current boot; empty where the system has none."""
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def own_start_time(proc: Path = PROC) -> float:
    """Return when this process started, as `process_start_time`; 0.0 where that is unknown."""
    return process_start_time(os.getpid(), proc) or 0.0


def process_start_time(pid: int, proc: Path = PROC) -> float | None:
    """Return when a process started, in seconds after the boot; None if it does not exist or is a zombie.

    The value does not change when the clock is set.

    Parameters
    ----------
    pid
        Number of the process.
    proc
        Where Linux describes processes. If there is nothing, psutil is asked.
    """
    if (proc / "self" / "stat").exists():
        return _start_time_from_proc(pid, proc)
    return _start_time_from_psutil(pid)


def _start_time_from_proc(pid: int, proc: Path) -> float | None:
    """Read /proc instead of importing psutil, which takes longer than processing a small image."""
    try:
        state, *numbers = (proc / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if state in {b"Z", b"X"} else round(int(numbers[18]) / ticks_per_second(), 2)


def ticks_per_second() -> int:
    """Return how many of the ticks of /proc make a second."""
    return os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


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
