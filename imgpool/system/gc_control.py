"""Garbage collection: postponed during start-up and planning, normal during a run, skipped at exit."""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

PAUSED_THRESHOLD = 1_000_000
"""New objects after which a collection runs even while collection is paused."""

_default_threshold = gc.get_threshold()


def pause_gc() -> None:
    """Postpone collection until `resume_gc`, or until very many objects are new."""
    gc.set_threshold(PAUSED_THRESHOLD)


def resume_gc() -> None:
    """Collect as usual from now on, and never examine the objects that exist now: they are kept."""
    gc.freeze()
    gc.set_threshold(*_default_threshold)
    gc.enable()


def freeze_gc_before_fork() -> None:
    """Exclude the existing objects from collections: examining them in a forked process would copy their memory."""
    gc.freeze()


def freeze_gc_at_exit() -> None:
    """Skip the collections at exit, which would examine everything that was imported."""
    atexit.register(gc.freeze)


@contextmanager
def gc_paused() -> Iterator[None]:
    """Disable collection in this context, for code that creates millions of objects and keeps them all."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
