"""A note in shared memory of what a process imports, for the case that the import never ends."""

import ctypes
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from multiprocessing.context import BaseContext
from types import ModuleType

MAX_NAME_BYTES = 127


class ImportNote:
    """The module that a child process, or one of its own children, has begun to import last.

    It is in shared memory, because a process that hangs in a library cannot answer. Nothing locks it: if two processes
    write at the same time, the text may be mixed up.
    """

    def __init__(self, context: BaseContext) -> None:
        self._text = context.RawArray(ctypes.c_char, MAX_NAME_BYTES + 1)

    def write(self, name: str) -> None:
        """Note that a module is being imported."""
        self._text.value = name.encode()[:MAX_NAME_BYTES]

    def read(self) -> str:
        """Return the name of the module; empty if there is none yet."""
        return bytes(self._text.value).decode("utf-8", "replace")

    def follow_imports(self) -> None:
        """Note every import of this process from now on, and of those that are forked from it."""
        if not any(isinstance(finder, _NotingFinder) for finder in sys.meta_path):
            sys.meta_path.insert(0, _NotingFinder(self))


class _NotingFinder:
    """A finder that finds nothing: Python asks it before it imports a module that is not loaded yet."""

    def __init__(self, note: ImportNote) -> None:
        self._note = note

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        self._note.write(name)
        return None
