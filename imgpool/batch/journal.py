"""The journal: one line for every finished task, so that a run can stop anywhere and go on later.

``OUT/.imgpool/journal.jsonl`` is only ever appended to, by the parent process alone. A task counts as done
once its output is renamed into place and durable: results are committed in groups, first the output's file
system is synced, then the lines are appended and synced. A line torn by a crash is skipped when reading.
"""

import contextlib
import ctypes
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, BinaryIO, Self

from imgpool.batch.scan import FOLDER
from imgpool.core.errors import UsageError
from imgpool.core.task import Result, Task
from imgpool.work.files import file_hash

VERSION = 1


@dataclass(frozen=True, slots=True)
class Record:
    """What the journal remembers of a target: the fields that decide whether it has to be made again."""

    source: str
    size: int
    mtime_ns: int
    source_sha256: str
    fingerprint: str
    status: str
    written: int


def journal_path(output: str) -> Path:
    """Where the journal of an output folder lies."""
    return Path(output, FOLDER, "journal.jsonl")


def read_journal(output: str) -> dict[str, Record]:
    """The last record of every target, by its path relative to the output folder; empty without a journal.

    Raises
    ------
    UsageError
        If a newer imgpool wrote it.
    """
    records: dict[str, Record] = {}
    with contextlib.suppress(FileNotFoundError), journal_path(output).open("rb") as file:
        for entry in _entries(file):
            with contextlib.suppress(KeyError, TypeError):  # garbage: its task runs again
                for name in ("fingerprint", "status"):
                    entry[name] = sys.intern(entry[name])  # one text for all records
                records[str(entry["target"])] = Record(**{name: entry[name] for name in Record.__slots__})
    return records


def _entries(file: BinaryIO) -> Iterator[dict[str, Any]]:
    for line in file:
        if entry := parse_line(line, file.name):
            yield entry


def parse_line(line: bytes, name: str) -> dict[str, Any] | None:
    """What a line of the journal called `name` says; None where a crash has torn it: its task runs again.

    Raises
    ------
    UsageError
        If a newer imgpool wrote it.
    """
    try:
        entry: dict[str, Any] = json.loads(line)
        version = int(entry["v"])
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
    if version > VERSION:
        raise UsageError(
            f"{name} was written by a newer imgpool (version {version} of the journal)",
            "upgrade imgpool, or choose another folder with -o",
        )
    return entry


def why_run(task: Task, record: Record | None, fingerprint: str) -> str:
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


def _why_source_changed(task: Task, record: Record) -> str:
    if record.size != task.size:
        return "the source changed in size"
    if record.mtime_ns == task.mtime_ns:
        return ""
    try:
        same = file_hash(task.source) == record.source_sha256
    except OSError:
        return "the source cannot be read"
    return "" if same else "the source changed"


def _why_target_changed(task: Task, record: Record) -> str:
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
    """

    def __init__(self, output: str, fingerprint: str, check: Callable[[], object] = lambda: None) -> None:
        self._output = output
        self._fingerprint = fingerprint
        self._check = check
        self._adding, self._committing = Lock(), Lock()
        path = journal_path(output)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab+", buffering=0)
        self._waiting = [] if _ends_whole(self._file) else [b"\n"]

    def append(self, result: Result) -> None:
        """Take a result; it is durable at the next commit."""
        line = json.dumps(self._entry(result)).encode() + b"\n"
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

    def _entry(self, result: Result) -> Mapping[str, Any]:
        task = result.task
        fields = {name: getattr(result, name) for name in Result.__slots__ if name not in {"task", "failure"}}
        return {
            "v": VERSION,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "target": os.path.relpath(task.target, self._output),
            "source": task.source,
            "size": task.size,
            "mtime_ns": task.mtime_ns,
            "fingerprint": self._fingerprint,
            **fields,
            "failure": asdict(result.failure) if result.failure else None,
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


def _ends_whole(file: BinaryIO) -> bool:
    """Whether what is appended begins a line of its own."""
    if not file.seek(0, os.SEEK_END):
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def sync_file_system(descriptor: int) -> None:
    """Make all that was written to the file system of an open file durable.

    The system tells of what it could not write since the file was opened: so it is to be one that stays open.
    """
    libc = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
    if libc and hasattr(libc, "syncfs"):
        if libc.syncfs(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    elif hasattr(os, "sync"):
        os.sync()
