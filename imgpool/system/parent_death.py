"""Let the kernel end a process when its parent ends."""

import contextlib
import signal
import sys
from collections.abc import Iterator

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def die_with_parent() -> None:
    """Let Linux kill this process when its parent ends: no Python thread runs while C code holds the GIL."""
    if sys.platform == "linux":
        _set_death_signal(signal.SIGKILL)


@contextlib.contextmanager
def killed_with_parent() -> Iterator[None]:
    """Context in which Linux kills this process when its parent ends; for a process that must not have a thread."""
    die_with_parent()
    try:
        yield
    finally:
        if sys.platform == "linux":
            _set_death_signal(0)


def _set_death_signal(number: int) -> None:
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
