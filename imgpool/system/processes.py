"""Processes started cleanly, and ended whole."""

import contextlib
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import context, parent_process
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import TYPE_CHECKING

from imgpool.system.threads import one_thread, one_thread_environment

if TYPE_CHECKING:
    from imgpool.core.engine import StartMethod

TICK = 0.01  # seconds
PR_SET_PDEATHSIG = 1  # <sys/prctl.h>

_starting = threading.Lock()


@contextlib.contextmanager
def clean_start(*, forked: bool) -> Iterator[None]:
    """Start processes in here whose libraries use one thread, and which do not run the user's script again.

    Processes that are not forked import the parent's ``__main__``. Our functions live in modules, so there is
    no need to; and a notebook or a script without ``if __name__ == "__main__"`` must not run once per process.
    """
    with _starting:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            with one_thread() if forked else one_thread_environment():
                yield
        finally:
            sys.modules["__main__"] = main


def start(process: BaseProcess, start_method: "StartMethod") -> None:
    """Start a process, and the fork server if it takes one that is not running yet; both deaf to Ctrl-C and SIGTERM.

    A signal that is sent to the whole group is for this process to heed. A fork server would die of it, and its
    processes be lost with it.
    """
    if start_method == "forkserver":
        _start_fork_server()
        process.start()
    else:
        with _deaf():
            process.start()


def _start_fork_server() -> None:
    """Start the fork server if it is not running yet, deaf to Ctrl-C and SIGTERM."""
    from multiprocessing import forkserver, resource_tracker

    resource_tracker.ensure_running()  # deaf by itself
    with _deaf():
        forkserver.ensure_running()


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Let processes that are started in here hear no Ctrl-C and no SIGTERM from their first moment.

    A blocked signal stays blocked in what is started. Nothing is lost: this process hears it in another thread, or
    in a moment.
    """
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def worker_context(start_method: str) -> BaseContext:
    """The context of a pool whose workers are deaf to SIGTERM: it has to kill them where it would ask them to end."""
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


def import_modules(modules: Iterable[str]) -> None:
    """Import what the tasks will need; what does not import is for the initializer to say."""
    for module in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(module)


def start_process_group() -> None:
    """Put this process at the head of a process group of its own, out of reach of the terminal's Ctrl-C."""
    if hasattr(os, "setsid"):
        os.setsid()


def kill_group(leader: BaseProcess) -> None:
    """Kill a process that leads a group, and all that it has started."""
    if hasattr(os, "killpg") and leader.pid:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # no group yet, or none any more
            os.killpg(leader.pid, signal.SIGKILL)
    leader.kill()


def kill_own_group() -> None:
    """Kill the group that this process leads, itself included."""
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def wait_until_gone(pid: int, patience: float) -> bool:
    """Whether there is no such process any more, or only its remains, within so many seconds."""
    import psutil

    end = time.monotonic() + patience
    try:
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > end:
                return False
            time.sleep(TICK)
    except psutil.NoSuchProcess:
        pass
    return True


def on_parent_exit(action: Callable[[], object]) -> None:
    """Call `action` from a thread as soon as the process that started this one is gone."""
    parent = parent_process()
    assert parent is not None  # only processes started by multiprocessing call this

    def watch() -> None:
        wait([parent.sentinel])
        action()

    threading.Thread(target=watch, name="watch parent", daemon=True).start()


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, where it can: no thread runs while C code hangs."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def parent_exits(patience: float) -> bool:
    """Whether the process that started this one ends within so many seconds."""
    parent = parent_process()
    return parent is None or bool(wait([parent.sentinel], patience))


def process_number(process: BaseProcess) -> int:
    """How many children its parent had started when it started this one, itself included: "Name-1:3" is 3."""
    return int(process.name.rpartition(":")[2])


def exit_reason(exitcode: int | None) -> str:
    """The name of the signal that ended a process, or its exit code."""
    if exitcode is not None and exitcode < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-exitcode).name
        return f"signal {-exitcode}"
    return f"exit code {exitcode}"
