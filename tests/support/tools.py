"""External tools, such as exiftool; a test that needs one is skipped where it is not installed."""

import functools
import shutil
import subprocess

import pytest


def run_tool(*command):
    """Run a tool and return the finished process; skip the test where the tool is not installed."""
    if not is_installed(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)


@functools.cache
def is_installed(name):
    if not shutil.which(name):
        return False
    if name != "convert":
        return True
    version = subprocess.run(["convert", "-version"], capture_output=True, text=True, check=False).stdout
    return version.startswith("Version: ImageMagick")  # Windows has another program of this name
