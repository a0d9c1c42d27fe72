"""The file that exists at a target: what it is, and whether imgpool is proved to have put it there."""

import hashlib
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, NamedTuple

from imgpool.core.task import Task
from imgpool.system.file_kinds import kind_of
from imgpool.system.folder import Folder, UnexpectedFileError
from imgpool.work.files import HASH_BLOCK_BYTES

Owner = Literal["this result", "own", "blank", "other"]
"""Whose a file is: it equals the new result; it is an earlier result of this source; an interrupted run has left it
without contents; or it is none of these."""


class Content(NamedTuple):
    """What a file contains: its size in bytes, and its SHA-256 in hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ExistingFile:
    """A file, folder or special file that exists at a target.

    Attributes
    ----------
    status
        Its status, after it was read.
    sha256
        Its hash; empty if it is no regular file, cannot be read, or is being changed.
    blank
        Whether it is a regular file that is empty or holds zero bytes only.
    """

    status: os.stat_result
    sha256: str = ""
    blank: bool = False

    def owner(self, task: Task, new: Content) -> Owner:
        """Say whose it is, given the new result of a task."""
        if not self.sha256:
            return "other"
        if self.sha256 == new.sha256:
            return "this result"
        if self.is_own(task):
            return "own"
        return "blank" if self.blank and task.existing and task.existing.interrupted else "other"

    def is_own(self, task: Task) -> bool:
        """Whether it is proved to be an earlier result of a task's source."""
        return task.existing is not None and task.existing.sources.get(self.sha256) == task.source

    def is_unchanged(self, status: os.stat_result) -> bool:
        """Whether a status is that of this file, whose contents have not changed; its name may have."""
        return _identity(status) == _identity(self.status)

    def describe(self, path: str, task: Task) -> str:
        """Say in a message why it is not proved to be a result of a task's source."""
        sources = task.existing.sources if task.existing else {}
        if not stat.S_ISREG(self.status.st_mode):
            return f"{path} is {kind_of(self.status)}, which imgpool did not put there"
        if not self.sha256:
            return f"{path} exists, and cannot be read or is being changed: imgpool cannot tell whether it wrote it"
        if source := sources.get(self.sha256):
            return f"{path} is the result of {source}"
        return (
            f"{path} was changed since imgpool wrote it" if sources else f"{path} exists and was not written by imgpool"
        )


def find_file(folder: Folder, name: str, *, read: bool = True) -> ExistingFile | None:
    """Look at what exists at a target; None if there is nothing.

    Parameters
    ----------
    folder, name
        The folder of the target, and its name there. A link is not followed.
    read
        Whether to read and hash it.
    """
    try:
        status = folder.status(name)
    except FileNotFoundError:
        return None
    if read and stat.S_ISREG(status.st_mode):
        with suppress(PermissionError, FileNotFoundError, UnexpectedFileError):  # the last two: replaced meanwhile
            return _read(folder.open_file(name))
    return ExistingFile(status)


def _read(descriptor: int) -> ExistingFile:
    """Hash an open file, and close it."""
    try:
        before = os.fstat(descriptor)
        digest, blank = hashlib.sha256(), True
        while block := os.read(descriptor, HASH_BLOCK_BYTES):
            digest.update(block)
            blank = blank and not block.strip(b"\0")
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    changed = _identity(before) != _identity(after)
    return ExistingFile(after, "" if changed else digest.hexdigest(), blank and not changed)


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
