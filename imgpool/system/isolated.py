"""A function called in a process of its own, which is thrown away: whatever it loads, or breaks, goes with it."""

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

from imgpool.core.engine import EngineOptions
from imgpool.core.errors import ImgpoolError, WorkerError
from imgpool.core.failures import explain, lacks_memory
from imgpool.core.task import Failure
from imgpool.system.heap import keep_freed_memory
from imgpool.system.memory_limit import MemoryLimit
from imgpool.system.processes import (
    clean_start,
    exit_reason,
    import_modules,
    kill_group,
    on_parent_exit,
    start,
    start_process_group,
)
from imgpool.system.resources import available_memory
from imgpool.system.threads import use_one_thread

HEARTBEAT = 0.1
"""Seconds between two looks at whether the answer is still wanted."""

PARTING = 5.0
"""Seconds for a process that has nothing more to say to be gone."""

MEMORY_HINT = "end other programs, or use a machine that has more"

Value = TypeVar("Value")
ReportProgress = Callable[[int], object]


class IsolatedError(Exception):
    """The function has no answer: it raised something, took too long, or its process ended.

    Parameters
    ----------
    failure
        What happened, for people.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class _Answer(Generic[Value]):
    value: Value


def call_isolated(
    function: Callable[[ReportProgress], Value], options: EngineOptions, on_progress: ReportProgress = lambda _: None
) -> Value | None:
    """Call a function in a process of its own; None if the run is stopped meanwhile.

    Parameters
    ----------
    function
        Picklable, as is what it returns. It is given something to call with a number, of how far it has come.
    options
        Of a run: its time limit holds from each such number to the next, and what it preloads is imported before.
    on_progress
        Called here with each number.

    Raises
    ------
    IsolatedError
        If it has no answer.
    WorkerError
        If the system lets no process start.
    """
    context = multiprocessing.get_context("spawn")  # a fork would be a copy of all that this process holds
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_answer, args=(function, options.preload, sender))
    with receiver:
        try:
            with sender, clean_start(forked=False):
                start(child, "spawn")
        except (OSError, EOFError) as error:
            raise WorkerError(f"no process can be started: {error}", "end other programs, then try again") from error
        try:
            return _listen(child, receiver, options, on_progress)
        finally:
            kill_group(child)
            child.join()
            child.close()


def _listen(
    child: BaseProcess, receiver: Connection, options: EngineOptions, on_progress: ReportProgress
) -> Value | None:
    began = time.monotonic()
    while not options.should_stop():
        if options.timeout and time.monotonic() - began > options.timeout:
            raise IsolatedError(_too_late(options.timeout))
        if not wait([receiver], HEARTBEAT):
            continue
        try:
            message: _Answer[Value] | Failure | int = receiver.recv()
        except (EOFError, OSError):
            child.join(PARTING)
            raise IsolatedError(_death(child.exitcode)) from None
        if isinstance(message, _Answer):
            return message.value
        if isinstance(message, Failure):
            raise IsolatedError(message)
        on_progress(message)
        began = time.monotonic()
    return None


def _too_late(seconds: float) -> Failure:
    return Failure("worker", "TimeoutError", f"it takes longer than {seconds:g} s", "give it more time with --timeout")


def _death(exitcode: int | None) -> Failure:
    reason = exit_reason(exitcode)
    hint = "what is loaded, or the library that loads it, is broken: get it again, or another version"
    if reason == "SIGKILL":
        hint = f"the system may have run out of memory: {MEMORY_HINT}"
    return Failure("worker", reason, f"its process ended with {reason}", hint)


def _answer(function: Callable[[ReportProgress], Value], preload: Sequence[str], sender: Connection) -> None:
    """Be that process; as workers do, it uses one thread, and keeps what C libraries print off the terminal."""
    start_process_group()
    on_parent_exit(lambda: os._exit(1))
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    import_modules(preload)
    use_one_thread()
    keep_freed_memory()
    MemoryLimit(available_memory()).set(None)
    try:
        sender.send(_Answer(function(sender.send)))
    except BaseException as error:  # noqa: BLE001 - whatever it is, somebody waits for a word
        sender.send(_told(error))


def _told(error: BaseException) -> Failure:
    """What to say of an error: a file by its name, and the remedy for what is loaded instead of that for an image."""
    failure = explain(error, "worker")
    if lacks_memory(error):
        return replace(failure, hint=MEMORY_HINT)
    if isinstance(error, OSError) and error.filename:
        return replace(failure, message=f"{error.filename}: {failure.message}")
    return failure if isinstance(error, ImgpoolError) else replace(failure, hint="run it with -v to see where")
