"""The signals that end a command, and their handlers.

This module imports little: until it has been imported, nothing handles the signals of the command.
"""

import _thread
import os
import signal
from collections.abc import Callable
from types import FrameType

BREAK: int | None = getattr(signal, "SIGBREAK", None)
"""What Windows sends for Ctrl-Break, when the console window is closed, and to stop a process group."""

SIGNAL_WORDS: dict[int, str] = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
    **({BREAK: "terminated"} if BREAK else {}),
}
"""What a command prints when one of these signals ends it."""

Handler = Callable[[int, FrameType | None], object]
Handlers = dict[int, "Callable[[int, FrameType | None], object] | int | signal.Handlers | None"]


def exit_on_signals() -> None:
    """Exit with one word on stderr when a signal arrives; for the time before there is anything to clean up."""
    set_handlers(_exit)


def _exit(number: int, _frame: FrameType | None) -> None:
    try:
        os.write(2, SIGNAL_WORDS[number].encode() + b"\n")
    finally:
        os._exit(exit_code(number))


def exit_code(number: int) -> int:
    """Return the exit code of a command that a signal ended: 130 for Ctrl-C, otherwise 143 for SIGTERM."""
    return 128 + (signal.SIGTERM if number == BREAK else number)


def ignore_hang_up() -> None:
    """Continue if the terminal is closed; processes started from now on do so too. Windows has no such signal."""
    if hang_up := getattr(signal, "SIGHUP", None):
        signal.signal(hang_up, signal.SIG_IGN)


def signal_main_thread(number: int) -> None:
    """Make the main thread call the handler of a signal.

    Where signals can be sent to threads, this also ends what the main thread waits for. Elsewhere, that ends by itself.
    """
    if hasattr(signal, "pthread_kill"):
        import threading

        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        _thread.interrupt_main(signal.Signals(number))


def ignore_ending_signals() -> None:
    """Ignore every signal that ends a command: when one is sent to a whole group, the parent process handles it.

    Signals that a plug-in handles in this process are not reported to the parent: a fork has its wake-up descriptor.
    """
    signal.set_wakeup_fd(-1)
    for number in SIGNAL_WORDS:
        signal.signal(number, signal.SIG_IGN)


def set_handlers(handler: Handler) -> Handlers:
    """Set the handler of both signals, except those that the parent process ignores; return the previous handlers."""
    handled = [number for number in SIGNAL_WORDS if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in handled}


def restore_handlers(handlers: Handlers) -> None:
    """Restore the handlers that `set_handlers` returned."""
    for number, handler in handlers.items():
        signal.signal(number, handler)
