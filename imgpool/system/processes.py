"""Starting child processes cleanly, and ending them together with everything they have started."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from multiprocessing import context
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from imgpool.core.errors import WorkerError
from imgpool.system.console import ctrl_c_ignored
from imgpool.system.process_identity import process_start_time
from imgpool.system.start_limit import START_HINT, StartMonitor, monitored
from imgpool.system.threads import one_thread, one_thread_environment

if TYPE_CHECKING:
    from imgpool.core.engine import StartMethod

POLL_INTERVAL_S = 0.01

WINDOWS_CRASHES = {
    0xC0000005: "SIGSEGV",  # access violation
    0xC00000FD: "SIGSEGV",  # stack overflow
    0xC0000006: "SIGBUS",  # a mapped file could not be read
    0xC000001D: "SIGILL",  # illegal instruction
    0xC0000094: "SIGFPE",  # integer division by zero
    0xC0000374: "SIGABRT",  # the heap is damaged
    0xC0000409: "SIGABRT",  # the process ended itself after it found damage
    0xC0000017: "SIGKILL",  # not enough memory
    0xC000012D: "SIGKILL",  # not enough memory, with the paging file
}
"""The signal that means on other systems what an exit code means on Windows."""

_start_lock = threading.Lock()

_start_times: WeakKeyDictionary[BaseProcess, float | None] = WeakKeyDictionary()
"""When processes started, on Linux: their numbers alone do not identify them once their parent has reaped them."""


@contextlib.contextmanager
def clean_start(*, forked: bool) -> Iterator[None]:
    """Context in which processes can be started: they use one thread and do not run the user's script again.

    Processes that are not forked import the parent's ``__main__``. imgpool's functions live in modules, so this is not
    needed; and a notebook or a script without ``if __name__ == "__main__"`` must not run once per process.
    """
    with _start_lock:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            with one_thread() if forked else one_thread_environment():
                yield
        finally:
            sys.modules["__main__"] = main


def start(process: BaseProcess, start_method: "StartMethod") -> None:
    """Start a process, and the fork server if it is needed and not running; both ignore Ctrl-C and SIGTERM.

    A signal that is sent to the whole process group is handled by this process alone. It would kill a fork server, and
    with it all processes that come from it.

    Raises
    ------
    WorkerError
        If the process that this one waits for, such as the fork server, hangs while it imports a library.
    """
    if start_method == "fork":
        with _signals_blocked():
            process.start()
    else:
        _start_monitored(process, start_method)
    if sys.platform == "linux" and process.pid:
        _start_times[process] = process_start_time(process.pid)


def _start_monitored(process: BaseProcess, start_method: "StartMethod") -> None:
    monitor = StartMonitor(_starting_children, _kill_starting_children)
    try:
        with monitored(monitor):
            _start(process, start_method)
    except (OSError, EOFError):
        if not monitor.reason:
            raise
        raise WorkerError(
            f"no worker process can be started: {monitor.reason} while libraries were imported", START_HINT
        ) from None


def _start(process: BaseProcess, start_method: "StartMethod") -> None:
    if start_method == "forkserver":
        _start_fork_server()
        process.start()
    else:
        with _signals_blocked():
            process.start()


def _starting_children() -> list[int]:
    """Return the fork server, and spawned children that are not known to multiprocessing yet."""
    import psutil

    known = {child.pid for child in multiprocessing.active_children()}
    starting = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            command = " ".join(child.cmdline())
            is_spawned = "from multiprocessing.spawn import" in command and child.pid not in known
            if is_spawned or "from multiprocessing.forkserver import" in command:
                starting.append(child.pid)
    return starting


def _kill_starting_children() -> None:
    import psutil

    for pid in _starting_children():
        with contextlib.suppress(psutil.Error):
            psutil.Process(pid).kill()


def _start_fork_server() -> None:
    from multiprocessing import forkserver, resource_tracker

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # if it was killed, it is started again
        resource_tracker.ensure_running()  # ignores signals by itself
    with _signals_blocked():
        forkserver.ensure_running()


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block Ctrl-C and SIGTERM, so that processes started in this context never receive them.

    A blocked signal stays blocked in a child. No signal is lost: this process receives it in another thread, or as
    soon as the context ends.
    """
    if not hasattr(signal, "pthread_sigmask"):
        with ctrl_c_ignored():
            yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def worker_context(start_method: str) -> BaseContext:
    """Return the context for a pool whose workers ignore SIGTERM: the pool must kill them to terminate them."""
    return _SpawnContext() if start_method == "spawn" else _ForkContext()


class _SpawnedWorker(context.SpawnProcess):
    def terminate(self) -> None:
        self.kill()


class _SpawnContext(context.SpawnContext):
    Process = _SpawnedWorker


if sys.platform != "win32":

    class _ForkedWorker(context.ForkProcess):
        def terminate(self) -> None:
            self.kill()

    class _ForkContext(context.ForkContext):
        Process = _ForkedWorker


def kill_group(leader: BaseProcess) -> None:
    """Kill a process that leads a process group, and everything it has started."""
    if _number_was_reused(leader):  # also means that the group is gone: the system keeps the number for it
        return
    if hasattr(os, "killpg") and leader.pid:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # no group yet, or no longer
            os.killpg(leader.pid, signal.SIGKILL)
    leader.kill()


def _number_was_reused(process: BaseProcess) -> bool:
    """Whether another process has the number of a process now: a fork server reaps its children at once."""
    before = _start_times.get(process)
    now = process_start_time(process.pid) if before and process.pid else None
    return now is not None and now != before


def wait_until_gone(pid: int, timeout: float) -> bool:
    """Wait up to `timeout` seconds until a process has ended; return whether it has. A zombie has ended."""
    end = time.monotonic() + timeout
    while _is_running(pid):
        if time.monotonic() > end:
            return False
        time.sleep(POLL_INTERVAL_S)
    return True


def _is_running(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        if sys.platform != "linux":
            return False
    try:
        os.kill(pid, 0)  # without /proc, psutil finds no process at all
    except OSError:
        return False
    return True


def process_number(process: BaseProcess) -> int:
    """Return the number that multiprocessing gave a child: 3 for the third child of its parent ("Name-1:3")."""
    return int(process.name.rpartition(":")[2])


def exit_reason(exitcode: int | None) -> str:
    """Return the name of the signal that ended a process ("SIGKILL"), or its exit code ("exit code 3").

    On Windows, a process that crashes has a large exit code, for which the name of the signal is returned.
    """
    if exitcode in WINDOWS_CRASHES:
        return WINDOWS_CRASHES[exitcode]
    if exitcode is not None and exitcode < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-exitcode).name
        return f"signal {-exitcode}"
    return f"exit code {exitcode}"
