"""Small disks, disks that go away, and limits on files: for the tests of storage that fails."""

import resource
import subprocess
from contextlib import contextmanager

import pytest


@contextmanager
def mounted(folder, *options, source="tmpfs"):
    """Mount on a folder, which is made; the test is skipped where that is not permitted."""
    folder.mkdir(exist_ok=True)
    try:
        done = subprocess.run(["mount", *options, source, folder], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no command to mount with")
    if done.returncode:
        pytest.skip("mounting is not permitted here")
    try:
        yield folder
    finally:
        unmount(folder)


def disk(folder, size, **options):
    """A file system of this size (4k, 1m)."""
    words = ",".join([f"size={size}", *(f"{name}={value}" for name, value in options.items())])
    return mounted(folder, "-t", "tmpfs", "-o", words)


def shown_at(folder, source):
    """Another folder, shown at this one: as a share that can be unmounted and brought back."""
    return mounted(folder, "--bind", source=source)


def remount(folder, options):
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def unmount(folder):
    """Unmount at once, also what is in use; nothing happens where nothing is mounted."""
    subprocess.run(["umount", "--lazy", folder], capture_output=True, check=False)


@contextmanager
def file_size_limit(size):
    """Let this process write no file beyond a size, as a full disk does in the middle of a line."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
