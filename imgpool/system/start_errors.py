"""Errors while processes are started, and what to do about them: limits, shared memory, temporary folders."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from imgpool.core.errors import WorkerError
from imgpool.core.system_limits import MORE_PROCESSES, RERUN, explain_limit

SHARED_MEMORY = "/dev/shm"  # noqa: S108 - where Linux keeps shared memory and semaphores

NO_PROCESS = ("no worker process can be started", MORE_PROCESSES)

_TEXTS = {
    "AF_UNIX": ("the path of the temporary folder is too long", f"set TMPDIR to a shorter path, {RERUN}"),
    "temporary directory": (
        "there is no folder for temporary files",
        f"set TMPDIR to a folder that exists and can be written, {RERUN}",
    ),
    os.strerror(errno.EFBIG): (
        "the limit of file sizes is too small for shared memory",
        f"raise it with `ulimit -f`, {RERUN}",
    ),
}
"""Message and hint by a part of the error's text."""

_SHARED_MEMORY_ERRORS = {
    errno.ENOSPC: ("is full", "free some space there, or give the container more of it"),
    errno.EDQUOT: ("is full", "free some space there"),
    errno.EROFS: ("is read-only", "mount it writable"),
    errno.EACCES: ("cannot be written (permission denied)", f"allow it with `chmod 1777 {SHARED_MEMORY}`"),
    errno.EPERM: ("cannot be written (not permitted)", "allow it"),
    errno.ENOENT: ("is missing", "mount a tmpfs there"),
    errno.ENOSYS: ("is missing", "mount a tmpfs there"),
}


class StartError(WorkerError):
    """The system does not let processes start; without them, the run may continue.

    Attributes
    ----------
    fewer_may_start : bool
        Whether fewer processes may start.
    """

    fewer_may_start = False


@contextmanager
def start_errors() -> Iterator[None]:
    """Context in which a process is started: if the system refuses that, raise `StartError`."""
    try:
        yield
    except (OSError, EOFError, MemoryError, RuntimeError) as error:
        problem = explain_start_error(error)
        if problem is None:
            raise
        raise StartError(*problem) from error


def continuing(error: StartError, way: str) -> str:
    """Return the warning that the run continues in another way after a process could not be started."""
    remedy = error.hint.removesuffix(f", {RERUN}")
    return f"{error.message}: continuing {way}; to avoid this, {remedy}"


def explain_start_error(error: BaseException) -> tuple[str, str] | None:
    """Return message and hint if the system has refused to start processes; None for any other error."""
    if limit := explain_limit(error):
        return limit
    if isinstance(error, EOFError):
        return NO_PROCESS
    return _explain_system_error(error) if isinstance(error, OSError) else None


def _explain_system_error(error: OSError) -> tuple[str, str]:
    for text, explanation in _TEXTS.items():
        if text in str(error):
            return explanation
    if error.errno in _SHARED_MEMORY_ERRORS:
        problem, remedy = _SHARED_MEMORY_ERRORS[error.errno]
        return f"shared memory ({SHARED_MEMORY}) {problem}", f"{remedy}, {RERUN}"
    return NO_PROCESS
