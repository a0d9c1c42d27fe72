"""Exceptions as plain strings, which can always be pickled and sent to another process."""

import traceback
from dataclasses import dataclass

from imgpool.core.errors import ImgpoolError, WorkerError


@dataclass(frozen=True, slots=True)
class SetupFailure:
    """An error that the initializer raised."""

    message: str
    hint: str
    traceback: str

    @classmethod
    def from_error(cls, error: BaseException) -> "SetupFailure":
        """Convert an exception. The message of one that is not imgpool's own starts with its class."""
        message, hint = describe_error(error)
        if not isinstance(error, ImgpoolError):
            message = f"{type(error).__name__}: {message}"
        return cls(message, hint, format_traceback(error))

    def as_error(self) -> WorkerError:
        """Return the error to raise; its notes contain the worker's traceback."""
        error = WorkerError(self.message, self.hint)
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
