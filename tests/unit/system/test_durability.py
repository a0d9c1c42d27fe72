"""Syncing a file system."""

import ctypes
import errno
from types import SimpleNamespace

import pytest

from imgpool.system.durability import sync_file_system


def test_a_closed_descriptor_is_reported():
    with pytest.raises(OSError, match="Bad file descriptor"):
        sync_file_system(2**20)


def test_a_failed_sync_raises_the_error_of_the_system(monkeypatch):
    """What was written to a disk that is gone must not count as done."""

    def syncfs(_descriptor):
        ctypes.set_errno(errno.EIO)
        return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_name, **_options: SimpleNamespace(syncfs=syncfs))
    with pytest.raises(OSError, match="Input/output") as caught:
        sync_file_system(0)
    assert caught.value.errno == errno.EIO
