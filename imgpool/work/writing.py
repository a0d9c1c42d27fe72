"""Write results: to a temporary file in the scratch folder first, then to their targets."""

import errno
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from imgpool.core.image import Image
from imgpool.core.task import Task
from imgpool.system.durability import sync_single_file
from imgpool.system.paths import openable
from imgpool.work.existing_file import Content
from imgpool.work.files import format_and_temporary, size_and_hash, write_as
from imgpool.work.placing import Placer

DISK_FULL_BYTES = 64 * 1024
"""A disk with less free space than this is full: no image fits."""


class Written(NamedTuple):
    """A result that has been written.

    Attributes
    ----------
    content
        Size and hash.
    lost
        Names of the metadata that are not in it.
    placed
        Whether it is at its target; False if the task is skipped because of a file that is there.
    """

    content: Content
    lost: tuple[str, ...]
    placed: bool


class ResultWriter:
    """Writes the results of one process.

    Parameters
    ----------
    scratch
        Folder for temporary files, on the file system of the output.
    options
        Options of the output format.
    placer
        Puts the files at their targets.
    """

    def __init__(self, scratch: str, options: Mapping[str, Any], placer: Placer) -> None:
        self._scratch = scratch
        self._options = options
        self._placer = placer

    def write(self, image: Image, task: Task) -> Written:
        """Write an image to the target of a task.

        Raises
        ------
        WriteError
            If the format cannot hold the image, or the target must not be replaced.
        OSError
            If it cannot be written.
        """
        format_, temporary = format_and_temporary(task.target, self._scratch)
        try:
            lost = write_as(format_, image, temporary, self._options)
            sync_single_file(temporary)
            content = Content(*size_and_hash(temporary))
            placed = self._placer.place(temporary, task, content)
        except BaseException as error:
            disk_is_full = _may_mean_full_disk(error) and _is_full(self._scratch)  # before the partial file is removed
            with suppress(PermissionError):  # Windows removes no file that a library has left open
                Path(temporary).unlink(missing_ok=True)
            if disk_is_full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), task.target) from error
            raise
        return Written(content, lost, placed)


def _may_mean_full_disk(error: BaseException) -> bool:
    """Whether an error has no errno although the disk may be full, as some writers raise it."""
    return isinstance(error, OSError | RuntimeError) and getattr(error, "errno", None) is None


def _is_full(folder: str) -> bool:
    return shutil.disk_usage(openable(folder)).free < DISK_FULL_BYTES
