"""Set-up of child processes, and their end when their parent ends.

Two kinds of child processes exist. A *group leader* starts further processes and can be killed together with them. A
*worker* is started by a group leader. Each calls its `become_…` function first. When its libraries are loaded, and
before it computes anything, it calls `prepare_to_compute`.
"""

import contextlib
import importlib
import os
import signal
import threading
from collections.abc import Callable, Iterable
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait

from imgpool.system.heap import keep_freed_memory
from imgpool.system.job_objects import end_children_with_this_process
from imgpool.system.parent_death import die_with_parent
from imgpool.system.signals import ignore_ending_signals
from imgpool.system.threads import ONE_THREAD, use_one_thread


def become_group_leader(inherited: Iterable[Connection] = ()) -> None:
    """Make this child process the leader of a process group of its own.

    Signals to the parent's group do not reach it, and `imgpool.system.processes.kill_group` ends it together with all
    that it starts. Its children use one thread in every library.

    Parameters
    ----------
    inherited
        Connections of the parent to close, so that their other ends notice when the parent closes them.
    """
    if hasattr(os, "setsid"):
        os.setsid()
    end_children_with_this_process()
    ignore_ending_signals()
    _close(inherited)
    os.environ.update(ONE_THREAD)  # a fork server that another program has started lacks it


def become_worker(inherited: Iterable[Connection] = ()) -> None:
    """Make this child process a worker that ends with its parent, even while it runs C code.

    Parameters
    ----------
    inherited
        As for `become_group_leader`.
    """
    ignore_ending_signals()
    _close(inherited)
    die_with_parent()
    end_with_parent()  # the parent may have ended before, or the kernel cannot do it


def end_with_parent() -> None:
    """End this process as soon as its parent ends, unless C code holds the GIL."""
    on_parent_exit(lambda: os._exit(1))


def prepare_to_compute() -> None:
    """Use one thread in every loaded library, and reuse freed memory."""
    use_one_thread()
    keep_freed_memory()


def silence_stderr() -> None:
    """Discard what C libraries write to stderr."""
    with open(os.devnull, "wb") as devnull:
        os.dup2(devnull.fileno(), 2)


def import_modules(modules: Iterable[str]) -> None:
    """Import modules in advance. Errors are ignored: they occur again where the module is needed."""
    for module in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(module)


def on_parent_exit(action: Callable[[], object]) -> None:
    """Call `action` from a thread as soon as the parent process has ended."""
    parent = parent_process()
    assert parent is not None  # only processes started by multiprocessing call this

    def watch() -> None:
        wait([parent.sentinel])
        action()

    threading.Thread(target=watch, name="watch parent", daemon=True).start()


def parent_exits(timeout: float) -> bool:
    """Wait up to `timeout` seconds until the parent process has ended; return whether it has."""
    parent = parent_process()
    return parent is None or bool(wait([parent.sentinel], timeout))


def kill_own_group() -> None:
    """Kill the process group that this process leads, itself included."""
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _close(connections: Iterable[Connection]) -> None:
    for connection in connections:
        connection.close()
