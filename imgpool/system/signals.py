"""The signals that end a command, and their handlers; light, for nothing guards the command while this is imported."""

import os
import signal
from collections.abc import Callable
from types import FrameType

SIGNAL_WORDS: dict[int, str] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}

Handler = Callable[[int, FrameType | None], object]
Handlers = dict[int, "Callable[[int, FrameType | None], object] | int | signal.Handlers | None"]


def exit_on_signals() -> None:
    """Let a signal end this process with a word: nothing has begun yet that would need an end in good order."""
    set_handlers(_end)


def _end(number: int, _frame: FrameType | None) -> None:
    try:
        os.write(2, SIGNAL_WORDS[number].encode() + b"\n")
    finally:
        os._exit(128 + number)


def set_handlers(handler: Handler) -> Handlers:
    """Set the handler of both signals, unless the parent process wants them ignored; the handlers they had."""
    heeded = [number for number in SIGNAL_WORDS if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in heeded}


def restore_handlers(handlers: Handlers) -> None:
    """Set the handlers that `set_handlers` has replaced."""
    for number, handler in handlers.items():
        signal.signal(number, handler)
