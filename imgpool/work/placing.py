"""Put finished results at their targets, and never replace a file that imgpool cannot prove to be its own."""

import itertools
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from imgpool.core.catalogue import split_extension
from imgpool.core.errors import TargetExistsError, WriteError
from imgpool.core.hint import Hint
from imgpool.core.task import IfExists, Task
from imgpool.system.paths import openable
from imgpool.system.rename import Entry, Placing, exchange, rename_new, replace
from imgpool.work.existing_file import Content, ExistingFile, find_file
from imgpool.work.intents import IntentLog
from imgpool.work.target_folders import Target, TargetFolders, entry_of

REPLACED_FOLDER = "replaced"
"""Name of the folder with the files that results have replaced, in the folder of imgpool's own files."""

MAX_ATTEMPTS = 10
"""Attempts to put a result at its target while others change what is there."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a run puts its results, and how.

    Attributes
    ----------
    output
        Absolute path of the output folder. Every target lies in it.
    state
        Absolute path of the folder in it that holds imgpool's own files.
    run
        Token of the run.
    placing
        How files are renamed in the output folder.
    if_exists
        What to do with a target that exists and is not proved to be this source's own result: the image fails, is
        skipped, or the file is first moved to ``replaced/RUN`` in the state folder.
    follow_links
        Whether sub-folders of the output folder may be links.
    """

    output: str
    state: str
    run: str
    placing: Placing
    if_exists: IfExists = "fail"
    follow_links: bool = False


class Placer:
    """Puts the results of one process at their targets.

    Parameters
    ----------
    destination
        Where they go.
    """

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._placing = destination.placing
        self._folders = TargetFolders(destination.output, follow_links=destination.follow_links)
        self._state = os.path.relpath(destination.state, destination.output)
        self._intents = IntentLog(destination.output, self._state, destination.run)

    def find_up_to_date(self, task: Task) -> Content | None:
        """Return the content of the file at a target if it makes the task done; None if the task must run."""
        if task.existing is None or not task.existing.up_to_date:
            return None
        existing = self._find(task)
        if existing is None or existing.sha256 != task.existing.up_to_date:
            return None
        return Content(existing.status.st_size, existing.sha256)

    def must_skip(self, task: Task) -> bool:
        """Whether a task is skipped because of a file that existed at its target when the run was planned."""
        if self._destination.if_exists != "skip" or task.existing is None or task.existing.interrupted:
            return False
        existing = self._find(task, read=bool(task.existing.sources))
        return existing is not None and not existing.is_own(task)

    def place(self, temporary: str, task: Task, new: Content) -> bool:
        """Put a result at its target.

        Parameters
        ----------
        temporary
            Absolute path of the result, on the file system of the output. It no longer exists afterwards, unless an
            error is raised.
        task
            The task.
        new
            Content of the result.

        Returns
        -------
        bool
            Whether the result is at its target; False if the task is skipped because of the file that is there.

        Raises
        ------
        TargetExistsError
            If the target is not proved to be a result of the task's source.
        WriteError
            If the folder of the target is a link, or the target is the source.
        OSError
            If the result cannot be put there.
        """
        relative = self._folders.relative(task.target)
        self._intents.add(relative, task.source, new.sha256, new.size)
        source = Entry(temporary)
        try:
            rename_new(source, self._folders.entry(relative), self._placing.new)
        except (FileExistsError, FileNotFoundError):
            return self._place_with_care(source, task, new)
        return True

    def _place_with_care(self, source: Entry, task: Task, new: Content) -> bool:
        """Put a result at a target that exists, or whose folder does not."""
        for _ in range(MAX_ATTEMPTS):
            source.status()  # raises if the output disk was unmounted: create no folders at its mount point
            target = self._folders.target(task.target, create=True)
            existing = find_file(target.folder, target.name)
            if existing is not None:
                placed = self._meet_existing(source, target, existing, task, new)
                if placed is not None:
                    return placed
            with suppress(FileExistsError, FileNotFoundError):
                rename_new(source, target.entry, self._placing.new)
                return True
        raise TargetExistsError(f"{task.target} is changed by another program all the time", "end that program")

    def _meet_existing(
        self, source: Entry, target: Target, existing: ExistingFile, task: Task, new: Content
    ) -> bool | None:
        """Deal with the file at a target; None if it is out of the way, or has changed meanwhile."""
        if _is_source(existing, target, task):
            raise WriteError("the result would replace its own source", f"choose another folder with {Hint('output')}")
        owner = existing.owner(task, new)
        if owner == "this result":
            source.unlink()
            return True
        if owner in {"own", "blank"} or self._is_begun(existing, target):
            return self._replace(source, target, existing) or None
        if self._destination.if_exists == "replace":
            with suppress(FileNotFoundError):
                self._move_aside(target.entry, target.relative)
            return None
        self._intents.withdraw_last()  # otherwise, a later run would take the file for an edited result
        if self._destination.if_exists == "fail":
            remedy = f"move it away, or use {Hint('if_exists', 'replace')}"
            raise TargetExistsError(existing.describe(target.path, task), remedy)
        source.unlink()
        return False

    def _is_begun(self, existing: ExistingFile, target: Target) -> bool:
        """Whether a worker of this run died between creating the target and renaming the result over it."""
        if self._placing.new != "create" or not existing.blank or existing.status.st_size:
            return False
        return self._intents.count(target.relative) > 1  # one of them is that of the current attempt

    def _replace(self, source: Entry, target: Target, existing: ExistingFile) -> bool:
        """Replace a file of imgpool's own; False if it has changed meanwhile, and was left as it is."""
        if not self._placing.exchange:
            return _replace_unchanged(source, target.entry, existing)
        new, replaced = source.status(), False
        try:
            exchange(source, target.entry)
            replaced = existing.is_unchanged(source.status())
        except FileNotFoundError:  # the target has disappeared
            pass
        finally:
            if not replaced:
                self._take_back(source, target, new)
        if replaced:
            source.unlink()
        return replaced

    def _take_back(self, source: Entry, target: Target, new: os.stat_result) -> None:
        """Give a target back the file that it had, if that has the temporary name of the new result.

        What has that name at the end and is not the new result is moved aside, as temporary files are removed.
        """
        try:
            if not os.path.samestat(source.status(), new):
                exchange(source, target.entry)
        finally:
            if not os.path.samestat(source.status(), new):
                self._move_aside(source, target.relative)

    def _move_aside(self, entry: Entry, relative: str) -> None:
        """Move what is not imgpool's own to the folder of the replaced files, under a name that is not in use."""
        folder, name = os.path.split(os.path.join(self._state, REPLACED_FOLDER, self._destination.run, relative))
        with self._folders.folder("").descend(folder, create=True) as kept:
            unused = next(candidate for candidate in _numbered(name) if not kept.exists(candidate))
            new = entry_of(kept, unused)
            os.rename(entry.path, new.path, src_dir_fd=entry.folder, dst_dir_fd=new.folder)

    def _find(self, task: Task, *, read: bool = True) -> ExistingFile | None:
        """Look at what exists at the target of a task."""
        try:
            target = self._folders.target(task.target)
        except (FileNotFoundError, WriteError):  # `place` says what is wrong
            return None
        return find_file(target.folder, target.name, read=read)


def _numbered(name: str) -> Iterator[str]:
    """Yield a file name, then the same with "-1", "-2", … before its extension."""
    stem, _ = split_extension(name)
    yield name
    for number in itertools.count(1):
        yield f"{stem}-{number}{name[len(stem) :]}"


def _is_source(existing: ExistingFile, target: Target, task: Task) -> bool:
    """Whether the target is the source itself; a link to the source is not."""
    try:
        same = os.path.samestat(existing.status, os.stat(openable(task.source)))
    except OSError:
        return False
    return same and os.path.realpath(target.path) == os.path.realpath(task.source)


def _replace_unchanged(source: Entry, target: Entry, existing: ExistingFile) -> bool:
    """Replace a file if it has neither been changed nor renamed since it was read; return whether it was replaced."""
    try:
        status = target.status()
    except FileNotFoundError:
        return False
    if not existing.is_unchanged(status) or existing.status.st_ctime_ns != status.st_ctime_ns:
        return False
    replace(source, target)
    return True
