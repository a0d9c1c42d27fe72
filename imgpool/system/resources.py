"""Processors and memory that a run may use on this machine, or in the container it runs in."""

import math
import os
from pathlib import Path

AVAILABLE_MEMORY_SHARE = 0.8
"""Share of the available memory that a run uses."""

MIN_TASK_MEMORY = 64 * 1024**2
"""Bytes that each worker needs for images, beyond what it holds when it is ready."""

CGROUP_ROOT = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
MEMINFO = Path("/proc/meminfo")


def available_cpus() -> int:
    """Return the number of processors this process may use: its CPU affinity, limited by the container's quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(affinity, cpu_quota() or affinity))


def cpu_quota(root: Path = CGROUP_ROOT, own: Path = OWN_CGROUP) -> int | None:
    """Return the container's CPU quota in processors, rounded up; None without one (cgroup v2 and v1)."""
    quotas = [_words(group / "cpu.max") for group in _groups(root, own)]
    quotas += [
        _words(group / "cpu.cfs_quota_us") + _words(group / "cpu.cfs_period_us") for group in _groups(root / "cpu", own)
    ]
    limits = [
        math.ceil(int(words[0]) / int(words[1])) for words in quotas if len(words) > 1 and words[0] not in {"max", "-1"}
    ]
    return min(limits, default=None)


def available_memory() -> int:
    """Return the bytes that a run may use: a share of what machine and container have left."""
    free = free_memory()
    left = memory_left()
    return int(AVAILABLE_MEMORY_SHARE * (free if left is None else min(free, left)))


def workers_within(memory: int, held: int, peak: int) -> int:
    """Return how many workers fit into the memory, with room for images; 0 if not even one fits.

    Parameters
    ----------
    memory
        Bytes for all workers together.
    held
        Bytes that a worker holds when it is ready for images.
    peak
        The most bytes that it holds before that.
    """
    if held > memory:
        return 0
    return max(1, memory // max(held + MIN_TASK_MEMORY, peak))


def free_memory(meminfo: Path = MEMINFO) -> int:
    """Return the bytes of memory that the machine has available."""
    words = _words(meminfo)
    if "MemAvailable:" in words:  # avoids psutil, whose import takes longer than processing a small image
        return 1024 * int(words[words.index("MemAvailable:") + 1])
    import psutil

    try:
        return int(psutil.virtual_memory().available)
    except OSError:  # Linux without /proc, as in some containers
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def memory_left(root: Path = CGROUP_ROOT, own: Path = OWN_CGROUP) -> int | None:
    """Return the bytes left under the container's limit; None without one (cgroup v2 and v1)."""
    left = [_left(group, "memory.max", "memory.current", "inactive_file") for group in _groups(root, own)]
    left += [
        _left(group, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        for group in _groups(root / "memory", own)
    ]
    return min((nbytes for nbytes in left if nbytes is not None), default=None)


def _left(group: Path, limit_file: str, used_file: str, cache: str) -> int | None:
    """Return a group's limit less its use. The file cache counts as free: the kernel gives it back on demand."""
    limit, used, stat = _words(group / limit_file), _words(group / used_file), _words(group / "memory.stat")
    if not limit or not used or limit[0] == "max":
        return None
    cached = int(stat[stat.index(cache) + 1]) if cache in stat else 0
    return max(0, int(limit[0]) - int(used[0]) + cached)


def _groups(root: Path, own: Path) -> list[Path]:
    """Return the control groups of this process and those that contain them, as far as they are below `root`."""
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
