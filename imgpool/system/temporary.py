"""Temporary folders that can be recognised after the process that made them was killed.

Each holds a marker, a file that the process keeps locked for as long as it lives. If another process of the same user
can lock the marker, the owner and all processes that it forked are dead, and the folder can be removed. A folder
without a marker is never touched, nor is one of another user, nor one whose name differs. Without ``flock`` (Windows)
there are no markers, and such folders stay.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.util import get_temp_dir

from imgpool.system.folder import Folder, UnexpectedFileError

MARKER = "imgpool-owner.lock"
"""Name of the marker in a temporary folder."""

NEW_MARKER = f"{MARKER}.new"
"""Name of the marker until it is locked: a marker that has its final name and is not locked has no owner."""

PREFIX = "imgpool-"
"""What the names of imgpool's own temporary folders start with."""

PREFIXES = (PREFIX, "pymp-")
"""Folders that may be removed: imgpool's, and the ones of multiprocessing that imgpool has marked."""

_marked: dict[str, int] = {}
"""Folders that this process has marked, with the descriptors of their markers. Closing one ends its lock."""


@contextmanager
def temporary_folder() -> Iterator[str]:
    """Make a marked temporary folder, and remove it at the end as far as possible."""
    folder = tempfile.mkdtemp(prefix=PREFIX)
    _mark(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _unmark(folder)


def marked_socket_folder() -> str:
    """Return the folder of `multiprocessing` for the sockets of this process, and mark it."""
    folder: str = get_temp_dir()
    if folder not in _marked:
        _mark(folder)
    return folder


def remove_abandoned_folders() -> None:
    """Remove the marked temporary folders of this user whose owners are dead, as far as possible."""
    if not hasattr(os, "geteuid"):
        return
    with suppress(OSError), Folder.open(tempfile.gettempdir()) as parent:
        for name in parent.names():
            if name.startswith(PREFIXES):
                with suppress(OSError, UnexpectedFileError):
                    _remove_if_abandoned(parent, name)


def _remove_if_abandoned(parent: Folder, name: str) -> None:
    with parent.subfolder(name) as folder:
        if folder.path in _marked or folder.own_status().st_uid != os.geteuid():
            return
        marker = folder.open_file(MARKER, os.O_RDWR)
        try:
            if os.fstat(marker).st_uid != os.geteuid() or not _lock(marker):
                return
            for each in sorted(folder.names(), key=lambda each: each == MARKER):  # the marker last
                folder.remove_tree(each)
        finally:
            os.close(marker)
    parent.remove_folder(name)


def _mark(folder: str) -> None:
    """Put a locked marker into a folder, if the system can."""
    with suppress(OSError, UnexpectedFileError), Folder.open(folder) as opened:
        descriptor = opened.open_file(NEW_MARKER, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        if _lock(descriptor):
            opened.replace(NEW_MARKER, opened, MARKER)
            _marked[folder] = descriptor
        else:
            os.close(descriptor)  # Windows removes no open file
            opened.unlink(NEW_MARKER)


def _unmark(folder: str) -> None:
    descriptor = _marked.pop(folder, None)
    if descriptor is not None:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock a file for as long as it is open; False if another process has locked it, or the system has no ``flock``."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, AttributeError, OSError):
        return False
    return True
