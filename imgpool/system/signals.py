"""The signals that end a command, and their handlers.

This module imports little: until it has been imported, nothing handles the signals of the command.
"""

import os
import signal
from collections.abc import Callable
from types import FrameType

SIGNAL_WORDS: dict[int, str] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
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
        os._exit(128 + number)


def set_handlers(handler: Handler) -> Handlers:
    """Set the handler of both signals, except those that the parent process ignores; return the previous handlers."""
    handled = [number for number in SIGNAL_WORDS if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in handled}


def restore_handlers(handlers: Handlers) -> None:
    """Restore the handlers that `set_handlers` returned."""
    for number, handler in handlers.items():
        signal.signal(number, handler)
