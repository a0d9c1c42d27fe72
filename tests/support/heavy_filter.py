"""The filter of ``heavy/``, installed for a test."""

import contextlib
import os
from pathlib import Path

from imgpool.core.catalogue import FILTERS

HEAVY = Path(__file__).parent / "heavy"


@contextlib.contextmanager
def installed(monkeypatch):
    """Have it in the catalogue, in this process and in those that it spawns."""
    _forget()
    with monkeypatch.context() as patched:
        patched.syspath_prepend(HEAVY)
        yield
    _forget()


def _forget():
    FILTERS.__dict__.pop("_installed", None)


def processes(notes):
    """Which processes have loaded it, once for each time."""
    return sorted(int(name.partition("-")[0]) for name in os.listdir(notes))
