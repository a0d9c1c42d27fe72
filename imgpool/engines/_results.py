"""A task's result, whatever the function does.

An exception becomes a `Failure` where it is raised: one that cannot be pickled, or not unpickled, would cost its
neighbours their results.
"""

import os
import pickle
from collections.abc import Sequence
from dataclasses import replace

from imgpool.core.engine import Function
from imgpool.core.task import Failure, Result, Task
from imgpool.engines.pool.protocol.messages import describe, trace


def answer(
    function: Function,
    state: object,
    task: Task,
    memory: int | None = None,
    passing: type[BaseException] | tuple[type[BaseException], ...] = (),
) -> Result:
    """The function's result for this task, or a failed one in place of what it raised.

    Parameters
    ----------
    memory
        Bytes that the task may take; None for whatever it takes.
    passing
        What is raised further instead of becoming a result.
    """
    try:
        result = _checked(function(state, task, memory))
        return result if result.pid == os.getpid() else replace(result, pid=os.getpid())
    except passing:
        raise
    except BaseException as error:  # noqa: BLE001 - a task may raise anything, SystemExit too
        return _failed(task, error)


def pack(results: Sequence[tuple[int, Result]]) -> bytes:
    """The results pickled, each with its index; a failed one in the place of any that cannot be."""
    try:
        return pickle.dumps(results)
    except Exception:  # noqa: BLE001 - pickling calls code of what is pickled
        return pickle.dumps([(index, _picklable(result)) for index, result in results])


def _picklable(result: Result) -> Result:
    try:
        pickle.dumps(result)
    except Exception as error:  # noqa: BLE001 - as above
        return _failed(result.task, error)
    return result


def _checked(result: object) -> Result:
    if not isinstance(result, Result):
        raise TypeError(f"the worker function returned {type(result).__name__}, not a Result")
    return result


def _failed(task: Task, error: BaseException) -> Result:
    failure = Failure("worker", type(error).__name__, *describe(error), trace(error))
    return Result(task, "failed", failure, pid=os.getpid())
