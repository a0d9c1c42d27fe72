"""Names and places in an output folder."""

import os

from imgpool.core.catalogue import split_extension

FOLDER = ".imgpool"
"""The folder for imgpool's own files in every output folder."""

SYSTEM_FOLDERS = {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information"}
"""Folders that operating systems create; they hold no results."""

Place = tuple[int, int]
"""A file system and a folder in it: what a path leads to, whatever its name."""


def place_of(path: str) -> Place | None:
    """Where a path leads; None where it leads nowhere."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def default_output(first: str | os.PathLike[str]) -> str:
    """The folder beside the first input: ``photos-processed`` for ``photos``."""
    folder, name = os.path.split(os.path.abspath(first))
    stem = name if os.path.isdir(first) else split_extension(name)[0]
    return os.path.join(folder, f"{stem}-processed")
