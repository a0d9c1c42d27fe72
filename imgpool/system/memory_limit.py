"""A bound on what one process can allocate: one image that takes all memory is one failure, and no more."""

import contextlib
import os
import sys
from pathlib import Path

MAPPED = 128 << 20
"""Bytes of addresses beside a task's data: libraries loaded late, and what is mapped but never touched."""

_SELF = Path("/proc/self/statm")


class MemoryLimit:
    """Makes an allocation beyond the limit a `MemoryError`, where the system has such limits (``RLIMIT_AS``).

    Parameters
    ----------
    budget
        Bytes that this process may take when nothing less is set, beyond what it holds now; None for no limit.
    """

    def __init__(self, budget: int | None) -> None:
        self._budget = budget
        self._held = _address_space() if budget is not None else 0
        self._now: int | None = None

    def set(self, allowance: int | None) -> None:
        """Allow so many bytes, or the budget if None."""
        wanted = self._budget if allowance is None else allowance
        if wanted is not None and wanted != self._now:
            self._now = wanted
            _limit_address_space(self._held + wanted + MAPPED)


def _address_space() -> int:
    with contextlib.suppress(OSError):  # a worker's first task need not wait for psutil
        return os.sysconf("SC_PAGE_SIZE") * int(_SELF.read_bytes().split()[0])
    import psutil

    return int(psutil.Process().memory_info().vms)


def _limit_address_space(nbytes: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = nbytes if hard == resource.RLIM_INFINITY else min(nbytes, hard)
    with contextlib.suppress(OSError, ValueError):  # macOS may refuse any limit: better none than no worker
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
