"""Standard streams whose other end may go away: a terminal that hangs up, a pipe that nobody reads any more.

A run goes on without its audience: what cannot be shown is dropped, and the exit code stays what it is.
"""

import contextlib
import errno
import os
import sys
from typing import TextIO

READER_GONE = {errno.EPIPE, errno.EIO, errno.EBADF, errno.EINVAL}  # EINVAL: a pipe without a reader, on Windows


def open_standard_streams() -> None:
    """Let the descriptors 0 to 2 lead to nowhere where they are closed.

    The next file to be opened would get the number otherwise, and with it all that anybody prints.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003 - takes it by position only


def redirect_to_devnull(stream: TextIO) -> None:
    """Drop what a stream still holds and will be given: Python would fail at the exit when it cannot flush it."""
    with contextlib.suppress(OSError):  # in-memory streams have no descriptor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def print_text(text: str) -> None:
    """Print a text and a line's end on stdout, if anybody is there to read it.

    Raises
    ------
    OSError
        If it is to be kept, and cannot be: the disk is full.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError as error:
        redirect_to_devnull(sys.stdout)
        if error.errno not in READER_GONE:
            raise


class BestEffortStream:
    """A text stream that drops what it cannot write; all else is the stream's own.

    Parameters
    ----------
    stream
        Where the text goes; it leads to nowhere after its first error.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or drop."""
        try:
            return self._stream.write(text)
        except OSError:
            redirect_to_devnull(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flush, or drop."""
        try:
            self._stream.flush()
        except OSError:
            redirect_to_devnull(self._stream)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
