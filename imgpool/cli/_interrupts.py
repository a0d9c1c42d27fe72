"""Signals during a run: the first lets the current images finish, the second stops the run at once.

The states of a run::

               Ctrl-C                 Ctrl-C, or FINISH_TIMEOUT_S    Ctrl-C, or UNWIND_TIMEOUT_S
    running ──────────▶ finishing ─────────────────────▶ unwinding ─────────────────────▶ exited
               SIGTERM      │         SIGTERM                │        SIGTERM
                            └──────────────┬─────────────────┘
                                           ▼
                               summary, exit code 130 or 143

A thread waits for signals through `signal.set_wakeup_fd`. It receives them even while the main thread is inside a C
library, and it can print, which a signal handler must not. Only unwinding happens in the main thread. If the main
thread does not get there in time, the process exits without it.

If a C library holds the GIL, not even the thread runs. A process of its own then ends this one, as SIGKILL would
(`imgpool.system.signal_watchdog`): a second after the second signal, or when the times above have passed.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial
from types import FrameType
from typing import NoReturn, Self

from imgpool.system.signal_watchdog import REPEATED_SIGNAL_S, SECOND_SIGNAL_LIMIT_S, START_LIMIT_S, signal_watchdog
from imgpool.system.signals import SIGNAL_WORDS, exit_code, restore_handlers, set_handlers, signal_main_thread

FINISH_TIMEOUT_S = 5.0
"""Time that the current images have to finish after the first signal."""

UNWIND_TIMEOUT_S = 30.0
"""Time for the last commit of the journal and for the workers to end."""

MAIN_THREAD_TIMEOUT_S = 1.0
"""Time after which a main thread that has not started to unwind counts as stuck in a C library.

Signals are ignored meanwhile, because people press Ctrl-C more than twice.
"""

PRINT_TIMEOUT_S = 1.0
"""Time to print a message, which blocks if the terminal is stopped or a pipe is full."""

GIL_MARGIN_S = 1.0
"""Time beyond all timeouts after which the process is ended from outside."""

FINISHING = "finishing the current images; press Ctrl-C again to stop at once"
CUT_OFF = f"not finished after {FINISH_TIMEOUT_S:.0f} s: the current images are stopped, and processed next time"

_END_OF_SIGNALS = 0  # written to the wake-up socket; not the number of a signal
_WAIT_S = 3600.0


class Interrupted(KeyboardInterrupt):
    """A signal ends the command. Like KeyboardInterrupt, it unwinds everything.

    Parameters
    ----------
    number
        Number of the signal.
    advice
        How to continue.
    """

    def __init__(self, number: int, advice: str = "") -> None:
        super().__init__()
        self.number = number
        self.advice = advice


class _EndOfSignals(Exception):  # noqa: N818 - not an error
    """The run is over: the thread stops waiting for signals."""


@contextlib.contextmanager
def raise_on_signals() -> Iterator[None]:
    """Let a signal raise `Interrupted` in this context."""
    before = set_handlers(_raise_interrupted)
    try:
        yield
    finally:
        restore_handlers(before)


def _raise_interrupted(number: int, _frame: FrameType | None) -> NoReturn:
    signal_watchdog().discard_unread()
    raise Interrupted(number)


class Interrupts:
    """Handles signals during a run. A context manager for the main thread.

    Parameters
    ----------
    stop
        Called at the first signal: the run starts no further image.
    print_message
        Prints a line for the user.
    before_exit
        Called with the first signal before the process exits while its main thread is stuck in `raising`.
    advice
        How to continue; printed if the process is ended because no Python code runs.
    finish_timeout_s, main_thread_timeout_s, print_timeout_s
        As the constants of this module, which are the defaults.

    Attributes
    ----------
    received : int or None
        Number of the first signal.
    """

    def __init__(
        self,
        stop: Callable[[], None],
        print_message: Callable[[str], None],
        before_exit: Callable[[int], None],
        *,
        advice: str = "",
        finish_timeout_s: float = FINISH_TIMEOUT_S,
        main_thread_timeout_s: float = MAIN_THREAD_TIMEOUT_S,
        print_timeout_s: float = PRINT_TIMEOUT_S,
    ) -> None:
        self.received: int | None = None
        self._stop = stop
        self._print_message = print_message
        self._before_exit = before_exit
        self._finish_timeout_s = finish_timeout_s
        self._main_thread_timeout_s = main_thread_timeout_s
        self._print_timeout_s = print_timeout_s
        self._may_raise = False
        self._must_raise = False
        self._has_raised = False
        self._watchdog = signal_watchdog()
        self._advice = advice
        self._thread = threading.Thread(target=self._handle_signals, name="signals", daemon=True)

    def __enter__(self) -> Self:
        if self._watchdog.sockets:
            self._wakeup_read, self._wakeup_write = self._watchdog.sockets
        else:
            self._open_sockets()
        self._watchdog.allow_unhandled(self._finish_timeout_s + GIL_MARGIN_S)
        self._watchdog.set_advice(self._advice)
        self._handlers_before = set_handlers(self._on_signal)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        restore_handlers(self._handlers_before)
        self._wakeup_write.send(bytes([_END_OF_SIGNALS]))
        self._thread.join()
        self._watchdog.end_handling()
        self._watchdog.allow_unhandled(START_LIMIT_S)
        self._watchdog.must_end_within(None)
        self._watchdog.set_advice("")
        if not self._watchdog.sockets:
            self._close_sockets()

    def _open_sockets(self) -> None:
        import socket

        self._wakeup_read, self._wakeup_write = socket.socketpair()
        self._wakeup_write.settimeout(0)
        self._wakeup_before = signal.set_wakeup_fd(self._wakeup_write.fileno(), warn_on_full_buffer=False)

    def _close_sockets(self) -> None:
        signal.set_wakeup_fd(self._wakeup_before)
        self._wakeup_read.close()
        self._wakeup_write.close()

    @contextlib.contextmanager
    def raising(self) -> Iterator[None]:
        """Let the second signal raise `Interrupted` in this context. Nowhere else is anything raised."""
        self._may_raise = True
        try:
            yield
        finally:
            self._may_raise = False

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Raise in the main thread, if it is time for that."""
        self._note_first(number)
        if self._must_raise and self._may_raise and not self._has_raised:
            self._has_raised = True  # only once: the last commit of the journal must not be interrupted
            raise Interrupted(self.received or number)

    def _note_first(self, number: int) -> None:
        if self.received is None:
            self.received = number

    def _handle_signals(self) -> None:
        """Wait for signals until the run is over or the process exits; runs in the thread."""
        with contextlib.suppress(_EndOfSignals):
            while (first := self._next_signal(_WAIT_S)) is None:
                pass
            self._note_first(first)
            self._must_end_within(self._finish_timeout_s + self._print_timeout_s)
            if self._may_raise:
                self._call_printing(partial(self._print_message, FINISHING))
            self._stop()
            self._watchdog.allow_unhandled(SECOND_SIGNAL_LIMIT_S)
            second = self._next_signal(REPEATED_SIGNAL_S, ignoring=(first,))
            if not second and not self._next_signal(self._finish_timeout_s):
                self._call_printing(partial(self._print_message, CUT_OFF))
            self._must_end_within(self._main_thread_timeout_s)
            self._raise_in_main_thread()
            self._next_signal(self._main_thread_timeout_s, ignoring=SIGNAL_WORDS)
            if self._has_raised:
                self._must_end_within(UNWIND_TIMEOUT_S)
                self._next_signal(UNWIND_TIMEOUT_S)
            self._must_end_within(0)
            self._watchdog.end_handling()
            if self._may_raise:
                self._call_printing(partial(self._before_exit, first))
            os._exit(exit_code(first))

    def _next_signal(self, timeout_s: float, ignoring: Collection[int] = ()) -> int | None:
        """Return the next signal, or None after the timeout; raise `_EndOfSignals` if the run is over."""
        end = time.monotonic() + timeout_s
        while (left := end - time.monotonic()) > 0:
            number = self._read_signal(left)
            if number is None:
                break
            if number == _END_OF_SIGNALS:
                raise _EndOfSignals
            if number in SIGNAL_WORDS and number not in ignoring:
                return number
        return None

    def _read_signal(self, timeout_s: float) -> int | None:
        """Read one number from the wake-up socket; None after the timeout.

        The watchdog is informed before the number is read: this thread may lose the GIL, and then nobody handles it.
        """
        import socket

        self._watchdog.end_handling()
        self._wakeup_read.settimeout(timeout_s)
        try:
            number = self._wakeup_read.recv(1, socket.MSG_PEEK)[0]
        except TimeoutError:
            return None
        if number in SIGNAL_WORDS:
            self._watchdog.begin_handling(self.received or number)
        self._wakeup_read.recv(1)
        return number

    def _must_end_within(self, seconds: float) -> None:
        """Let the process be ended if it gets stuck: some time later than this class itself would end it."""
        self._watchdog.must_end_within(seconds + 2 * self._print_timeout_s + GIL_MARGIN_S)

    def _raise_in_main_thread(self) -> None:
        """Make the main thread call `_on_signal`, whatever it waits for."""
        self._must_raise = True
        signal_main_thread(self.received or signal.SIGINT)

    def _call_printing(self, function: Callable[[], None]) -> None:
        """Call a function that prints and may block, but do not wait for it longer than the timeout."""
        thread = threading.Thread(target=function, daemon=True)
        thread.start()
        thread.join(self._print_timeout_s)
