"""Watchdog process: ends this process if it cannot handle a signal, because C code holds the GIL.

Python's handlers and threads run only with the GIL. The C part of Python's handler runs in any case: it writes the
number of the signal into the wake-up socket (`signal.set_wakeup_fd`). The watchdog, a small process of its own, sees
what is unread there, and is never in the way of a signal::

    signal ──▶ C part of the handler ──▶ wake-up socket ──▶ a handler or thread of this process reads it
                                                │
                                                └──▶ the watchdog sees that nobody reads it: this process exits

It is forked before anything large is imported, so it costs less than a millisecond, and nearly no memory. It sleeps
until a signal arrives or this process ends, and ends with it. It exists on Linux only.
"""

import atexit
import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from mmap import PAGESIZE, mmap
from typing import NoReturn

from imgpool.system.parent_death import die_with_parent
from imgpool.system.signals import SIGNAL_WORDS, exit_code

START_LIMIT_S = 2.0
"""Time for which a signal may be unhandled, unless the process says otherwise. Loading a library takes no longer."""

SECOND_SIGNAL_LIMIT_S = 1.0
"""Time after which the process is ended if a second signal arrives while the first is still unhandled."""

REPEATED_SIGNAL_S = 0.1
"""Time within which several signals count as one: `timeout` sends them to the process and then to its group."""

CHECK_INTERVAL_S = 0.05

MAX_COUNTED_INTERVAL_S = 0.5
"""The most time between two checks that counts; if more has passed, the processes were suspended."""

EXIT_TIMEOUT_S = 0.5
"""Time for the process to exit by itself before it is killed."""

PRINT_TIMEOUT_MS = 1000

START_UP_MS = 2000
"""Time after which the watchdog may use a processor without delaying the command."""

MAX_ADVICE_BYTES = 256
_PEEKED_BYTES = 4096  # more than a socket keeps, for a library that handles other signals often
_LIMIT, _IN_PROGRESS, _NUMBER, _STAGE, _END_WITHIN, _ADVICE_LENGTH = range(6)  # 8 bytes each
_ADVICE_OFFSET, _REQUEST_OFFSET = 256, 1024


class SignalWatchdog:
    """A process's view of its watchdog. Both share some memory, so nothing here can block.

    This class is for a process without a watchdog: nobody looks at the memory.

    Parameters
    ----------
    shared
        The memory.

    Attributes
    ----------
    sockets : tuple of two sockets, or None
        Reading and writing end of the wake-up socket; None if signals are not written into one yet.
    """

    def __init__(self, shared: bytearray | mmap) -> None:
        self.sockets: tuple[socket.socket, socket.socket] | None = None
        self._shared = shared
        self._state = memoryview(shared)[:_ADVICE_OFFSET].cast("d")
        self._state[_LIMIT] = START_LIMIT_S

    def allow_unhandled(self, seconds: float) -> None:
        """Set the time for which the next signal may be unhandled."""
        self._state[_LIMIT] = seconds

    def must_end_within(self, seconds: float | None) -> None:
        """Demand that this process ends in time; None to demand it no longer."""
        self._state[_END_WITHIN] = seconds or 0.0
        self._state[_STAGE] += 1
        self._wake()

    def begin_handling(self, number: int) -> None:
        """Note that a signal was seen, before it is read from the socket.

        Parameters
        ----------
        number
            The first signal of the run. It must be one of `SIGNAL_WORDS`.
        """
        self._state[_NUMBER] = number
        self._state[_IN_PROGRESS] = 1
        self._wake()

    def end_handling(self) -> None:
        """Note that everything that was read has been handled."""
        self._state[_IN_PROGRESS] = 0

    def discard_unread(self) -> None:
        """Read what is unread, because a handler has been called. Not for a process with a thread that reads."""
        if self.sockets:
            self.sockets[0].settimeout(0)
            with contextlib.suppress(BlockingIOError):
                self.sockets[0].recv(_PEEKED_BYTES)

    def set_advice(self, text: str) -> None:
        """Set what is printed after the signal's word when this process is ended."""
        encoded = text.encode()[:MAX_ADVICE_BYTES]
        self._shared[_ADVICE_OFFSET : _ADVICE_OFFSET + len(encoded)] = encoded
        self._state[_ADVICE_LENGTH] = len(encoded)

    def prepare_exit(self) -> None:
        """Let the watchdog end this process with an exit code of its own; otherwise it sends SIGKILL.

        This starts a thread outside Python. It is called when nothing needs to be forked from this process any more.
        """

    def _wake(self) -> None:
        """Let the watchdog look at the memory."""


class _RunningWatchdog(SignalWatchdog):
    """A watchdog that runs."""

    def __init__(self) -> None:
        super().__init__(mmap(-1, PAGESIZE))
        self._wakeup = self.sockets = socket.socketpair()
        for end in self._wakeup:
            end.settimeout(0)
        self._control = socket.socketpair()
        self._owner = os.getpid()
        if os.fork() == 0:
            self._watch()
        signal.set_wakeup_fd(self._wakeup[1].fileno(), warn_on_full_buffer=False)
        atexit.register(self._keep_open)

    def prepare_exit(self) -> None:
        """As in `SignalWatchdog`."""
        from imgpool.system.native_exit import prepare_exit

        prepare_exit(self._shared, _REQUEST_OFFSET, self._control[0])

    def _keep_open(self) -> None:
        """Leave the sockets open until the very end: the end of the stream would let `prepare_exit` exit."""
        for end in (*self._wakeup, *self._control):
            end.detach()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._control[0].send(b"!", socket.MSG_DONTWAIT)

    def _watch(self) -> NoReturn:
        """Be the watchdog, until the process that has started it ends."""
        try:
            _detach()
            parent = _ParentProcess(self._owner)
            number = self._await_unhandled(parent)
            if number:
                self._end_parent(parent, number)
        finally:
            os._exit(0)

    def _await_unhandled(self, parent: "_ParentProcess") -> int:
        """Return the signal with which the process must be ended; 0 if it has ended."""
        wakeup, control = self._wakeup[0], self._control[1]
        self._wakeup[1].close()
        deadline = SignalDeadline(self._state)
        poll = select.poll()
        for descriptor in (wakeup.fileno(), control.fileno(), *parent.descriptors):
            poll.register(descriptor, select.POLLIN)
        poll.poll(START_UP_MS)
        die_with_parent()  # even if the watchdog is suspended; not earlier, because this needs ctypes
        last = time.monotonic()
        while not parent.has_ended():
            poll.poll(1000 * CHECK_INTERVAL_S if deadline.is_needed else parent.poll_ms)
            with contextlib.suppress(BlockingIOError):
                control.recv(_PEEKED_BYTES, socket.MSG_DONTWAIT)
            now = time.monotonic()
            unread = _peek(wakeup)
            if unread is None:
                break
            ending = [number for number in unread if number in SIGNAL_WORDS]
            if deadline.ends(ending, min(now - last, MAX_COUNTED_INTERVAL_S)):
                return deadline.number
            last = now
            if unread or deadline.is_needed:
                time.sleep(CHECK_INTERVAL_S)  # polling returns at once while anything is unread
        return 0

    def _end_parent(self, parent: "_ParentProcess", number: int) -> None:
        """End the process with the exit code of a signal if that is possible, and in any case."""
        with contextlib.suppress(Exception):
            self._request_exit(number)
        end = time.monotonic() + EXIT_TIMEOUT_S
        while not parent.has_ended() and time.monotonic() < end:
            time.sleep(CHECK_INTERVAL_S / 10)
        if not parent.has_ended():
            parent.kill()

    def _request_exit(self, number: int) -> None:
        from imgpool.system.native_exit import request_exit

        length = int(self._state[_ADVICE_LENGTH])
        advice = bytes(self._shared[_ADVICE_OFFSET : _ADVICE_OFFSET + length]).decode("utf-8", "replace")
        _print(f"{SIGNAL_WORDS[number]}; {advice}" if advice else SIGNAL_WORDS[number])
        request_exit(self._shared, _REQUEST_OFFSET, self._control[1], exit_code(number))


class SignalDeadline:
    """Decides when a process must be ended.

    Parameters
    ----------
    state
        What the process says in the shared memory.

    Attributes
    ----------
    number : int
        The first signal that is unhandled.
    is_needed : bool
        Whether time counts now; otherwise the watchdog may sleep until something happens.
    """

    def __init__(self, state: "Sequence[float] | memoryview[float]") -> None:
        self.number: int = signal.SIGINT
        self.is_needed = False
        self._state = state
        self._unread = 0
        self._unhandled_s = 0.0
        self._second_s: float | None = None
        self._stage = 0.0
        self._left_s: float | None = None

    def ends(self, unread: Sequence[int], elapsed_s: float) -> bool:
        """Return whether the process must be ended now.

        Parameters
        ----------
        unread
            Signals that are unread.
        elapsed_s
            Time since the last call.
        """
        was_needed, self.is_needed = self.is_needed, bool(unread) or bool(self._state[_IN_PROGRESS])
        if self.is_needed:
            self._count(unread, elapsed_s if was_needed else 0.0)
        else:
            self._unread, self._unhandled_s, self._second_s = 0, 0.0, None
        too_late = self._is_too_late(elapsed_s if was_needed else 0.0)
        self.is_needed = self.is_needed or self._left_s is not None
        return too_late or self._unhandled_s > self._state[_LIMIT] or (self._second_s or 0.0) > SECOND_SIGNAL_LIMIT_S

    def _count(self, unread: Sequence[int], elapsed_s: float) -> None:
        """Count the time for which the first signal, and the second one, have been unhandled."""
        self.number = int(self._state[_NUMBER]) or unread[0]
        self._unhandled_s += elapsed_s
        if self._second_s is not None:
            self._second_s += elapsed_s
        elif len(unread) > self._unread and self._unhandled_s > REPEATED_SIGNAL_S:
            self._second_s = 0.0
        self._unread = len(unread)

    def _is_too_late(self, elapsed_s: float) -> bool:
        """Return whether the process has not ended in the time that it has set itself."""
        if self._stage != self._state[_STAGE]:
            self._stage = self._state[_STAGE]
            self._left_s = self._state[_END_WITHIN] or None
        elif self._left_s is not None:
            self._left_s -= elapsed_s
        return self._left_s is not None and self._left_s <= 0


class _ParentProcess:
    """The process that has started this one."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.descriptors: tuple[int, ...] = ()
        with contextlib.suppress(OSError, AttributeError):  # an old kernel or Python
            self.descriptors = (os.pidfd_open(pid),)
        self.poll_ms = None if self.descriptors else 1000

    def has_ended(self) -> bool:
        """Return whether it has ended: another process is then the parent of this one."""
        return os.getppid() != self._pid

    def kill(self) -> None:
        """Send SIGKILL: through its descriptor if possible, because its number may be another process's by now."""
        with contextlib.suppress(ProcessLookupError):
            if self.descriptors:
                signal.pidfd_send_signal(self.descriptors[0], signal.SIGKILL)
            else:
                os.kill(self._pid, signal.SIGKILL)


def _detach() -> None:
    """Leave signals and standard streams to the parent; only stderr is kept, for a message."""
    for number in (*SIGNAL_WORDS, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    devnull = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(devnull, descriptor)
    os.close(devnull)


def _peek(wakeup: socket.socket) -> bytes | None:
    """Return the numbers of all signals that are unread; None if no process can write any more."""
    try:
        return wakeup.recv(_PEEKED_BYTES, socket.MSG_PEEK) or None
    except BlockingIOError:
        return b""


def _print(line: str) -> None:
    """Print a line on stderr unless that would block: the terminal is stopped, or a pipe is full."""
    poll = select.poll()
    poll.register(2, select.POLLOUT)
    with contextlib.suppress(OSError):
        if poll.poll(PRINT_TIMEOUT_MS):
            os.write(2, line.encode() + b"\n")


_watchdog = SignalWatchdog(bytearray(PAGESIZE))


def start_signal_watchdog() -> None:
    """Start the watchdog of this process, if the system has what it needs."""
    global _watchdog  # noqa: PLW0603 - there is one per process, like the wake-up descriptor
    if sys.platform == "linux" and hasattr(os, "fork"):
        with contextlib.suppress(OSError):
            _watchdog = _RunningWatchdog()


def signal_watchdog() -> SignalWatchdog:
    """Return the watchdog of this process."""
    return _watchdog
