"""Limits of the system, such as that of open files: what they are in the user's terms, and what to do about them."""

import errno

RERUN = "then run the same command again"

NO_MORE_FILES = "the limit of open files is reached"

MORE_FILES = f"raise the limit with `ulimit -n 1024`, {RERUN}"
MORE_PROCESSES = f"raise the limit (`ulimit -u`, `ulimit -v`, or the container's pids limit), {RERUN}"
MORE_MEMORY = f"raise the limit (`ulimit -v`, or the container's memory) or end other programs, {RERUN}"

_LIMITS = {
    errno.EMFILE: (NO_MORE_FILES, MORE_FILES),
    errno.ENFILE: ("the machine cannot open more files", f"end other programs, {RERUN}"),
    errno.EAGAIN: ("the limit of processes and threads is reached", MORE_PROCESSES),
    errno.ENOMEM: ("there is not enough memory", MORE_MEMORY),
}
"""Message and hint of the errors by which the system refuses files, processes or memory to this process."""


def explain_limit(error: BaseException) -> tuple[str, str] | None:
    """Return message and hint of an error that a limit of the system has caused; None for any other error."""
    if isinstance(error, OSError):
        return _LIMITS.get(error.errno or 0)
    if isinstance(error, MemoryError):
        return _LIMITS[errno.ENOMEM]
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return _LIMITS[errno.EAGAIN]
    return None
