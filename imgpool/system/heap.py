"""Reuse of freed memory.

By default, glibc returns every large array to the system as soon as it is freed, and requests it again page by page
for the next image. For a 12-megapixel photo this costs a tenth of the time.
"""

import ctypes
import os

MMAP_THRESHOLD_BYTES = 32 << 20
"""Size from which an array is still returned as soon as it is freed; glibc accepts no larger value."""

TRIM_THRESHOLD_BYTES = 64 << 20
"""Free memory that a process keeps at the end of its heap."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # <malloc.h>


def keep_freed_memory() -> None:
    """Let this process reuse the memory it frees, up to a limit. Has an effect only with glibc."""
    libc = ctypes.CDLL(None) if os.name == "posix" else None
    if libc and hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES)
