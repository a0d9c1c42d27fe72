"""The journal: one line for every finished task, so that a run can stop anywhere and go on later.

``OUT/.imgpool/journal.jsonl`` is only ever appended to, by the parent process alone. A task counts as done
once its output is renamed into place and durable: results are committed in groups, first the output's file
system is synced, then the lines are appended and synced. A line torn by a crash is skipped when reading.
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
from imgpool.core.task import Result, Task
from imgpool.output.layout import journal_path
from imgpool.system.durability import sync_file_system
from imgpool.work.files import source_hash

VERSION = 1
ANSWERS = [name for name in Result.__slots__ if name not in {"task", "failure", "finished"}]
"""What of a result stands in its line under the same name."""

_answers = attrgetter(*ANSWERS)


class Entry(msgspec.Struct, gc=False):
    """A line of the journal, with as many of its fields as a reader declares: the others are not decoded."""

    v: int
    target: str
    status: str


Kind = TypeVar("Kind", bound=Entry)


class TaskRecord(Entry, gc=False):
    """What the journal remembers of a target: the fields that decide whether it has to be made again."""

    source: str
    size: int
    mtime_ns: int
    source_hash: str
    fingerprint: str
    written: int


def read_records(output: str) -> Iterator[TaskRecord]:
    """What every line tells, in their order; nothing without a journal.

    Raises
    ------
    UsageError
        If a newer imgpool wrote it.
    """
    with contextlib.suppress(FileNotFoundError), journal_path(output).open("rb") as file:
        for line in file:
            if record := parse_line(line, file.name, TaskRecord):
                yield record


def latest_records(tasks: Sequence[Task], output: str) -> list[TaskRecord | None]:
    """The last record of each task, in the order of the tasks; None where the journal knows none.

    What a record and its task have in common is held once: there may be millions.

    Raises
    ------
    UsageError
        If a newer imgpool wrote it.
    """
    numbers = {task.target: number for number, task in enumerate(tasks)}
    inside = os.path.join(output, "")
    known: list[TaskRecord | None] = [None] * len(tasks)
    for record in read_records(output):
        number = numbers.get(inside + record.target)
        if number is not None:
            _share(record, tasks[number])
            known[number] = record
    return known


def _share(record: TaskRecord, task: Task) -> None:
    record.target = task.target
    record.fingerprint = sys.intern(record.fingerprint)
    record.status = sys.intern(record.status)
    if record.source == task.source:
        record.source = task.source
    if record.mtime_ns == task.mtime_ns:
        record.mtime_ns = task.mtime_ns
        record.source_hash = ""  # needed only where the times differ


def parse_line(line: bytes, name: str, kind: type[Kind]) -> Kind | None:
    """What a line of the journal called `name` says; None where a crash has torn it: its task runs again.

    Raises
    ------
    UsageError
        If a newer imgpool wrote it.
    """
    try:
        entry = msgspec.json.decode(line, type=kind)
    except msgspec.DecodeError:
        return _parse_odd_line(line, name, kind)
    if entry.v > VERSION:
        raise _newer(entry.v, name)
    return entry


def _parse_odd_line(line: bytes, name: str, kind: type[Kind]) -> Kind | None:
    """As `parse_line`, for names that are not UTF-8, the lines of a newer version, and garbage."""
    try:
        fields: dict[str, Any] = json.loads(line)
        if (version := int(fields["v"])) > VERSION:
            raise _newer(version, name)
        return msgspec.convert(fields, kind)
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


def _newer(version: int, name: str) -> UsageError:
    return UsageError(
        f"{name} was written by a newer imgpool (version {version} of the journal)",
        "upgrade imgpool, or choose another folder with -o",
    )


def reason_to_run(task: Task, record: TaskRecord | None, fingerprint: str) -> str:
    """Why a task has to run; empty when its output is there and made from the same source and recipe."""
    if record is None:
        return "new"
    if record.status != "done":
        return "failed before"
    if record.fingerprint != fingerprint:
        return "the recipe changed"
    if record.source != task.source:
        return "it comes from another source"
    return _why_source_changed(task, record) or _why_target_changed(task, record)


def _why_source_changed(task: Task, record: TaskRecord) -> str:
    if record.size != task.size:
        return "the source changed in size"
    if record.mtime_ns == task.mtime_ns:
        return ""
    try:
        same = source_hash(task.source) == record.source_hash
    except OSError:
        return "the source cannot be read"
    return "" if same else "the source changed"


def _why_target_changed(task: Task, record: TaskRecord) -> str:
    try:
        size = os.stat(task.target).st_size
    except OSError:
        return "the output is missing"
    return "" if size == record.written else "the output was changed"


class Journal:
    """Appends results, committed in groups; closes with a last commit. Threads may share it.

    Parameters
    ----------
    output
        The folder of the results; made where it is missing.
    fingerprint
        Of the recipe.
    check
        Called before anything is written; it may raise.
    provenance
        What the recipe's files and models are; it stands in every line, unless there are none.
    """

    def __init__(
        self,
        output: str,
        fingerprint: str,
        check: Callable[[], object] = lambda: None,
        provenance: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._inside = os.path.join(output, "")
        self._fingerprint = fingerprint
        self._provenance = {"provenance": provenance} if provenance else {}
        self._check = check
        self._adding, self._committing = Lock(), Lock()
        path = journal_path(output)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab+", buffering=0)
        self._waiting = [] if _ends_whole(self._file) else [b"\n"]

    def append(self, result: Result) -> None:
        """Take a result; it is durable at the next commit."""
        line = _encoded(self._entry(result)) + b"\n"
        with self._adding:
            self._waiting.append(line)

    def commit(self) -> None:
        """Make the outputs durable, then the lines that say so; what is appended meanwhile waits for the next."""
        with self._committing:
            with self._adding:
                batch, self._waiting = self._waiting, []
            try:
                if batch:
                    self._write(b"".join(batch))
            except Exception:
                with self._adding:
                    self._waiting[:0] = batch
                raise

    def _write(self, lines: bytes) -> None:
        self._check()
        descriptor = self._file.fileno()
        sync_file_system(descriptor)
        size = os.fstat(descriptor).st_size
        try:
            while lines:
                lines = lines[self._file.write(lines) :]
            os.fsync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, size)  # no half a line, and no more than is sure to be durable
            raise

    def _entry(self, result: Result) -> dict[str, Any]:
        task = result.task
        return {
            "v": VERSION,
            "time": _instant(int(time.time())),
            "target": task.target.removeprefix(self._inside),
            "source": task.source,
            "size": task.size,
            "mtime_ns": task.mtime_ns,
            "fingerprint": self._fingerprint,
            **self._provenance,
            **dict(zip(ANSWERS, _answers(result), strict=True)),
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
def _instant(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))


def _encoded(entry: Mapping[str, Any]) -> bytes:
    """As JSON; bytes of names that are not UTF-8 are escaped as the surrogates that stand for them."""
    try:
        return msgspec.json.encode(entry)
    except (UnicodeEncodeError, TypeError):  # TypeError: a kind of float that only the slower encoder takes for one
        return json.dumps(entry, default=asdict).encode()


def _ends_whole(file: BinaryIO) -> bool:
    """Whether what is appended begins a line of its own."""
    if not file.seek(0, os.SEEK_END):
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"
