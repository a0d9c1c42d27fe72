"""Make what was written durable."""

import ctypes
import os


def sync_file_system(descriptor: int) -> None:
    """Make all that was written to the file system of an open file durable.

    The system tells of what it could not write since the file was opened: so it is to be one that stays open.
    """
    libc = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
    if libc and hasattr(libc, "syncfs"):
        if libc.syncfs(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    elif hasattr(os, "sync"):
        os.sync()
