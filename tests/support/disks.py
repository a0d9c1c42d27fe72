"""Small disks, disks that disappear, and limits on file sizes."""

import resource
import subprocess
from contextlib import contextmanager

import pytest


@contextmanager
def mounted(folder, *options, source="tmpfs"):
    """Mount on a new folder; skip the test if mounting is not permitted."""
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
    """Mount an empty file system of a size such as 4k or 1m."""
    words = ",".join([f"size={size}", *(f"{name}={value}" for name, value in options.items())])
    return mounted(folder, "-t", "tmpfs", "-o", words)


def shown_at(folder, source):
    """Mount another folder, like a share that can be unmounted and come back."""
    return mounted(folder, "--bind", source=source)


def remount(folder, options):
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def unmount(folder):
    """Unmount at once, even if it is in use; do nothing if nothing is mounted."""
    subprocess.run(["umount", "--lazy", folder], capture_output=True, check=False)


@contextmanager
def file_size_limit(size):
    """Limit the size of files that this process writes, like a disk that fills up within a line."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
