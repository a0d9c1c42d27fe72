"""What this machine, or the container it runs in, lets a run use: processors and memory."""

import math
import os
from pathlib import Path

AVAILABLE_MEMORY_SHARE = 0.8
"""The share of the available memory that a run takes for itself."""

MIN_TASK_MEMORY = 64 * 1024**2
"""Bytes for the images of each worker, where memory decides how many there are."""

CGROUP = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")
MEMORY = Path("/proc/meminfo")


def available_cpus() -> int:
    """Processors this process may use: its affinity, and no more than the container's quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(affinity, cpu_quota() or affinity))


def cpu_quota(root: Path = CGROUP, own: Path = OWN_GROUP) -> int | None:
    """The container's quota in whole processors, rounded up; None without one (cgroup v2 and v1)."""
    quotas = [_words(group / "cpu.max") for group in _groups(root, own)]
    quotas += [
        _words(group / "cpu.cfs_quota_us") + _words(group / "cpu.cfs_period_us") for group in _groups(root / "cpu", own)
    ]
    limits = [
        math.ceil(int(words[0]) / int(words[1])) for words in quotas if len(words) > 1 and words[0] not in {"max", "-1"}
    ]
    return min(limits, default=None)


def available_memory() -> int:
    """Bytes a run may use: what machine and container have left, with some head-room kept."""
    free = _free_memory()
    left = memory_left()
    return int(AVAILABLE_MEMORY_SHARE * (free if left is None else min(free, left)))


def workers_within(memory: int, held: int, peak: int) -> int:
    """How many workers there is memory for, beside the images of each; 0 where not even one fits.

    Parameters
    ----------
    memory
        Bytes for all together.
    held, peak
        Bytes that a worker holds when it is ready for images, and the most on the way there.
    """
    if held > memory:
        return 0
    return max(1, memory // max(held + MIN_TASK_MEMORY, peak))


def _free_memory(table: Path = MEMORY) -> int:
    """Bytes that the machine has left; psutil tells the same, but takes longer to import than many an image."""
    words = _words(table)
    if "MemAvailable:" in words:
        return 1024 * int(words[words.index("MemAvailable:") + 1])
    import psutil

    return int(psutil.virtual_memory().available)


def memory_left(root: Path = CGROUP, own: Path = OWN_GROUP) -> int | None:
    """Bytes left under the container's limit; None without one (cgroup v2 and v1)."""
    left = [_left(group, "memory.max", "memory.current", "inactive_file") for group in _groups(root, own)]
    left += [
        _left(group, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        for group in _groups(root / "memory", own)
    ]
    return min((bytes_left for bytes_left in left if bytes_left is not None), default=None)


def _left(group: Path, limit_file: str, used_file: str, cache: str) -> int | None:
    """A group's limit less what it uses; the file cache counts as free: the kernel gives it back when asked."""
    limit, used, stat = _words(group / limit_file), _words(group / used_file), _words(group / "memory.stat")
    if not limit or not used or limit[0] == "max":
        return None
    cached = int(stat[stat.index(cache) + 1]) if cache in stat else 0
    return max(0, int(limit[0]) - int(used[0]) + cached)


def _groups(root: Path, own: Path) -> list[Path]:
    """The control groups of this process and those around it, as far as they stand below `root`."""
    names = {line.split(":", 2)[2].strip("/") for line in _text(own).splitlines() if line.count(":") > 1}
    groups = [root / name for name in sorted(names)]
    return [root, *(group for start in groups for group in (start, *start.parents) if root in group.parents)]


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "surrogateescape")
    except OSError:
        return ""
