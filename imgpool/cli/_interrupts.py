"""Signals: the first lets a run finish the images in hand, the second ends it at once.

What a run does::

               Ctrl-C                 Ctrl-C, or GRACE                    Ctrl-C, or PARTING
    running ──────────▶ finishing ─────────────────────▶ unwinding ───────────────────────▶ gone
               SIGTERM      │          SIGTERM               │            SIGTERM
                            └──────────────┬─────────────────┘
                                           ▼
                               summary, exit code 130 or 143

A thread listens, woken by the signals themselves (`signal.set_wakeup_fd`): so they are heard while the main thread
sits in a C library, and what is said about them is said as everything else is, not from within a handler. Only
unwinding is the main thread's; where it does not come to it, the process ends where it stands.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial
from types import FrameType
from typing import NoReturn, Self

from imgpool.system.signals import SIGNAL_WORDS, restore_handlers, set_handlers

GRACE = 5.0
"""Seconds that the images in hand are given to finish."""
PARTING = 30.0
"""Seconds for the last commit of the journal and the end of the workers."""
STUCK = 1.0
"""Seconds until a main thread that does not even begin to unwind counts as stuck in a C library; meanwhile no signal
is heeded, for people press Ctrl-C more often than twice."""
ECHO = 0.1
"""Seconds within which a signal comes once more from a wrapper that passes it on to the whole group."""
PATIENCE = 1.0
"""Seconds that are spent on telling somebody who may not listen: a terminal that is stopped, a pipe that is full."""

FINISHING = "finishing the images in hand; Ctrl-C again stops at once"
CUT_OFF = f"not finished after {GRACE:.0f} s: the images in hand are cut off, and run again next time"

OVER = 0  # no signal's number
HOUR = 3600.0


class Interrupted(KeyboardInterrupt):
    """A signal ends the command; as Ctrl-C's own exception, it unwinds everything.

    Parameters
    ----------
    number
        The signal.
    advice
        How to go on.
    """

    def __init__(self, number: int, advice: str = "") -> None:
        super().__init__()
        self.number = number
        self.advice = advice


class _Over(Exception):  # noqa: N818 - nothing has gone wrong
    """There is nothing more to listen for."""


@contextlib.contextmanager
def unwinding() -> Iterator[None]:
    """Let a signal raise `Interrupted` in here."""
    before = set_handlers(_unwind)
    try:
        yield
    finally:
        restore_handlers(before)


def _unwind(number: int, _frame: FrameType | None) -> NoReturn:
    raise Interrupted(number)


def ignore_hang_up() -> None:
    """Go on without a terminal, and let all processes started from now on do so too."""
    if sys.platform != "win32":
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


class Interrupts:
    """Listens to signals while a run goes on; a context manager for the main thread.

    Parameters
    ----------
    stop
        Called with the first signal: the run starts no further image.
    tell
        Shows a line to whoever sent the signal.
    last_words
        Called with the first signal, before the process ends with its main thread stuck in `cutting`.

    Attributes
    ----------
    received : int or None
        The first signal.
    """

    def __init__(
        self, stop: Callable[[], None], tell: Callable[[str], None], last_words: Callable[[int], None]
    ) -> None:
        self.received: int | None = None
        self._stop = stop
        self._tell = tell
        self._last_words = last_words
        self._can_cut = False
        self._cutting = False
        self._unwinding = False
        self._thread = threading.Thread(target=self._listen, name="signals", daemon=True)

    def __enter__(self) -> Self:
        import socket

        self._ear, self._mouth = socket.socketpair()
        self._mouth.settimeout(0)
        self._wakeup_before = signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)
        self._handlers_before = set_handlers(self._handle)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._wakeup_before)
        restore_handlers(self._handlers_before)
        self._mouth.send(bytes([OVER]))
        self._thread.join()
        self._ear.close()
        self._mouth.close()

    @contextlib.contextmanager
    def cutting(self) -> Iterator[None]:
        """Let the second signal raise `Interrupted` in here; elsewhere, nothing is ever raised."""
        self._can_cut = True
        try:
            yield
        finally:
            self._can_cut = False

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._receive(number)
        if self._cutting and self._can_cut and not self._unwinding:
            self._unwinding = True  # once only: the journal's last commit is not to be interrupted
            raise Interrupted(self.received or number)

    def _receive(self, number: int) -> None:
        if self.received is None:
            self.received = number

    def _listen(self) -> None:
        with contextlib.suppress(_Over):
            while (first := self._hear(HOUR)) is None:
                pass
            self._receive(first)
            if self._can_cut:
                _briefly(partial(self._tell, FINISHING))
            self._stop()
            if not self._hear(ECHO, deaf_to=(first,)) and not self._hear(GRACE):
                _briefly(partial(self._tell, CUT_OFF))
            self._cut()
            self._hear(STUCK, deaf_to=SIGNAL_WORDS)
            if self._unwinding:
                self._hear(PARTING)
            if self._can_cut:
                _briefly(partial(self._last_words, first))
            os._exit(128 + first)

    def _hear(self, seconds: float, deaf_to: Collection[int] = ()) -> int | None:
        """The next signal, or None if none comes in time; raises `_Over` if there is to be none."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._ear.settimeout(left)
            try:
                number = self._ear.recv(1)[0]
            except TimeoutError:
                break
            if number == OVER:
                raise _Over
            if number in SIGNAL_WORDS and number not in deaf_to:
                return number
        return None

    def _cut(self) -> None:
        """Have `_handle` called in the main thread, out of whatever it waits for."""
        self._cutting = True
        if sys.platform == "win32":
            import _thread

            _thread.interrupt_main()
        else:
            signal.pthread_kill(threading.main_thread().ident or 0, self.received or signal.SIGINT)


def _briefly(action: Callable[[], None]) -> None:
    """Do it, but wait no longer than is polite."""
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    thread.join(PATIENCE)
