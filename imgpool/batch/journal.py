"""The journal: one line for every finished task, so that a run can stop anywhere and go on later.

``OUT/.imgpool/journal.jsonl`` is only ever appended to, by the parent process alone. A task counts as done
once its output is renamed into place and durable: results are committed in groups, first the output's file
system is synced, then the lines are appended and synced. A line torn by a crash is skipped when reading.
"""

import contextlib
import ctypes
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from imgpool.batch.scan import FOLDER
from imgpool.core.errors import RunError, UsageError
from imgpool.core.task import Result, Task
from imgpool.work.files import file_hash

VERSION = 1
COMMIT_SECONDS = 2.0


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
                records[str(entry["target"])] = Record(**{name: entry[name] for name in Record.__slots__})
    return records


def _entries(file: BinaryIO) -> Iterator[dict[str, Any]]:
    for line in file:
        try:
            entry = json.loads(line)
            version = int(entry["v"])
        except (ValueError, KeyError, TypeError, OverflowError):  # torn by a crash: its task runs again
            continue
        if version > VERSION:
            raise UsageError(
                f"{file.name} was written by a newer imgpool (version {version} of the journal)",
                "upgrade imgpool, or choose another folder with -o",
            )
        yield entry


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
    """Appends results, committed in groups; closes with a last commit.

    Parameters
    ----------
    output
        The folder of the results; made where it is missing.
    fingerprint
        Of the recipe.
    """

    def __init__(self, output: str, fingerprint: str) -> None:
        self._output = output
        self._fingerprint = fingerprint
        self._waiting: list[bytes] = []
        self._committed = time.monotonic()
        path = journal_path(output)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        _lock(self._file, output)
        if path.stat().st_size and not _ends_whole(path):
            self._waiting.append(b"\n")

    def append(self, result: Result) -> None:
        """Take a result; it is durable at the next commit: with the first result 2 s after the last, or at the end."""
        self._waiting.append(json.dumps(self._entry(result)).encode() + b"\n")
        if time.monotonic() - self._committed > COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Make the outputs durable, then the lines that say so."""
        if self._waiting:
            sync_file_system(self._output)
            self._file.write(b"".join(self._waiting))
            self._file.flush()
            os.fsync(self._file.fileno())
            self._waiting.clear()
        self._committed = time.monotonic()

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


def _lock(file: BinaryIO, output: str) -> None:
    """Raise `RunError` if another run is writing the journal; the lock goes with the process."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise RunError(
            f"another run is writing into {output}", "wait for it, or choose another folder with -o"
        ) from None
    except OSError:  # a file system without locks
        return


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def sync_file_system(folder: str) -> None:
    """Make all that was written to the folder's file system durable."""
    libc = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
    if libc and hasattr(libc, "syncfs"):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            failed = libc.syncfs(descriptor)
        finally:
            os.close(descriptor)
        if failed:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), folder)
    elif hasattr(os, "sync"):
        os.sync()
