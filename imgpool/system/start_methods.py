"""How processes can be started on this system."""

import multiprocessing
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imgpool.core.engine import StartMethod

MAX_WINDOWS_WORKERS = 60
"""Most workers of a pool on Windows: `multiprocessing.Pool` waits for all of them at once, and Windows allows 63."""


def supported_start_method(start_method: "StartMethod", platform: str = sys.platform) -> "StartMethod":
    """Return the start method if it works on this system, otherwise "spawn", which works everywhere.

    On macOS, the libraries of the system may crash or wait forever in a process that was forked after they were
    loaded, and a fork server has loaded them. "fork" is therefore used only on request there, and a fork server never.

    Parameters
    ----------
    start_method
        The intended start method.
    platform
        The system, as `sys.platform` names it.
    """
    if start_method not in multiprocessing.get_all_start_methods():
        return "spawn"
    return "spawn" if platform == "darwin" and start_method == "forkserver" else start_method


def fork_is_safe(platform: str = sys.platform) -> bool:
    """Whether this process can be forked now: on Linux, while it has a single thread."""
    return (
        platform.startswith("linux")
        and "fork" in multiprocessing.get_all_start_methods()
        and threading.active_count() == 1
    )


def max_pool_workers(platform: str = sys.platform) -> int:
    """Return the most workers that a pool can have on this system."""
    return MAX_WINDOWS_WORKERS if platform == "win32" else sys.maxsize
