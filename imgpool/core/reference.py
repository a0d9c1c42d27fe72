"""What a recipe leans on beside its own text: a dark frame, a reference image, a model."""

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
    """Take paths that are read meanwhile as relative to `folder`: a recipe's files lie beside it."""
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


@dataclass(frozen=True, slots=True)
class Reference(Parsed):
    """A file or folder that exists, by its absolute path; a parameter of this type is loaded once per worker.

    A path in a recipe file is relative to that file, one on the command line to the working directory.
    """

    path: str

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a path; raise ``ValueError`` where nothing is there."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, str | os.PathLike):
            raise ValueError(f"{value!r} is no path")
        path = os.path.abspath(os.path.join(_folder.get(), os.path.expanduser(os.fspath(value))))
        if not os.path.exists(path):
            raise ValueError(f"there is no {path}")
        return cls(path)

    def digest(self) -> str:
        """The sha256 of a file's bytes, in hexadecimal; raises ``OSError`` where it cannot be read."""
        status = os.stat(self.path)
        return _digest(self.path, status.st_size, status.st_mtime_ns)

    def __str__(self) -> str:
        return self.path


@functools.lru_cache(maxsize=64)
def _digest(path: str, _size: int, _mtime_ns: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
