"""File modes that apply to this thread even if it runs as root."""

import contextlib
import ctypes
import os

CAPABILITY_VERSION = 0x20080522
OVERRIDE_FILE_MODES = 1 << 1 | 1 << 2
"""The capabilities CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH of Linux."""


@contextlib.contextmanager
def unreadable(path):
    """Remove all permissions for a file or folder, also for this thread and those that it starts."""
    mode = os.stat(path).st_mode
    os.chmod(path, 0)
    try:
        with _without_override() if os.geteuid() == 0 else contextlib.nullcontext():
            yield
    finally:
        os.chmod(path, mode)


@contextlib.contextmanager
def _without_override():
    libc = ctypes.CDLL(None, use_errno=True)
    header, before, without = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION), *((ctypes.c_uint32 * 6)() for _ in range(2))
    _check(libc.capget(header, before))
    without[:] = before
    without[0] &= ~OVERRIDE_FILE_MODES  # the first number has the effective capabilities
    _check(libc.capset(header, without))
    try:
        yield
    finally:
        _check(libc.capset(header, before))


def _check(failed):
    if failed:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
