"""Making written data durable.

Every system does this differently:

=======  ================================================  =======================================
system   a file system                                     a file
=======  ================================================  =======================================
Linux    ``syncfs``                                        ``fsync``
macOS    ``fsync_volume_np``, which waits for the disk     ``F_FULLFSYNC``: ``fsync`` does not wait
Windows  not without an administrator's rights             ``FlushFileBuffers``, as ``fsync``
=======  ================================================  =======================================

Where a file system cannot be synced, each file has to be synced before it is renamed into place.
"""

import contextlib
import ctypes
import functools
import os
from collections.abc import Callable, Iterator

from imgpool.system.files import open_binary

SYNC_VOLUME_FULLSYNC, SYNC_VOLUME_WAIT = 1, 2  # <unistd.h> of macOS


def sync_file_system(descriptor: int) -> None:
    """Make everything written to the file system of an open file durable, where the system can do that.

    The system only reports write errors that occurred since the file was opened. Pass a file that stays open for as
    long as data is written.

    Parameters
    ----------
    descriptor
        Descriptor of any open file on the file system.

    Raises
    ------
    OSError
        If something could not be written.
    """
    if sync := _sync_function():
        sync(descriptor)


def can_sync_file_system() -> bool:
    """Whether `sync_file_system` does anything on this system."""
    return _sync_function() is not None


def sync_file(descriptor: int) -> None:
    """Make what was written to an open file durable, on the disk itself.

    Raises
    ------
    OSError
        If it could not be written.
    """
    if full_sync := _full_sync_function():
        with contextlib.suppress(OSError):  # a network share or USB disk may not know it
            full_sync(descriptor)
            return
    os.fsync(descriptor)


def sync_single_file(path: str) -> None:
    """Make a finished file durable if its file system cannot be synced as a whole later.

    Raises
    ------
    OSError
        If it could not be written.
    """
    if can_sync_file_system():
        return
    descriptor = open_binary(path, os.O_RDWR)  # Windows syncs only what is open for writing
    try:
        sync_file(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def open_folder(folder: str | os.PathLike[str]) -> Iterator[int]:
    """Context with a descriptor of a folder.

    Raises
    ------
    OSError
        If the folder does not exist; on Windows always, because it opens no folders.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@functools.cache
def _full_sync_function() -> Callable[[int], object] | None:
    """Return the function by which macOS syncs a file; None on other systems."""
    try:
        import fcntl
    except ImportError:
        return None
    command = getattr(fcntl, "F_FULLFSYNC", None)
    return None if command is None else lambda descriptor: fcntl.fcntl(descriptor, command)


@functools.cache
def _sync_function() -> Callable[[int], None] | None:
    """Return the function that syncs the file system of a descriptor; None if this system has none."""
    libc = _c_library()
    if libc is None:
        return None
    if hasattr(libc, "syncfs"):
        return functools.partial(_call, libc, "syncfs")
    if hasattr(libc, "fsync_volume_np"):
        return functools.partial(_call, libc, "fsync_volume_np", SYNC_VOLUME_FULLSYNC | SYNC_VOLUME_WAIT)
    return None


def _c_library() -> ctypes.CDLL | None:
    """Return the C library of this process; None where it cannot be found by that, as on Windows."""
    try:
        return ctypes.CDLL(None, use_errno=True)
    except (TypeError, OSError):
        return None


def _call(libc: ctypes.CDLL, name: str, *arguments: int) -> None:
    """Call a function of the C library; the descriptor is its first argument, and comes last here."""
    *others, descriptor = arguments
    if getattr(libc, name)(descriptor, *others):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
