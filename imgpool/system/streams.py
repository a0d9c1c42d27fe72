"""Standard streams that may disappear while the program runs: a closed terminal, or a pipe whose reader has ended.

A run continues in such a case. The text is dropped, and the exit code is not affected.
"""

import contextlib
import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from imgpool.core.errors import RunError

READER_GONE_ERRNOS = {errno.EPIPE, errno.EIO, errno.EBADF, errno.EINVAL}
"""Errors of a stream that nobody reads any more. Windows reports EINVAL for a pipe without a reader."""


def open_standard_streams() -> None:
    """Open the null device on each of the descriptors 0, 1 and 2 that is closed.

    Otherwise the next file to be opened would get the number, and everything that is printed would end up in it.
    Characters that the encoding of a stream lacks are printed as escapes.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="backslashreplace")
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003 - takes it by position only


def redirect_to_devnull(stream: TextIO) -> None:
    """Drop everything in a stream's buffer and everything written later.

    Python flushes the standard streams when it exits, and would fail if it cannot.
    """
    with contextlib.suppress(OSError):  # in-memory streams have no descriptor
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, stream.fileno())
        os.close(devnull)


def print_text(text: str) -> None:
    """Print a text and a line break on stdout; drop it if nobody reads stdout.

    Raises
    ------
    RunError
        If stdout is a file that cannot be written, for example because the disk is full.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError as error:
        redirect_to_devnull(sys.stdout)
        if error.errno not in READER_GONE_ERRNOS:
            raise stdout_error(error) from error


def stdout_error(error: OSError) -> "RunError":
    """Return the error to raise if stdout is a file that cannot be written."""
    from imgpool.core.errors import RunError
    from imgpool.core.failures import explain

    failure = explain(error, "write")
    return RunError(f"stdout cannot be written: {failure.message}", failure.hint)


class BestEffortStream:
    """A text stream that drops what it cannot write. After the first error it drops everything.

    Parameters
    ----------
    stream
        The stream to write to. All other methods and attributes are the stream's own.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, or drop it."""
        try:
            return self._stream.write(text)
        except OSError:
            redirect_to_devnull(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flush the stream, or drop the contents of its buffer."""
        try:
            self._stream.flush()
        except OSError:
            redirect_to_devnull(self._stream)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
