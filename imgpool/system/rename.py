"""Renaming that never replaces a file unnoticed, by whichever means the system and the file system offer."""

import ctypes
import errno
import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from imgpool.system.files import BINARY
from imgpool.system.paths import openable

NewFile = Literal["rename", "link", "create"]
"""How a file gets a name that must not be in use:

- "rename": by a rename that refuses to replace;
- "link": by a second link to the file, after which the first is removed;
- "create": by creating an empty file of this name, and renaming over it.
"""


@dataclass(frozen=True, slots=True)
class Placing:
    """How files are renamed in a folder, as `probe` found out.

    Attributes
    ----------
    new
        How a file gets a name that must not be in use.
    exchange
        Whether two names can be exchanged in one step.
    """

    new: NewFile = "create"
    exchange: bool = False


class Entry(NamedTuple):
    """A name in a folder.

    Attributes
    ----------
    path
        A path; relative to the folder if that is given.
    folder
        Descriptor of the folder; None if the path is absolute.
    """

    path: str
    folder: int | None = None

    def status(self) -> os.stat_result:
        """Return the status of the entry; of the link itself if it is one."""
        return os.stat(self.path, dir_fd=self.folder, follow_symlinks=False)

    def unlink(self) -> None:
        """Remove it."""
        os.unlink(self.path, dir_fd=self.folder)

    def create(self) -> None:
        """Create an empty file; raise `FileExistsError` if there is an entry of any kind."""
        os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o666, dir_fd=self.folder))


def rename_new(source: Entry, target: Entry, way: NewFile) -> None:
    """Rename a file to a name that is not in use.

    Parameters
    ----------
    source, target
        The file and its new name.
    way
        How to do it. If the file system does not offer it after all, another way is taken.

    Raises
    ------
    FileExistsError
        If there is an entry of any kind at the target. Nothing has changed then.
    """
    try:
        _WAYS[way](source, target)
    except OSError as error:
        if way == "create" or error.errno not in _UNSUPPORTED:
            raise
        rename_new(source, target, "link" if way == "rename" else "create")


def replace(source: Entry, target: Entry) -> None:
    """Rename a file, and replace what has its new name."""
    os.replace(source.path, target.path, src_dir_fd=source.folder, dst_dir_fd=target.folder)


def exchange(first: Entry, second: Entry) -> None:
    """Exchange two names in one step; raise `OSError` if that is not possible."""
    _rename_with_flags(first, second, _system_call().exchange)


def probe(folder: str) -> Placing:
    """Find out how files can be renamed on the file system of a folder.

    Parameters
    ----------
    folder
        An existing folder. The files that are created in it are removed again.

    Raises
    ------
    OSError
        If no file can be created in it.
    """
    with _two_files(folder) as (first, second):
        can_exchange = _succeeds(exchange, first, second)
    return Placing(next((way for way in _WAYS if _works(way, folder)), "create"), can_exchange)


def _works(way: NewFile, folder: str) -> bool:
    """Whether a way to rename refuses a name that is in use, and accepts one that is not."""
    rename = _WAYS[way]
    with _two_files(folder) as (source, target):
        try:
            if _succeeds(rename, source, target):
                return False  # it has replaced a file
        except FileExistsError:
            target.unlink()
            return _succeeds(rename, source, target) and not os.path.lexists(source.path)
        return False


@contextmanager
def _two_files(folder: str) -> Iterator[tuple[Entry, Entry]]:
    path = os.path.join(folder, f".imgpool-probe-{os.getpid()}")
    first, second = Entry(openable(f"{path}-1")), Entry(openable(f"{path}-2"))
    try:
        first.create()
        second.create()
        yield first, second
    finally:
        for entry in (first, second):
            with suppress(OSError):
                entry.unlink()


_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK}
"""Errors of a file system that does not offer a way to rename; EMLINK: a file cannot have two links."""


def _succeeds(rename: Callable[[Entry, Entry], None], source: Entry, target: Entry) -> bool:
    try:
        rename(source, target)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        return False
    return True


def _rename_without_replacing(source: Entry, target: Entry) -> None:
    if os.name == "nt":
        os.rename(source.path, target.path)  # Windows never replaces
    else:
        _rename_with_flags(source, target, _system_call().no_replace)


def _link_and_unlink(source: Entry, target: Entry) -> None:
    if not hasattr(os, "link"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    os.link(source.path, target.path, src_dir_fd=source.folder, dst_dir_fd=target.folder)
    source.unlink()


def _create_and_replace(source: Entry, target: Entry) -> None:
    target.create()
    try:
        replace(source, target)
    except OSError:
        with suppress(OSError):
            if target.status().st_size == 0:
                target.unlink()
        raise


_WAYS: dict[NewFile, Callable[[Entry, Entry], None]] = {
    "rename": _rename_without_replacing,
    "link": _link_and_unlink,
    "create": _create_and_replace,
}


class _SystemCall(NamedTuple):
    """A system call that renames relative to descriptors of folders, with flags.

    Attributes
    ----------
    function
        The function of the C library.
    current_folder
        Stands for the current folder, instead of a descriptor.
    no_replace, exchange
        The flags.
    """

    function: Any
    current_folder: int
    no_replace: int
    exchange: int


@functools.cache
def _system_call() -> _SystemCall:
    """Return the system call; raise `OSError` where there is none."""
    name, *constants = ("renameatx_np", -2, 4, 2) if sys.platform == "darwin" else ("renameat2", -100, 1, 2)
    library = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
    if not hasattr(library, name):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    function = getattr(library, name)
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return _SystemCall(function, *constants)


def _rename_with_flags(source: Entry, target: Entry, flags: int) -> None:
    function, current_folder, _, _ = _system_call()
    path, folder = source
    new_path, new_folder = target
    failed = function(
        current_folder if folder is None else folder,
        os.fsencode(path),
        current_folder if new_folder is None else new_folder,
        os.fsencode(new_path),
        flags,
    )
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path, None, new_path)
