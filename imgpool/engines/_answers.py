"""A task's result, whatever the function does; and what else travels from the workers to the parent.

Only numbers and strings cross a process border. An exception becomes a `Failure` where it is raised: one that
cannot be pickled, or not unpickled, would cost its neighbours their results.
"""

import os
import pickle
import traceback
from dataclasses import dataclass, replace

from imgpool.core.engine import Function
from imgpool.core.errors import ImgpoolError, WorkerError
from imgpool.core.task import Failure, Result, Task


@dataclass(frozen=True, slots=True)
class Answers:
    """A chunk that is done: its slot, and of each task the index and the pickled result."""

    slot: int
    results: list[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Death:
    """A worker that died: the signal or exit code, and the index of the task it was working on, if any."""

    error: str
    index: int | None


@dataclass(frozen=True, slots=True)
class SetupFailure:
    """What the initializer raised."""

    message: str
    hint: str
    traceback: str

    @classmethod
    def of(cls, error: BaseException) -> "SetupFailure":
        """The same in strings."""
        meant_for_people = isinstance(error, ImgpoolError)
        message, hint = _describe(error)
        return cls(message if meant_for_people else f"{type(error).__name__}: {message}", hint, _trace(error))

    def as_error(self) -> WorkerError:
        """The error to raise, the worker's traceback in its notes."""
        error = WorkerError(self.message, self.hint)
        error.add_note(self.traceback)
        return error


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
    failure = Failure("worker", type(error).__name__, *_describe(error), _trace(error))
    return Result(task, "failed", failure, pid=os.getpid())


def _describe(error: BaseException) -> tuple[str, str]:
    """Message and hint."""
    if isinstance(error, ImgpoolError):
        return error.message, error.hint
    try:
        return str(error) or type(error).__name__, ""
    except Exception:  # noqa: BLE001 - an exception's text is code as well
        return type(error).__name__, ""


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
