"""Syncing a file system."""

import errno

import pytest

from imgpool.system.durability import sync_file_system


def test_a_failed_sync_raises_the_error_of_the_system():
    """What was written to a disk that is gone must not count as done."""
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        sync_file_system(2**20)
    assert caught.value.errno == errno.EBADF
