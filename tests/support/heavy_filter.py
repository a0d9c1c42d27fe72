"""The plug-in package ``heavy/``, installed for a test."""

import contextlib
import os
from pathlib import Path

from imgpool.core.catalogue import FILTERS

HEAVY = Path(__file__).parent / "heavy"


@contextlib.contextmanager
def installed(monkeypatch):
    """Add the package to the catalogue of this process and of those that it spawns."""
    _forget()
    with monkeypatch.context() as patched:
        patched.syspath_prepend(HEAVY)
        yield
    _forget()


def _forget():
    FILTERS.__dict__.pop("_installed", None)


def processes(notes):
    """Return the ids of the processes that loaded the filter, once per load."""
    return sorted(int(name.partition("-")[0]) for name in os.listdir(notes))
