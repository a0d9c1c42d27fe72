"""Files of a model package: a folder, a zip, or a single file.

Packages come from strangers. Names that lead out of the package, links, and zips that would unpack to a huge size are
refused before anything is read. Nothing is unpacked to disk here.
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
from imgpool.system.files import open_without_blocking

MAX_FILES = 10_000
MAX_PACKAGE_BYTES = 16 << 30

MAX_ZIP_RATIO = 100
"""Unpacked bytes per byte of a zip; checked for zips that unpack to more than `MIN_ZIP_BOMB_BYTES`."""

MIN_ZIP_BOMB_BYTES = 256 << 20

MAX_NAME_LENGTH = 255
MAX_SHOWN_CHARACTERS = 80

DESCRIPTION_NAME = re.compile(r"(?:.+\.)?(?:bioimageio|rdf)\.ya?ml")
DAMAGE_ERRORS = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, ValueError)
DOWNLOAD_HINT = "download or create the package again"


class Package(Protocol):
    """The files of a package. Names are relative to its top folder, with slashes."""

    def names(self) -> tuple[str, ...]:
        """Names of the files in the top folder."""

    def read(self, name: str, limit: int = MAX_PACKAGE_BYTES) -> bytes:
        """Read a file; raise `RecipeError` if it is missing, damaged or longer than `limit` bytes."""

    def paths(self, names: Iterable[str]) -> tuple[str, ...]:
        """Paths on disk that change if one of these files changes."""

    def path(self, name: str) -> str:
        """Path of a file on disk; empty if it is in an archive."""


@dataclass(frozen=True, slots=True)
class FolderPackage:
    """A package in a folder."""

    folder: str

    def names(self) -> tuple[str, ...]:
        """Names of the files in the folder."""
        try:
            with os.scandir(self.folder) as entries:
                return tuple(entry.name for entry in entries if entry.is_file())
        except OSError as error:
            raise RecipeError(f"it cannot be read: {error.strerror}") from None

    def paths(self, names: Iterable[str]) -> tuple[str, ...]:
        """The folder, which changes if files come or go, and the files."""
        return self.folder, *map(self.path, names)

    def path(self, name: str) -> str:
        """Path of a file."""
        return os.path.join(self.folder, checked_name(name))

    def read(self, name: str, limit: int = MAX_PACKAGE_BYTES) -> bytes:
        """Read a file."""
        with self._open(name) as file:
            size = os.fstat(file.fileno()).st_size
            _check_size(name, size, limit)
            return file.read(size)  # not `limit`: that much memory would be reserved

    def starts_with(self, name: str, magic: bytes) -> bool:
        """Whether a file starts with these bytes."""
        with self._open(name) as file:
            return file.read(len(magic)) == magic

    @contextmanager
    def _open(self, name: str) -> Iterator[BinaryIO]:
        try:
            with open(self.path(name), "rb", opener=open_without_blocking) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise RecipeError(f"its {_quote(name)} is not a regular file")
                yield file
        except FileNotFoundError:
            raise _missing_file(name) from None
        except OSError as error:
            raise RecipeError(f"its {_quote(name)} cannot be read: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class ZipPackage:
    """A package in a zip; `top` is the folder in it that holds all files ("model/"), or empty."""

    archive: str
    top: str

    def names(self) -> tuple[str, ...]:
        """Names of the files in the top folder."""
        with zipfile.ZipFile(self.archive) as archive:
            found = [name.removeprefix(self.top) for name in archive.namelist() if name.startswith(self.top)]
        return tuple(name for name in found if name and "/" not in name)

    def paths(self, names: Iterable[str]) -> tuple[str, ...]:  # noqa: ARG002 - all files are in the zip
        """The zip."""
        return (self.archive,)

    def path(self, name: str) -> str:  # noqa: ARG002 - all files are in the zip
        """Always empty."""
        return ""

    def read(self, name: str, limit: int = MAX_PACKAGE_BYTES) -> bytes:
        """Read a file."""
        try:
            with zipfile.ZipFile(self.archive) as archive:
                member = archive.getinfo(self.top + checked_name(name))
                _check_size(name, member.file_size, limit)
                return archive.read(member)
        except KeyError:
            raise _missing_file(name) from None
        except OSError as error:
            raise RecipeError(f"it cannot be read: {error.strerror}") from None
        except DAMAGE_ERRORS:
            raise RecipeError(f"its {_quote(name)} is damaged", DOWNLOAD_HINT) from None


def open_package(path: str) -> tuple[Package, str]:
    """Open and check the package at `path`.

    Returns
    -------
    Package
        The files.
    str
        The file in it that `path` names; empty if `path` is the whole package.

    Raises
    ------
    RecipeError
        If the package is missing, unreadable, damaged or unsafe.
    """
    if os.path.isdir(path):
        return FolderPackage(path), ""
    if not os.path.exists(path):
        raise RecipeError("there is no such file or folder")
    folder, name = os.path.split(path)
    if not FolderPackage(folder).starts_with(name, b"PK"):
        return FolderPackage(folder), name
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (OSError, *DAMAGE_ERRORS):
        raise RecipeError("the zip is damaged or incomplete", DOWNLOAD_HINT) from None
    _check_members(members)
    _check_unpacked_size(members, os.path.getsize(path))
    return ZipPackage(path, _top_folder([member.filename for member in members if not member.is_dir()])), ""


def description_name(package: Package) -> str:
    """Name of the file that describes the package; empty if there is none.

    Raises
    ------
    RecipeError
        If there are several.
    """
    found = [name for name in package.names() if DESCRIPTION_NAME.fullmatch(name)]
    plain = [name for name in found if name.partition(".")[0] in {"bioimageio", "rdf"}]
    candidates = plain or found
    if len(candidates) > 1:
        raise RecipeError(f"it has several descriptions: {', '.join(sorted(candidates))}", "give the path of one")
    return candidates[0] if candidates else ""


def checked_name(name: str) -> str:
    """Normalise the name of a file in a package.

    Raises
    ------
    RecipeError
        If the name leads out of the package, or to the network.
    """
    if len(name) > MAX_NAME_LENGTH:
        raise RecipeError(f"it has a file name of {len(name):,} characters", DOWNLOAD_HINT)
    if re.match(r"\w+://", name):
        raise RecipeError(
            f"its {_quote(name)} is on the network, and imgpool downloads nothing", "download the whole package"
        )
    if _leads_out(name):
        raise RecipeError(
            f"its {_quote(name)} leads out of the package", "do not use this package: it may be an attack"
        )
    return posixpath.normpath(name)


def _leads_out(name: str) -> bool:
    parts = re.split(r"[\\/]", name)
    return not name or parts[0] == "" or ".." in parts or "\0" in name or bool(re.match(r"[A-Za-z]:", name))


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MAX_FILES:
        raise RecipeError(f"it has {len(members):,} files, more than {MAX_FILES:,}")
    counts = Counter(member.filename for member in members)
    duplicate = next((name for name, count in counts.items() if count > 1), None)
    if duplicate is not None:
        raise RecipeError(f"it has {_quote(duplicate)} twice", DOWNLOAD_HINT)
    for member in members:
        _check_member(member)


def _check_member(member: zipfile.ZipInfo) -> None:
    checked_name(member.orig_filename)
    if stat.S_ISLNK(member.external_attr >> 16):
        raise RecipeError(f"its {_quote(member.filename)} is a link", "zip the files themselves")
    if member.flag_bits & 1:
        raise RecipeError(f"its {_quote(member.filename)} is encrypted", "zip it without a password")


def _check_unpacked_size(members: list[zipfile.ZipInfo], zip_bytes: int) -> None:
    total = sum(member.file_size for member in members)
    if total > MAX_PACKAGE_BYTES or (total > MIN_ZIP_BOMB_BYTES and total > MAX_ZIP_RATIO * zip_bytes):
        raise RecipeError(
            f"it unpacks from {zip_bytes / 1e6:,.1f} MB to {total / 1e6:,.1f} MB", "unpack it to a folder"
        )


def _top_folder(names: list[str]) -> str:
    """The one folder of a zip that holds all files, if the description is in it; else empty."""
    tops = {name.partition("/")[0] for name in names if not name.startswith("__MACOSX/")}
    top = f"{tops.pop()}/" if len(tops) == 1 else ""
    return (
        top if any(DESCRIPTION_NAME.fullmatch(name.removeprefix(top)) for name in names if name.startswith(top)) else ""
    )


def _quote(name: str) -> str:
    text = repr(name)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}…"


def _check_size(name: str, size: int, limit: int) -> None:
    if size > limit:
        raise RecipeError(f"its {_quote(name)} has {size / 1e6:,.1f} MB, more than {limit / 1e6:,.1f} MB")


def _missing_file(name: str) -> RecipeError:
    return RecipeError(f"it has no {_quote(name)}", "the package is incomplete: download it again")
