"""Exceptions as plain strings, which can always be pickled and sent to another process."""

import traceback
from dataclasses import dataclass

from imgpool.core.errors import ImgpoolError, WorkerError
from imgpool.core.hint import Hint
from imgpool.core.system_limits import explain_limit
from imgpool.system.start_errors import StartError, explain_start_error


@dataclass(frozen=True, slots=True)
class SetupFailure:
    """An error that the initializer raised, or that the system raised when workers were started.

    Attributes
    ----------
    message, hint, traceback
        Of the error.
    is_start_error
        Whether the system refused to start something.
    fewer_may_start
        Whether a limit of the system was the cause, which fewer workers may not reach.
    """

    message: str
    hint: str
    traceback: str
    is_start_error: bool = False
    fewer_may_start: bool = False

    @classmethod
    def from_error(cls, error: BaseException) -> "SetupFailure":
        """Convert an exception that the initializer or a worker has raised."""
        if limit := explain_limit(error):
            return cls(*limit, format_traceback(error), is_start_error=True, fewer_may_start=True)
        message, hint = describe_error(error)
        if not isinstance(error, ImgpoolError):
            message, hint = f"a worker could not be set up: {message}", f"run again with {Hint('verbose')} for details"
        return cls(message, hint, format_traceback(error))

    @classmethod
    def from_start_error(cls, error: BaseException) -> "SetupFailure":
        """Convert an exception raised while processes were started."""
        problem = explain_start_error(error)
        if problem is None or explain_limit(error):
            return cls.from_error(error)
        return cls(*problem, format_traceback(error), is_start_error=True)

    def as_error(self) -> WorkerError:
        """Return the error to raise; its notes contain the worker's traceback."""
        error = WorkerError(self.message, self.hint)
        if self.is_start_error:
            error = StartError(self.message, self.hint)
            error.fewer_may_start = self.fewer_may_start
        error.add_note(self.traceback)
        return error


def describe_error(error: BaseException) -> tuple[str, str]:
    """Return the message and the hint of an exception."""
    if isinstance(error, ImgpoolError):
        return error.message, error.hint
    try:
        return str(error) or type(error).__name__, ""
    except BaseException:  # noqa: BLE001 - an exception's `__str__` may raise anything
        return type(error).__name__, ""


def format_traceback(error: BaseException) -> str:
    """Return the traceback of an exception as text."""
    try:
        return "".join(traceback.format_exception(error))
    except BaseException:  # noqa: BLE001 - formatting calls `__str__`, which may raise anything
        return type(error).__name__
