"""Garbage collection: off during start-up and planning, normal during a run, skipped at exit."""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

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


def freeze_gc_at_exit() -> None:
    """Else Python goes through all that was imported again and again before it ends."""
    atexit.register(gc.freeze)


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Look for no garbage meanwhile: of millions of files there are millions of objects, and all of them are kept."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
