"""Making written data durable."""

import ctypes
import os


def sync_file_system(descriptor: int) -> None:
    """Make everything written to the file system of an open file durable.

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
    libc = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
    if libc and hasattr(libc, "syncfs"):
        if libc.syncfs(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    elif hasattr(os, "sync"):
        os.sync()
