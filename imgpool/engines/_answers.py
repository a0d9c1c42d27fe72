"""A task's result, whatever the function does.

An exception becomes a `Failure` where it is raised: one that cannot be pickled, or not unpickled, would cost its
neighbours their results.
"""

import os
import pickle
from dataclasses import replace

from imgpool.core.engine import Function
from imgpool.core.task import Failure, Result, Task
from imgpool.engines._messages import describe, trace


def answer(
    function: Function,
    state: object,
    task: Task,
    memory: int | None = None,
    passing: type[BaseException] | tuple[()] = (),
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
        return replace(_checked(function(state, task, memory)), pid=os.getpid())
    except passing:
        raise
    except BaseException as error:  # noqa: BLE001 - a task may raise anything, SystemExit too
        return _failed(task, error)


def pack(result: Result) -> bytes:
    """The result pickled; a failed one in its place if it holds what cannot be."""
    try:
        return pickle.dumps(result)
    except Exception as error:  # noqa: BLE001 - pickling calls code of what is pickled
        return pickle.dumps(_failed(result.task, error))


def _checked(result: object) -> Result:
    if not isinstance(result, Result):
        raise TypeError(f"the worker function returned {type(result).__name__}, not a Result")
    return result


def _failed(task: Task, error: BaseException) -> Result:
    failure = Failure("worker", type(error).__name__, *describe(error), trace(error))
    return Result(task, "failed", failure, pid=os.getpid())
