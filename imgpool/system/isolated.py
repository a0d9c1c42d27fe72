"""Calling a function in a process of its own, which is discarded: whatever it loads or breaks goes with it."""

import math
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from imgpool.core.engine import EngineOptions, StartMethod
from imgpool.core.errors import ImgpoolError
from imgpool.core.failures import explain, lacks_memory
from imgpool.core.hint import Hint
from imgpool.core.task import Failure
from imgpool.system.child_process import (
    become_group_leader,
    end_with_parent,
    import_modules,
    prepare_to_compute,
    silence_stderr,
)
from imgpool.system.import_note import ImportNote
from imgpool.system.memory_limit import MemoryLimit
from imgpool.system.native_exit import waiting_threads
from imgpool.system.processes import clean_start, exit_reason, kill_group, start
from imgpool.system.resources import available_memory
from imgpool.system.start_errors import start_errors
from imgpool.system.start_limit import START_HINT, START_IDLE_TIMEOUT_S, StartLimit, describe_start
from imgpool.system.start_methods import fork_is_safe, supported_start_method

POLL_INTERVAL_S = 0.1
PROCESS_EXIT_TIMEOUT_S = 5.0
_PROC_TASK = "/proc/self/task"

MEMORY_HINT = "end other programs, or use a machine that has more"

Value = TypeVar("Value")
ReportProgress = Callable[[Any], object]


class IsolatedError(Exception):
    """The function returned nothing: it raised an error, took too long, or its process ended.

    Parameters
    ----------
    failure
        What happened, as a message for users.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class _Returned(Generic[Value]):
    value: Value


def call_isolated(
    function: Callable[[ReportProgress], Value],
    options: EngineOptions,
    on_progress: ReportProgress = lambda _: None,
    *,
    total_timeout_s: float = math.inf,
    memory: int | None = None,
    start_method: StartMethod = "spawn",
) -> Value | None:
    """Call a function in a process of its own; return None if the run is stopped meanwhile.

    The process is ended if it does nothing for `imgpool.system.start_limit.START_IDLE_TIMEOUT_S`.

    Parameters
    ----------
    function
        Picklable, and returns something picklable. It is called with a function that reports progress, which can be
        anything picklable.
    options
        Options of a run. The time limit applies from one progress report to the next; ``preload`` is imported first.
    on_progress
        Called in this process with each progress report.
    total_timeout_s
        Seconds that the call may take altogether.
    memory
        Bytes that the function may allocate; None for the available memory.
    start_method
        How the process is started. "spawn" copies nothing that this process holds, and takes longest. The others are
        meant for short calls: see `quick_start_method`.

    Raises
    ------
    IsolatedError
        If the function does not return.
    StartError
        If the system cannot start a process.
    """
    context = multiprocessing.get_context(start_method)
    preload = options.preload
    if start_method == "forkserver":
        context.set_forkserver_preload(list(options.preload))
        preload = ()
    with start_errors():
        receiver, sender = context.Pipe(duplex=False)
        imports = ImportNote(context)
    arguments = (function, preload, memory, sender, imports)
    child = context.Process(target=_run_child, args=arguments)  # type: ignore[attr-defined]
    with receiver:
        with start_errors(), sender, clean_start(forked=start_method == "fork"):
            start(child, start_method)
        limit = StartLimit(START_IDLE_TIMEOUT_S, total_timeout_s)
        hang = partial(_hang_failure, limit, child, imports)
        try:
            return _receive_value(child, receiver, options, on_progress, hang)
        finally:
            kill_group(child)
            child.join()
            child.close()


def _receive_value(
    child: BaseProcess,
    receiver: Connection,
    options: EngineOptions,
    on_progress: ReportProgress,
    hang: Callable[[], Failure | None],
) -> Value | None:
    last_progress = time.monotonic()
    while not options.should_stop():
        if options.timeout and time.monotonic() - last_progress > options.timeout:
            raise IsolatedError(_timeout_failure(options.timeout))
        if failure := hang():
            raise IsolatedError(failure)
        if not wait([receiver], POLL_INTERVAL_S):
            continue
        try:
            message: object = receiver.recv()
        except (EOFError, OSError):
            child.join(PROCESS_EXIT_TIMEOUT_S)
            raise IsolatedError(_exit_failure(child.exitcode)) from None
        if isinstance(message, _Returned):
            returned: Value = message.value
            return returned
        if isinstance(message, Failure):
            raise IsolatedError(message)
        on_progress(message)
        last_progress = time.monotonic()
    return None


def _timeout_failure(seconds: float) -> Failure:
    return Failure(
        "worker", "TimeoutError", f"it takes longer than {seconds:g} s", f"allow more time with {Hint('timeout')}"
    )


def _hang_failure(limit: StartLimit, child: BaseProcess, imports: ImportNote) -> Failure | None:
    """Return the failure of a process that has exceeded the limits of a start; None if it has not."""
    reason = limit.check([child.pid or 0])
    return Failure("worker", "TimeoutError", describe_start(reason, imports.read()), START_HINT) if reason else None


def _exit_failure(exitcode: int | None) -> Failure:
    reason = exit_reason(exitcode)
    hint = "the file that is loaded, or the library that loads it, is broken: replace it, or use another version"
    if reason == "SIGKILL":
        hint = f"the system may have run out of memory: {MEMORY_HINT}"
    return Failure("worker", reason, f"its process ended with {reason}", hint)


def quick_start_method(start_method: StartMethod) -> StartMethod:
    """Return the start method for a short call: "fork" if no thread can be lost, otherwise the intended one."""
    return "fork" if fork_is_safe() and _has_one_thread() else supported_start_method(start_method)


def _has_one_thread() -> bool:
    """Whether this process has no other thread that may hold a lock, not even one of a C library."""
    try:
        return len(os.listdir(_PROC_TASK)) - waiting_threads() == 1
    except OSError:
        return False


def _run_child(
    function: Callable[[ReportProgress], Value],
    preload: Sequence[str],
    memory: int | None,
    sender: Connection,
    imports: ImportNote,
) -> None:
    """Call the function in the child process and send what it returns or raises."""
    become_group_leader()
    imports.follow_imports()
    end_with_parent()
    silence_stderr()
    import_modules(preload)
    prepare_to_compute()
    MemoryLimit(available_memory() if memory is None else memory).set(None)
    try:
        sender.send(_Returned(function(sender.send)))
    except BaseException as error:  # noqa: BLE001 - the parent waits for a message, whatever was raised
        sender.send(_explain_error(error))


def _explain_error(error: BaseException) -> Failure:
    """Explain an error of the function: name the file, and give a remedy for loading rather than for an image."""
    failure = explain(error, "worker")
    if lacks_memory(error):
        return replace(failure, hint=MEMORY_HINT)
    if isinstance(error, OSError) and error.filename:
        return replace(failure, message=f"{error.filename}: {failure.message}")
    if isinstance(error, ImgpoolError):
        return failure
    return replace(failure, hint=f"run it with {Hint('verbose')} to see the traceback")
