"""Ending a process with a chosen exit code from another one, even while C code holds the GIL.

No Python code runs while the GIL is held, neither signal handlers nor threads nor callbacks of ctypes. SIGKILL ends the
process, but its exit code is then always 137. So the process asks the C library in advance to read from a socket in a
thread of its own, and to call ``_exit`` when something arrives there (``aio_read`` with ``SIGEV_THREAD``, POSIX). The
request lies in memory that both processes share, so the other one can set the exit code before it writes.
"""

import ctypes
import os
import socket
from mmap import mmap

EXIT_BYTE = b"x"

UNREQUESTED_EXIT_CODE = 137
"""Exit code, as of SIGKILL, if reading ends without a request: it must not be taken for success."""

_SIGEV_THREAD = 2  # <signal.h> of Linux
_RESERVED_BYTES = 256  # more than what any C library adds to the structures


_prepared_processes: set[int] = set()


class _SignalEvent(ctypes.Structure):
    """``struct sigevent``."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("function", ctypes.c_void_p),
        ("attributes", ctypes.c_void_p),
        ("reserved", ctypes.c_byte * _RESERVED_BYTES),
    )


class _ReadRequest(ctypes.Structure):
    """The beginning of ``struct aiocb``, which is the same in glibc and musl; and the byte that is read."""

    _fields_ = (
        ("descriptor", ctypes.c_int),
        ("opcode", ctypes.c_int),
        ("priority", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("nbytes", ctypes.c_size_t),
        ("event", _SignalEvent),
        ("reserved", ctypes.c_byte * _RESERVED_BYTES),
        ("byte", ctypes.c_byte),
    )


def prepare_exit(shared: bytearray | mmap, offset: int, receiver: socket.socket) -> bool:
    """Let this process exit when something arrives at a socket; return whether the C library can do that.

    Parameters
    ----------
    shared
        Memory that this process shares with the one that may end it. Both must be kept until the process ends.
    offset
        Where in the memory there is place for the request: 1 KiB.
    receiver
        The socket. Its other end must not be closed, because the end of the stream counts as something too.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "aio_read"):
        return False
    request = _ReadRequest.from_buffer(shared, offset)
    request.descriptor = receiver.fileno()
    request.buffer = ctypes.addressof(request) + _ReadRequest.byte.offset
    request.nbytes = len(EXIT_BYTE)
    request.event.value = UNREQUESTED_EXIT_CODE
    request.event.notify = _SIGEV_THREAD
    request.event.function = ctypes.cast(libc._exit, ctypes.c_void_p).value  # noqa: SLF001 - its name in C
    prepared = bool(libc.aio_read(ctypes.byref(request)) == 0)
    if prepared:
        _prepared_processes.add(os.getpid())
    return prepared


def waiting_threads() -> int:
    """Return the number of threads that wait in this process for a request. They hold no lock: a fork may lose them."""
    return int(os.getpid() in _prepared_processes)


def request_exit(shared: bytearray | mmap, offset: int, sender: socket.socket, code: int) -> None:
    """Let the process that has called `prepare_exit` exit with a code."""
    request = _ReadRequest.from_buffer(shared, offset)
    request.event.value = code
    sender.send(EXIT_BYTE)
