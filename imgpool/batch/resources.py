"""What this machine, or the container it runs in, lets a run use: processors and memory."""

import math
import os
from pathlib import Path

HEADROOM = 0.8
"""The share of the available memory that a run takes for itself."""

CGROUP = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")


def available_cpus() -> int:
    """Processors this process may use: its affinity, and no more than the container's quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(affinity, cpu_quota() or affinity))


def cpu_quota(root: Path = CGROUP, own: Path = OWN_GROUP) -> int | None:
    """The container's quota in whole processors, rounded up; None without one (cgroup v2 and v1)."""
    quotas = [_words(group / "cpu.max") for group in _groups(root, own)]
    quotas.append(_words(root / "cpu/cpu.cfs_quota_us") + _words(root / "cpu/cpu.cfs_period_us"))
    limits = [
        math.ceil(int(words[0]) / int(words[1])) for words in quotas if len(words) > 1 and words[0] not in {"max", "-1"}
    ]
    return min(limits, default=None)


def available_memory() -> int:
    """Bytes a run may use: what machine and container have left, with some head-room kept."""
    import psutil

    free = int(psutil.virtual_memory().available)
    left = memory_left()
    return int(HEADROOM * (free if left is None else min(free, left)))


def memory_left(root: Path = CGROUP, own: Path = OWN_GROUP) -> int | None:
    """Bytes left under the container's limit; None without one (cgroup v2 and v1)."""
    pairs = [(_words(group / "memory.max"), _words(group / "memory.current")) for group in _groups(root, own)]
    version_1 = root / "memory"
    pairs.append((_words(version_1 / "memory.limit_in_bytes"), _words(version_1 / "memory.usage_in_bytes")))
    left = [max(0, int(limit[0]) - int(used[0])) for limit, used in pairs if limit and used and limit[0] != "max"]
    return min(left, default=None)


def _groups(root: Path, own: Path) -> list[Path]:
    """The control group of this process and those around it (cgroup v2)."""
    names = [word.removeprefix("0::/") for word in _words(own) if word.startswith("0::/")]
    groups = [root / name for name in names]
    return [root, *(group for start in groups for group in (start, *start.parents) if root in group.parents)]


def _words(path: Path) -> list[str]:
    try:
        return path.read_text("ascii").split()
    except OSError:
        return []
