"""Opening, listing and removing files in the same way on every system."""

import os
import shutil
import time
from collections.abc import Callable

from imgpool.system.paths import openable

BINARY = getattr(os, "O_BINARY", 0)
"""Flag without which Windows changes line breaks. Other systems have no such flag and never change anything."""

NON_BLOCKING = getattr(os, "O_NONBLOCK", 0)
"""Flag with which opening a named pipe does not wait for a writer. Windows has no named pipes in folders."""

OPEN_DESCRIPTORS = "/proc/self/fd"

REMOVAL_TIMEOUT_S = 2.0
"""How long to wait until another process closes a file that is to be removed."""

POLL_INTERVAL_S = 0.05


def open_binary(path: str | os.PathLike[str], flags: int, mode: int = 0o666) -> int:
    """Open a file and return its descriptor, as `os.open` does; line breaks are not changed on any system.

    Like every descriptor that Python opens, it is not inherited by other programs.
    """
    return os.open(openable(os.fspath(path)), flags | BINARY, mode)


def open_without_blocking(path: str, flags: int) -> int:
    """Open a file as `open` asks its ``opener`` to do it; a named pipe is opened without waiting for a writer."""
    return os.open(openable(path), flags | NON_BLOCKING | BINARY)


def _remove_tree(folder: str | os.PathLike[str]) -> None:
    shutil.rmtree(openable(os.fspath(folder)), ignore_errors=True)


def remove_folder(
    folder: str | os.PathLike[str],
    remove: Callable[[str | os.PathLike[str]], object] = _remove_tree,
    *,
    timeout: float = REMOVAL_TIMEOUT_S if os.name == "nt" else 0.0,
    sleep: Callable[[float], object] = time.sleep,
) -> bool:
    """Remove a folder with everything in it, as far as possible; return whether nothing is left.

    Windows removes no file that another process has open, such as a worker that is just being killed. The rest is
    removed at once, and such a file as soon as it is closed. After the timeout it is left to the next run.

    Parameters
    ----------
    folder
        The folder. It may be missing.
    remove
        Removes from it what can be removed, and raises nothing.
    timeout
        Seconds to wait for files that others have open.
    sleep
        Waits for a number of seconds.
    """
    path = openable(os.fspath(folder))
    remove(folder)
    while os.path.lexists(path) and timeout > 0:
        sleep(POLL_INTERVAL_S)
        timeout -= POLL_INTERVAL_S
        remove(folder)
    return not os.path.lexists(path)


def count_open_files(folder: str = OPEN_DESCRIPTORS) -> int | None:
    """Return the number of files that this process has open; None if the system does not list them."""
    try:
        return len(os.listdir(folder))
    except OSError:
        return None
