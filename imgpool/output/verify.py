"""Verification of an output folder: read every output again and compare its hash with the journal."""

import hashlib
import os
import shlex
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal

import msgspec

from imgpool.core.errors import RunError
from imgpool.core.failures import explain
from imgpool.output.journal import JournalEntry
from imgpool.output.layout import STATE_FOLDER, SYSTEM_FOLDERS, journal_path
from imgpool.output.planned import interrupted_targets
from imgpool.output.reader import JournalReader, last_run, not_an_output_error
from imgpool.output.run_file import describe_run
from imgpool.system.paths import openable
from imgpool.system.resources import available_cpus

FileState = Literal["intact", "absent", "missing", "changed", "outdated", "extra", "unreadable"]

SYSTEM_FILES = {".DS_Store", "Thumbs.db", "desktop.ini"}
"""Files that operating systems create in folders that people look at."""

IGNORED_FOLDERS = {STATE_FOLDER, *SYSTEM_FOLDERS}

READ_SIZE_BYTES = 2**20
"""How much of a file is read and hashed at a time."""

MAX_QUEUED_FILES = 64
"""Outputs handed to the thread pool ahead of time, per thread."""


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """The result of checking one file.

    Attributes
    ----------
    state
        "intact";
        "absent": there is no output, as expected, because the image failed;
        "missing": there is no output, although the journal lists it;
        "changed": its content is not what was written;
        "outdated": made by an earlier run, while the last run failed to make it;
        "extra": not listed in the journal;
        "unreadable": it, or the folder, cannot be read.
    path
        Relative to the output folder.
    reason
        What is wrong, in a few words.
    rerun_restores
        Whether running the same command again makes the file anew.
    """

    state: FileState
    path: str
    reason: str = ""
    rerun_restores: bool = False


class RecordedOutput(msgspec.Struct, gc=False):
    """What the journal says about a target.

    Attributes
    ----------
    written, sha256
        Size in bytes and hash of what was last written; no hash if nothing ever was.
    failed
        Whether the last attempt to make it failed.
    """

    written: int = 0
    sha256: bytes = b""
    failed: bool = False


class OutputEntry(JournalEntry, gc=False):
    """The fields of a journal line that a verification needs."""

    written: int
    sha256: str


class Verification:
    """Compares the files in an output folder with the journal.

    Parameters
    ----------
    output
        The output folder.

    Attributes
    ----------
    output : str
        Absolute path of the output folder.
    recorded : dict of str to RecordedOutput
        Every target in the journal, by its path relative to the output folder.
    state : str
        State of the last run, see `imgpool.output.reader.State`.
    damage : Damage or None
        Damaged lines of the journal; None if there are none.
    other_outputs : list of str
        Folders inside it that are output folders themselves. They have a journal of their own and are not checked.

    Raises
    ------
    UsageError
        If there is no journal, or a newer imgpool wrote it.
    RunError
        If a run is writing into the folder, or the journal cannot be read.
    """

    def __init__(self, output: str) -> None:
        self.output = os.path.abspath(output)
        self._run, self.state = last_run(self.output)
        if self._run and self.state == "running":
            raise RunError(
                f"a run is writing into {output}: {describe_run(self._run)}",
                f"wait until it ends; `imgpool status {shlex.quote(output)}` shows its progress",
            )
        if not os.path.lexists(openable(str(journal_path(self.output)))):
            raise not_an_output_error(output)
        reader = JournalReader(self.output, OutputEntry, self._run)
        self.recorded = _recorded_outputs(reader.entries())
        self.damage = reader.damage
        self._interrupted = interrupted_targets(self.recorded, self.output, self._run)
        self.other_outputs: list[str] = []

    @property
    def may_have_unrecorded_outputs(self) -> bool:
        """Whether a run that did not finish may have left outputs without a line in the journal."""
        return self._run is not None and bool(self._run.unsettled)

    def check_files(self) -> Iterator[CheckedFile]:
        """Check every target in the journal, in its order; then yield the files that are not in the journal.

        Raises
        ------
        RunError
            If a run has written into the folder meanwhile.
        """
        yield from self._check_recorded()
        yield from self._find_extra()
        if last_run(self.output)[0] != self._run:
            raise RunError(f"a run wrote into {self.output} during the verification", "verify again")

    def _check_recorded(self) -> Iterator[CheckedFile]:
        cancelled = threading.Event()
        threads = available_cpus()
        pool = ThreadPoolExecutor(threads)
        try:
            yield from _map_in_order(
                pool, partial(self._check_one, cancelled), self.recorded, MAX_QUEUED_FILES * threads
            )
        finally:
            cancelled.set()
            pool.shutdown(cancel_futures=True)

    def _check_one(self, cancelled: threading.Event, target: str) -> CheckedFile:
        recorded = self.recorded[target]
        try:
            difference = _difference(os.path.join(self.output, target), recorded, cancelled)
        except (FileNotFoundError, NotADirectoryError):
            if recorded.failed:
                return CheckedFile("absent", target)
            return CheckedFile("missing", target, "it no longer exists", rerun_restores=True)
        except OSError as error:
            return CheckedFile("unreadable", target, explain(error, "read").message)
        if difference:
            return self._changed(target, difference)
        return _check_unchanged(recorded, target)

    def _changed(self, target: str, difference: str) -> CheckedFile:
        if target in self._interrupted:
            return CheckedFile(
                "changed", target, f"{difference}; an interrupted run may have written it", rerun_restores=True
            )
        return CheckedFile("changed", target, difference)

    def _find_extra(self) -> Iterator[CheckedFile]:
        """Walk the folder, and yield each file that is not in the journal and each folder that cannot be listed."""
        pending = [""]
        while pending:
            folder = pending.pop()
            try:
                folders, files = _list_folder(os.path.join(self.output, folder))
            except OSError as error:
                yield CheckedFile("unreadable", folder, f"cannot list the folder: {explain(error, 'read').message}")
                continue
            if folder and STATE_FOLDER in {*folders, *files}:
                self.other_outputs.append(folder)
                continue
            pending += [os.path.join(folder, name) for name in folders if name not in IGNORED_FOLDERS]
            yield from self._extra_files(folder, files)

    def _extra_files(self, folder: str, names: Iterable[str]) -> Iterator[CheckedFile]:
        for name in names:
            path = os.path.join(folder, name)
            if name not in SYSTEM_FILES and not self._is_recorded(path):
                yield CheckedFile("extra", path, "not in the journal")

    def _is_recorded(self, path: str) -> bool:
        """Check whether the journal lists a file, or files inside a link to a folder."""
        if path in self.recorded:
            return True
        prefix = os.path.join(path, "")
        return os.path.isdir(openable(os.path.join(self.output, path))) and any(
            target.startswith(prefix) for target in self.recorded
        )


def _recorded_outputs(entries: Iterable[OutputEntry]) -> dict[str, RecordedOutput]:
    """Find for every target whether the last attempt failed, and what was last written."""
    recorded: dict[str, RecordedOutput] = {}
    for entry in entries:
        if entry.status == "failed":
            recorded.setdefault(entry.target, RecordedOutput()).failed = True
        elif entry.sha256 or entry.status == "done":  # a task that was skipped without a hash wrote nothing
            with suppress(ValueError):  # a damaged line; its task runs again
                recorded[entry.target] = RecordedOutput(entry.written, bytes.fromhex(entry.sha256))
    return recorded


def _map_in_order(
    pool: ThreadPoolExecutor, check: Callable[[str], CheckedFile], targets: Iterable[str], max_queued: int
) -> Iterator[CheckedFile]:
    """Like `ThreadPoolExecutor.map`, with a limit on the number of queued calls."""
    pending: deque[Future[CheckedFile]] = deque()
    for target in targets:
        pending.append(pool.submit(check, target))
        if len(pending) == max_queued:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _check_unchanged(recorded: RecordedOutput, target: str) -> CheckedFile:
    """Check a file that is as it was written, or that no successful attempt has written."""
    if not recorded.sha256:
        return CheckedFile("extra", target, "the journal lists a failure here, but no output")
    if recorded.failed:
        return CheckedFile("outdated", target, "made by an earlier run; the last run failed", rerun_restores=True)
    return CheckedFile("intact", target)


def _list_folder(path: str) -> tuple[list[str], list[str]]:
    """List the names of folders, and of everything else including links to folders; both sorted."""
    folders: list[str] = []
    others: list[str] = []
    with os.scandir(openable(path)) as entries:
        for entry in entries:
            (folders if entry.is_dir(follow_symlinks=False) else others).append(entry.name)
    return sorted(folders), sorted(others)


def _difference(path: str, recorded: RecordedOutput, cancelled: threading.Event) -> str:
    """Say how a file differs from what was written.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    status = os.lstat(openable(path))
    if not recorded.sha256:
        return ""
    if not stat.S_ISREG(status.st_mode):
        return f"replaced by {_file_type(status.st_mode)}"
    if status.st_size != recorded.written:
        return f"{status.st_size:,} bytes instead of {recorded.written:,}"
    return "" if _sha256(path, cancelled) == recorded.sha256 else "same size, different content"


def _sha256(path: str, cancelled: threading.Event) -> bytes:
    """Hash a file; stop early if the verification was cancelled."""
    digest = hashlib.sha256()
    with open(openable(path), "rb", buffering=0) as file:
        while not cancelled.is_set() and (block := file.read(READ_SIZE_BYTES)):
            digest.update(block)
    return digest.digest()


def _file_type(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a link"
    return "a folder" if stat.S_ISDIR(mode) else "a special file"
