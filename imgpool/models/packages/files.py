"""The files of a model package, wherever they are: a folder, a zip, or one file alone.

What is in a package comes from elsewhere: names that lead out of it, links, and zips that unpack to far more than
they are, are refused before anything of it is read. Nothing is unpacked to disk here.
"""

import os
import posixpath
import re
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from imgpool.core.errors import RecipeError

MAX_FILES = 10_000
MAX_BYTES = 16 << 30
BOMB_RATIO = 100
"""A zip with more than this many bytes to one of its own, and more than `HARMLESS`, is a bomb."""
HARMLESS = 256 << 20

LONGEST = 255
"""Letters in the name of a file."""

WIDTH = 80
"""Of them, what is shown in a message."""

DESCRIPTION = re.compile(r"(?:.+\.)?(?:bioimageio|rdf)\.ya?ml")
DAMAGED = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, ValueError)
AGAIN = "download or make it again"


class Package(Protocol):
    """A package's files, by their names relative to its top, with slashes."""

    def names(self) -> tuple[str, ...]:
        """What can be a description: the files at the top."""

    def read(self, name: str, limit: int = MAX_BYTES) -> bytes:
        """The bytes of a file; raises `RecipeError` where it is missing, damaged or longer than `limit`."""

    def paths(self, names: Iterable[str]) -> tuple[str, ...]:
        """What changes on disk where one of these files does."""

    def path(self, name: str) -> str:
        """Where a file lies by itself; empty if it does not."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A package that lies unpacked in a folder."""

    folder: str

    def names(self) -> tuple[str, ...]:
        """The files at its top."""
        try:
            with os.scandir(self.folder) as entries:
                return tuple(entry.name for entry in entries if entry.is_file())
        except OSError as error:
            raise RecipeError(f"it cannot be read: {error.strerror}") from None

    def paths(self, names: Iterable[str]) -> tuple[str, ...]:
        """The folder, for what comes and goes, and the files."""
        return self.folder, *map(self.path, names)

    def path(self, name: str) -> str:
        """Where a file lies."""
        return os.path.join(self.folder, inside(name))

    def read(self, name: str, limit: int = MAX_BYTES) -> bytes:
        """The bytes of a file."""
        with self._open(name) as file:
            _check_size(name, os.fstat(file.fileno()).st_size, limit)
            return file.read(limit)

    def starts_with(self, name: str, magic: bytes) -> bool:
        """Whether these are the first bytes of a file."""
        with self._open(name) as file:
            return file.read(len(magic)) == magic

    @contextmanager
    def _open(self, name: str) -> Iterator[BinaryIO]:
        try:
            with open(self.path(name), "rb", opener=_without_waiting) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise RecipeError(f"its {_shown(name)} is no regular file")
                yield file
        except FileNotFoundError:
            raise _missing(name) from None
        except OSError as error:
            raise RecipeError(f"its {_shown(name)} cannot be read: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class Zip:
    """A package in a zip; `top` is the one folder within it that holds everything, with a slash, or empty."""

    archive: str
    top: str

    def names(self) -> tuple[str, ...]:
        """The files at its top."""
        with zipfile.ZipFile(self.archive) as archive:
            found = [name.removeprefix(self.top) for name in archive.namelist() if name.startswith(self.top)]
        return tuple(name for name in found if name and "/" not in name)

    def paths(self, names: Iterable[str]) -> tuple[str, ...]:  # noqa: ARG002 - they are all in one file
        """The zip."""
        return (self.archive,)

    def path(self, name: str) -> str:  # noqa: ARG002 - none lies by itself
        """Empty."""
        return ""

    def read(self, name: str, limit: int = MAX_BYTES) -> bytes:
        """The bytes of a file."""
        try:
            with zipfile.ZipFile(self.archive) as archive:
                member = archive.getinfo(self.top + inside(name))
                _check_size(name, member.file_size, limit)
                return archive.read(member)
        except KeyError:
            raise _missing(name) from None
        except OSError as error:
            raise RecipeError(f"it cannot be read: {error.strerror}") from None
        except DAMAGED:
            raise RecipeError(f"its {_shown(name)} is damaged", AGAIN) from None


def open_package(path: str) -> tuple[Package, str]:
    """The package at `path`, looked over, and the one file in it that is meant; empty where it is to be found.

    Raises
    ------
    RecipeError
        If it cannot be read, is damaged, or must not be trusted.
    """
    if os.path.isdir(path):
        return Folder(path), ""
    if not os.path.exists(path):
        raise RecipeError("there is nothing of that name")
    folder, name = os.path.split(path)
    if not Folder(folder).starts_with(name, b"PK"):
        return Folder(folder), name
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (OSError, *DAMAGED):
        raise RecipeError("it is a damaged zip, or a part of one", AGAIN) from None
    _check_members(members, os.path.getsize(path))
    return Zip(path, _top([member.filename for member in members if not member.is_dir()])), ""


def description_name(package: Package) -> str:
    """The name of the file that describes the package; empty if there is none.

    Raises
    ------
    RecipeError
        If there are several.
    """
    found = [name for name in package.names() if DESCRIPTION.fullmatch(name)]
    plain = [name for name in found if name.partition(".")[0] in {"bioimageio", "rdf"}]
    candidates = plain or found
    if len(candidates) > 1:
        raise RecipeError(f"it has several descriptions: {', '.join(sorted(candidates))}", "give the path of one")
    return candidates[0] if candidates else ""


def inside(name: str) -> str:
    """The name, in its shortest form.

    Raises
    ------
    RecipeError
        If it leads out of the package, or to the network.
    """
    if len(name) > LONGEST:
        raise RecipeError(f"it holds a file whose name has {len(name):,} letters", AGAIN)
    if re.match(r"\w+://", name):
        raise RecipeError(
            f"its {_shown(name)} is on the network", "download the whole package; imgpool downloads nothing"
        )
    if _leads_out(name):
        raise RecipeError(f"its {_shown(name)} leads out of the package", "do not use it: no honest package does this")
    return posixpath.normpath(name)


def _leads_out(name: str) -> bool:
    parts = re.split(r"[\\/]", name)
    return not name or parts[0] == "" or ".." in parts or "\0" in name or bool(re.match(r"[A-Za-z]:", name))


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    names = [member.filename for member in members]
    if len(names) > MAX_FILES:
        raise RecipeError(f"it holds {len(names):,} files, more than {MAX_FILES:,}")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise RecipeError(f"it holds {_shown(twice[0])} twice", AGAIN)
    for member in members:
        inside(member.orig_filename)
        if stat.S_ISLNK(member.external_attr >> 16):
            raise RecipeError(f"its {_shown(member.filename)} is a link", "zip the files themselves")
        if member.flag_bits & 1:
            raise RecipeError(f"its {_shown(member.filename)} is encrypted", "zip it without a password")
    total = sum(member.file_size for member in members)
    if total > MAX_BYTES or (total > HARMLESS and total > BOMB_RATIO * size):
        raise RecipeError(f"it unpacks to {total / 1e6:,.1f} MB from {size / 1e6:,.1f} MB", "unpack it to a folder")


def _top(names: list[str]) -> str:
    """The one folder that holds everything, where the description lies within it."""
    tops = {name.partition("/")[0] for name in names if not name.startswith("__MACOSX/")}
    top = f"{tops.pop()}/" if len(tops) == 1 else ""
    return top if any(DESCRIPTION.fullmatch(name.removeprefix(top)) for name in names if name.startswith(top)) else ""


def _shown(name: str) -> str:
    text = repr(name)
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"


def _check_size(name: str, size: int, limit: int) -> None:
    if size > limit:
        raise RecipeError(f"its {_shown(name)} is {size / 1e6:,.1f} MB long, more than {limit / 1e6:,.1f} MB")


def _missing(name: str) -> RecipeError:
    return RecipeError(f"it has no {_shown(name)}", "the package is not whole: download it again")


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # opening a FIFO would wait for ever
