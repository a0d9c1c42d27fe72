"""Calling the initializer and the function of a run: every call gives a result that can be sent to another process.

An exception becomes a `Failure` in the process that raised it. If an exception object were sent and could not be
pickled or unpickled, the results that are sent with it would be lost too.
"""

import os
import pickle
from collections.abc import Sequence
from dataclasses import replace

from imgpool.core.engine import Function, Initializer, MemoryNeeded
from imgpool.core.task import Failure, Result, Task
from imgpool.engines.shared.errors import SetupFailure, describe_error, format_traceback
from imgpool.system.process_id import process_id


def load_state(initializer: Initializer) -> object:
    """Call the initializer and return the state that it loads.

    Raises
    ------
    WorkerError
        If the initializer raises anything, with its message and hint.
    """
    try:
        return initializer()
    except (Exception, SystemExit) as error:
        raise SetupFailure.from_error(error).as_error() from error


def run_task(function: Function, state: object, task: Task, memory: int | None = None) -> Result:
    """Run one task and return its result: a failed one if the function raises.

    Parameters
    ----------
    function, state, task
        Called as ``function(state, task, memory)``.
    memory
        Bytes that the task may take; None for no limit.

    Raises
    ------
    MemoryNeeded
        If the task needs more than `memory`; never if that is None.
    KeyboardInterrupt
        If Ctrl-C is pressed: it ends the run, not the task.
    """
    requests = () if memory is None else (MemoryNeeded,)
    return call(function, state, task, memory=memory, reraise=(*requests, KeyboardInterrupt))


def call(
    function: Function,
    state: object,
    task: Task,
    *,
    memory: int | None = None,
    reraise: type[BaseException] | tuple[type[BaseException], ...] = (),
) -> Result:
    """Call the function for one task; return its result, or a failed result if it raises.

    Parameters
    ----------
    function, state, task
        As in `imgpool.core.engine.Engine.run`.
    memory
        Bytes that the task may take; None for no limit.
    reraise
        Exceptions to raise instead of returning a failed result.
    """
    try:
        result = _check_type(function(state, task, memory))
        return result if result.pid == process_id() else replace(result, pid=process_id())
    except reraise:
        raise
    except BaseException as error:  # noqa: BLE001 - a task may raise anything, SystemExit too
        return _failed_result(task, error)


def pickle_results(results: Sequence[tuple[int, Result]]) -> bytes:
    """Pickle results with their indices; replace each one that cannot be pickled by a failed result."""
    try:
        return pickle.dumps(results)
    except Exception:  # noqa: BLE001 - pickling runs code of the pickled objects
        return pickle.dumps([(index, _make_picklable(result)) for index, result in results])


def _make_picklable(result: Result) -> Result:
    try:
        pickle.dumps(result)
    except Exception as error:  # noqa: BLE001 - pickling runs code of the pickled objects
        return _failed_result(result.task, error)
    return result


def _check_type(result: object) -> Result:
    if not isinstance(result, Result):
        raise TypeError(f"the worker function returned {type(result).__name__}, not a Result")
    return result


def _failed_result(task: Task, error: BaseException) -> Result:
    failure = Failure("worker", type(error).__name__, *describe_error(error), format_traceback(error))
    return Result(task, "failed", failure, pid=os.getpid())
