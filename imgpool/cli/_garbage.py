"""When Python looks for garbage: not while all is imported and planned, for there is none, and then as usual."""

import atexit
import gc

MANY = 1_000_000
"""New objects after which Python looks all the same."""

_usual = gc.get_threshold()


def look_for_none() -> None:
    """Look for none for now."""
    gc.set_threshold(MANY)


def look_as_usual() -> None:
    """Look for it from now on, but never among what there is now: it stays."""
    gc.freeze()
    gc.set_threshold(*_usual)


def look_for_none_at_the_exit() -> None:
    """Else Python goes through all that was imported again and again before it ends."""
    atexit.register(gc.freeze)
