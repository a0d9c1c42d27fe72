"""A limit on the memory of one process, so that an image that needs too much fails alone."""

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path

from imgpool.system.job_objects import limit_own_memory

ADDRESS_SPACE_MARGIN_BYTES = 128 << 20
"""Address space beyond a task's data: libraries that are loaded late, and mappings that are never touched."""

_PROC_STATM = Path("/proc/self/statm")


class MemoryLimit:
    """Limit on what this process can allocate: beyond it, an allocation raises `MemoryError`.

    Linux limits the address space (``RLIMIT_AS``), and Windows the memory of a job object that the process belongs to.
    macOS accepts a limit and ignores it.

    Parameters
    ----------
    budget
        Bytes beyond what the process holds now, used unless `set` gives less; None for no limit.
    """

    def __init__(self, budget: int | None) -> None:
        self._budget = budget
        self._base = _address_space() if budget is not None else None
        self._current: int | None = None

    def set(self, allowance: int | None) -> None:
        """Allow `allowance` bytes, or the whole budget if None."""
        nbytes = self._budget if allowance is None else allowance
        if self._base is not None and nbytes is not None and nbytes != self._current:
            self._current = nbytes
            _limit_address_space(self._base + nbytes + ADDRESS_SPACE_MARGIN_BYTES)


@contextlib.contextmanager
def memory_limited(nbytes: int) -> Iterator[None]:
    """Context in which this process can allocate `nbytes` more than it holds, where the limit can be taken back."""
    try:
        import resource
    except ImportError:
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    MemoryLimit(nbytes).set(None)
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, before)


def _address_space() -> int | None:
    """Return the address space of this process in bytes; None if the system does not say."""
    with contextlib.suppress(OSError):  # avoids psutil: importing it would delay a worker's first task
        return mmap.PAGESIZE * int(_PROC_STATM.read_bytes().split()[0])
    import psutil

    with contextlib.suppress(psutil.Error):
        return int(psutil.Process().memory_info().vms)
    return None


def _limit_address_space(nbytes: int) -> None:
    try:
        import resource
    except ImportError:
        limit_own_memory(nbytes)
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = nbytes if hard == resource.RLIM_INFINITY else min(nbytes, hard)
    # macOS may refuse any limit: a worker without a limit is better than no worker.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
