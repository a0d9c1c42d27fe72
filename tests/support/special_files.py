"""Links, special files, and folders and files in each other's place."""

import os
import socket
from pathlib import Path

import pytest


def bind_socket(path):
    """Put a socket at a path, which may be longer than the address of a socket."""
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(os.path.dirname(path))
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.basename(path))
    finally:
        os.fchdir(here)
        os.close(here)


def _link_to(name):
    return lambda path, outside: os.symlink(outside / name, path)


def _relative_link(path, outside):
    os.symlink(os.path.relpath(outside / "folder", os.path.dirname(path)), path)


def _link_to_link(path, outside):
    second = outside / f"link-{path.name}"
    os.symlink("folder", second)
    os.symlink(second, path)


KINDS = {
    "link to a file": _link_to("file"),
    "link to a folder": _link_to("folder"),
    "relative link": _relative_link,
    "link to a link": _link_to_link,
    "broken link": _link_to("new"),
    "link to itself": lambda path, _outside: os.symlink(path.name, path),
    "link to a device": lambda path, _outside: os.symlink("/dev/zero", path),
    "pipe": lambda path, _outside: os.mkfifo(path),
    "socket": lambda path, _outside: bind_socket(path),
    "file": lambda path, _outside: Path.touch(path),
    "folder": lambda path, _outside: Path.mkdir(path),
}
"""Makes an entry of each kind at a path; links lead to a folder outside, which has a file and a folder."""

RARE = {"relative link", "link to a link", "link to itself", "link to a device", "socket"}
"""Kinds that are treated as others are; tests with them are slow only in their number."""

ALL_KINDS = [pytest.param(kind, marks=[pytest.mark.slow] if kind in RARE else []) for kind in KINDS]
WRONG_FILES = [each for each in ALL_KINDS if each.values != ("file",)]
WRONG_FOLDERS = [each for each in ALL_KINDS if each.values != ("folder",)]


def describe(path):
    """Everything about an entry that an attack could change; the time of reading is none of it."""
    status = path.lstat()
    content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
    return status.st_mode, status.st_ino, status.st_nlink, status.st_mtime_ns, status.st_ctime_ns, content


def snapshot(folder):
    return {str(path): describe(path) for path in (folder, *sorted(folder.rglob("*")))}
