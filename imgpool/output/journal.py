"""The journal: one line for each finished task, so that a run can stop at any moment and be continued.

``OUT/.imgpool/journal.jsonl`` is append-only, and only the parent process writes to it. A task is done once its
output has been renamed into place and made durable. Results are committed in groups: the output's file system is
synced first, then the lines are appended and the journal is synced. Readers skip a line that a crash has cut off.
"""

import contextlib
import functools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from operator import attrgetter
from threading import Lock
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

import msgspec

from imgpool.core.errors import UsageError
from imgpool.core.hint import Hint
from imgpool.core.task import Result, Task
from imgpool.output.layout import JOURNAL, journal_path
from imgpool.output.state_folder import open_journal, open_state_file
from imgpool.system.durability import sync_file_system
from imgpool.work.files import source_hash

VERSION = 1
"""Version of the journal's format."""

FAILED_BEFORE = "failed before"
"""Reason to run a task whose last attempt failed."""

RESULT_FIELDS = (
    "status", "seconds", "step_seconds", "shape", "dtype", "axes", "written", "sha256", "source_hash", "lost", "pid",
    "attempt",
)  # fmt: skip
"""Fields of a result that a line holds under the same name. Changing them changes the journal's format."""

_result_values = attrgetter(*RESULT_FIELDS)


class JournalEntry(msgspec.Struct, gc=False):
    """A line of the journal. Subclasses declare the fields they need; the others are not decoded."""

    v: int
    target: str
    status: str


EntryType = TypeVar("EntryType", bound=JournalEntry)


class TaskRecord(JournalEntry, gc=False):
    """The fields that decide whether a target is up to date."""

    source: str
    size: int
    mtime_ns: int
    source_hash: str
    fingerprint: str
    written: int


def read_records(output: str) -> Iterator[TaskRecord]:
    """Read all lines in order. Without a journal there are none.

    Raises
    ------
    UsageError
        If a newer imgpool wrote it.
    """
    name = str(journal_path(output))
    with contextlib.suppress(FileNotFoundError), open_state_file(output, JOURNAL) as file:
        for line in file:
            if record := parse_line(line, name, TaskRecord):
                yield record


def latest_records(tasks: Sequence[Task], output: str) -> list[TaskRecord | None]:
    """Read the last record of each task, in the order of the tasks; None for a task without a record.

    Values that are equal in a record and its task are stored once, because there may be millions of tasks.

    Raises
    ------
    UsageError
        If a newer imgpool wrote it.
    """
    indices = {task.target: index for index, task in enumerate(tasks)}
    output_prefix = os.path.join(output, "")
    latest: list[TaskRecord | None] = [None] * len(tasks)
    for record in read_records(output):
        index = indices.get(output_prefix + record.target)
        if index is not None:
            _share_values(record, tasks[index])
            latest[index] = record
    return latest


def _share_values(record: TaskRecord, task: Task) -> None:
    record.target = task.target
    record.fingerprint = sys.intern(record.fingerprint)
    record.status = sys.intern(record.status)
    if record.source == task.source:
        record.source = task.source
    if record.mtime_ns == task.mtime_ns:
        record.mtime_ns = task.mtime_ns
        record.source_hash = ""  # only needed if the times differ


def parse_line(line: bytes, name: str, entry_type: type[EntryType]) -> EntryType | None:
    """Decode a line of the journal; None if it is damaged. The task of a damaged line runs again.

    Parameters
    ----------
    line
        With or without its line break.
    name
        Path of the journal, for the error message.
    entry_type
        Type of the result.

    Raises
    ------
    UsageError
        If a newer imgpool wrote the line.
    """
    try:
        entry = msgspec.json.decode(line, type=entry_type)
    except msgspec.DecodeError:
        return _parse_unusual_line(line, name, entry_type)
    if entry.v > VERSION:
        raise _newer_version_error(entry.v, name)
    return entry


def _parse_unusual_line(line: bytes, name: str, entry_type: type[EntryType]) -> EntryType | None:
    """Decode what msgspec rejects: names that are not UTF-8, lines of a newer version, and damaged lines."""
    try:
        fields: dict[str, Any] = json.loads(line)
        if (version := int(fields["v"])) > VERSION:
            raise _newer_version_error(version, name)
        return msgspec.convert(fields, entry_type)
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


def _newer_version_error(version: int, name: str) -> UsageError:
    return UsageError(
        f"{name} was written by a newer imgpool (journal version {version})",
        f"upgrade imgpool, or choose another output folder with {Hint('output')}",
    )


def reason_to_run(task: Task, record: TaskRecord | None, fingerprint: str) -> str:
    """Say why a task has to run; empty if its output exists and was made from the same source by the same recipe."""
    if record is None:
        return "new"
    if record.status != "done":
        return FAILED_BEFORE
    if record.fingerprint != fingerprint:
        return "the recipe changed"
    if record.source != task.source:
        return "made from another source file"
    return _source_change(task, record) or _output_change(task, record)


def _source_change(task: Task, record: TaskRecord) -> str:
    if record.size != task.size:
        return "the source file changed in size"
    if record.mtime_ns == task.mtime_ns:
        return ""
    try:
        same = source_hash(task.source) == record.source_hash
    except OSError:
        return "the source file cannot be read"
    return "" if same else "the source file changed"


def _output_change(task: Task, record: TaskRecord) -> str:
    try:
        size = os.stat(task.target).st_size
    except OSError:
        return "the output is missing"
    return "" if size == record.written else "the output was modified"


class Journal:
    """Appends results and commits them in groups. Leaving the context commits the last group. Thread-safe.

    Parameters
    ----------
    output
        The output folder; created if missing.
    fingerprint
        The recipe's fingerprint.
    before_write
        Called before each write. If it raises, nothing is written.
    provenance
        The files and models that the recipe uses. Each line holds them, if there are any.
    sync
        Makes everything on the output's file system durable, given the descriptor of an open file on it.
    """

    def __init__(
        self,
        output: str,
        fingerprint: str,
        before_write: Callable[[], object] = lambda: None,
        provenance: Sequence[Mapping[str, Any]] = (),
        *,
        sync: Callable[[int], None] = sync_file_system,
    ) -> None:
        self._output_prefix = os.path.join(output, "")
        self._fingerprint = fingerprint
        self._provenance = {"provenance": provenance} if provenance else {}
        self._before_write = before_write
        self._sync = sync
        self._append_lock, self._commit_lock = Lock(), Lock()
        self._file = open_journal(output)
        self._pending = [] if _ends_with_newline(self._file) else [b"\n"]

    def append(self, result: Result) -> None:
        """Add a result. The next commit makes it durable."""
        line = _encode(self._entry(result)) + b"\n"
        with self._append_lock:
            self._pending.append(line)

    def commit(self) -> None:
        """Make the outputs durable, then their lines. Results appended meanwhile wait for the next commit."""
        with self._commit_lock:
            with self._append_lock:
                batch, self._pending = self._pending, []
            try:
                if batch:
                    self._write(b"".join(batch))
            except Exception:
                with self._append_lock:
                    self._pending[:0] = batch
                raise

    def _write(self, lines: bytes) -> None:
        self._before_write()
        descriptor = self._file.fileno()
        self._sync(descriptor)
        size = os.fstat(descriptor).st_size
        try:
            while lines:
                lines = lines[self._file.write(lines) :]
            os.fsync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, size)  # neither a partial line nor lines that may not be durable
            raise

    def _entry(self, result: Result) -> dict[str, Any]:
        task = result.task
        return {
            "v": VERSION,
            "time": _utc_timestamp(int(time.time())),
            "target": task.target.removeprefix(self._output_prefix),
            "source": task.source,
            "size": task.size,
            "mtime_ns": task.mtime_ns,
            "fingerprint": self._fingerprint,
            **self._provenance,
            **dict(zip(RESULT_FIELDS, _result_values(result), strict=True)),
            "failure": result.failure,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.commit()
        finally:
            self._file.close()


@functools.lru_cache(1)
def _utc_timestamp(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _encode(entry: Mapping[str, Any]) -> bytes:
    """Encode as JSON. Bytes of names that are not UTF-8 are written as escaped surrogates."""
    try:
        return msgspec.json.encode(entry)
    except (UnicodeEncodeError, TypeError):  # TypeError: msgspec rejects subclasses of float, such as numpy.float64
        return json.dumps(entry, default=asdict).encode()


def _ends_with_newline(file: BinaryIO) -> bool:
    """Check that the last line is complete, so that the next one starts on a line of its own."""
    if not file.seek(0, os.SEEK_END):
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"
