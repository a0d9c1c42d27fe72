"""Files that a recipe refers to: a dark frame, a reference image, a point spread function."""

import contextlib
import functools
import hashlib
import os
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Self

from imgpool.core.parsed import Parsed

_folder: ContextVar[str] = ContextVar("folder of the recipe", default="")


@contextlib.contextmanager
def relative_to(folder: str) -> Iterator[None]:
    """Resolve relative paths against `folder` while the context is active, as for the paths in a recipe file."""
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


@dataclass(frozen=True, slots=True)
class Reference(Parsed):
    """The absolute path of an existing file or folder; a filter loads such a parameter once per worker.

    A path in a recipe file is relative to that file. A path on the command line is relative to the working directory.
    """

    path: str

    @classmethod
    def parse(cls, value: object) -> Self:
        """Make a path absolute; raises ``ValueError`` if nothing exists there."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, str | os.PathLike):
            raise ValueError("must be the path of a file")
        path = os.path.abspath(os.path.join(_folder.get(), os.path.expanduser(os.fspath(value))))
        if not os.path.exists(path):
            raise ValueError(f"there is no file {path}")
        return cls(path)

    def digest(self) -> str:
        """Return the SHA-256 of the file's bytes in hexadecimal; raises ``OSError`` if it cannot be read."""
        status = os.stat(self.path)
        return _digest(self.path, status.st_size, status.st_mtime_ns)

    def __str__(self) -> str:
        return self.path


@functools.lru_cache(maxsize=64)
def _digest(path: str, _size: int, _mtime_ns: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
