"""Other people's tools, where they are installed: a test that needs one which is not is skipped."""

import functools
import shutil
import subprocess

import pytest


def run_tool(*command):
    """Run a tool, and return what it printed; skip the test where it is not installed."""
    if not is_installed(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)


@functools.cache
def is_installed(name):
    if not shutil.which(name):
        return False
    if name != "convert":
        return True
    told = subprocess.run(["convert", "-version"], capture_output=True, text=True, check=False).stdout
    return told.startswith("Version: ImageMagick")  # and nothing else of that name
