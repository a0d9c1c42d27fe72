"""Memory that one image has freed serves the next.

By default glibc gives every array back to the system, page by page, and asks for it anew: of a 12-megapixel photo's
time that is a tenth.
"""

import ctypes
import os

MAPPED = 32 << 20
"""Bytes from which on an array is given back as soon as it is freed; glibc takes no more."""

KEPT = 64 << 20
"""Free bytes at the heap's end that a process keeps."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as <malloc.h> has them


def keep_freed_memory() -> None:
    """Make this process keep what it frees, up to a limit; only where the C library is glibc."""
    libc = ctypes.CDLL(None) if os.name == "posix" else None
    if libc and hasattr(libc, "mallopt"):
        libc.mallopt(_MMAP_THRESHOLD, MAPPED)
        libc.mallopt(_TRIM_THRESHOLD, KEPT)
