"""The journal: one line for each finished task, so that a run can stop at any moment and be continued.

``OUT/.imgpool/journal.jsonl`` is append-only, and only the parent process writes to it. A task is done once its
output has been renamed into place and made durable. Results are committed in groups: the output's file system is
synced first, then the lines are appended and the journal is synced. Readers skip a line that a crash has cut off.
"""

import contextlib
import functools
import json
import os
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
from imgpool.core.task import Result
from imgpool.output.hash_chain import HashChain, add_checksum, last_checksum
from imgpool.output.layout import JOURNAL, journal_path
from imgpool.output.state_folder import open_journal, open_state_file
from imgpool.system.durability import sync_file, sync_file_system
from imgpool.system.paths import USES_SLASHES, native, portable

VERSION = 2
"""Newest version of a line's format that can be read."""

LINE_VERSIONS = {"skipped": 2}
"""Version of the lines with a status that older versions would misread; that of all others is 1."""

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


def parse_line(line: bytes, name: str, entry_type: type[EntryType], chain: HashChain | None = None) -> EntryType | None:
    """Decode a line of the journal; None if it is damaged. The task of a damaged line runs again.

    Parameters
    ----------
    line
        With or without its line break.
    name
        Path of the journal, for the error message.
    entry_type
        Type of the result.
    chain
        The chain that has yielded the line: a line with a wrong checksum is damaged, not of a newer version.

    Raises
    ------
    UsageError
        If a newer imgpool wrote the line.
    """
    try:
        entry = msgspec.json.decode(line, type=entry_type)
    except (msgspec.DecodeError, RecursionError):
        return _parse_unusual_line(line, name, entry_type, chain)
    if entry.v > VERSION and not _can_read(entry.v, name, line, chain):
        return None
    if not USES_SLASHES:
        entry.target = native(entry.target)
    return entry


def _parse_unusual_line(
    line: bytes, name: str, entry_type: type[EntryType], chain: HashChain | None
) -> EntryType | None:
    """Decode what msgspec rejects: names that are not UTF-8, lines of a newer version, and damaged lines."""
    try:
        fields: dict[str, Any] = json.loads(line)
        if not _can_read(int(fields["v"]), name, line, chain):
            return None
        fields["target"] = native(fields["target"])
        return msgspec.convert(fields, entry_type)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _can_read(version: int, name: str, line: bytes, chain: HashChain | None) -> bool:
    """Whether a line has no newer version; raise `UsageError` if it has one and does not only look so by damage."""
    if version <= VERSION:
        return True
    if chain is not None and chain.is_damaged(line):
        return False
    raise UsageError(
        f"{name} was written by a newer imgpool (journal version {version})",
        f"upgrade imgpool, or choose another output folder with {Hint('output')}",
    )


def read_entries(output: str, entry_type: type[EntryType]) -> Iterator[EntryType]:
    """Read all lines of a journal that can be read, damaged or not; none if there is no journal.

    The journal must have been found not to be of a newer version: a line that looks so is damaged.
    """
    name = str(journal_path(output))
    with contextlib.suppress(FileNotFoundError), open_state_file(output, JOURNAL) as file:
        for line in file:
            with contextlib.suppress(UsageError):
                if entry := parse_line(line, name, entry_type):
                    yield entry


def journal_end(output: str) -> tuple[int, int]:
    """Return the size of the journal in bytes, and the checksum of its last line; zeros if there is none."""
    try:
        with open_state_file(output, JOURNAL) as file:
            return os.fstat(file.fileno()).st_size, last_checksum(file)
    except FileNotFoundError:
        return 0, 0


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
    run
        Token of the run that writes.
    sync
        Makes everything on the output's file system durable, given the descriptor of an open file on it.

    Attributes
    ----------
    checksum : int
        The checksum of the last line, see `imgpool.output.hash_chain`.
    """

    def __init__(
        self,
        output: str,
        fingerprint: str,
        before_write: Callable[[], object] = lambda: None,
        provenance: Sequence[Mapping[str, Any]] = (),
        *,
        run: str = "",
        sync: Callable[[int], None] = sync_file_system,
    ) -> None:
        self._output_prefix = os.path.join(output, "")
        self._fingerprint = fingerprint
        self._run = run
        self._provenance = {"provenance": provenance} if provenance else {}
        self._before_write = before_write
        self._sync = sync
        self._append_lock, self._commit_lock = Lock(), Lock()
        self._file = open_journal(output)
        self._pending: list[bytes] = []
        self._separator = b"" if _ends_with_newline(self._file) else b"\n"
        self.checksum = last_checksum(self._file)

    @property
    def has_uncommitted(self) -> bool:
        """Whether there are results that are not in the journal yet."""
        return bool(self._pending)

    def append(self, result: Result) -> None:
        """Add a result. The next commit makes it durable."""
        entry = _encode(self._entry(result))
        with self._append_lock:
            self._pending.append(entry)

    def commit(self) -> None:
        """Make the outputs durable, then their lines. Results appended meanwhile wait for the next commit."""
        with self._commit_lock:
            with self._append_lock:
                batch, self._pending = self._pending, []
            try:
                if batch:
                    self._write(batch)
            except Exception:
                with self._append_lock:
                    self._pending[:0] = batch
                raise

    def _write(self, entries: Sequence[bytes]) -> None:
        self._before_write()
        descriptor = self._file.fileno()
        self._sync(descriptor)
        size = os.fstat(descriptor).st_size
        lines, checksum = self._chain(entries)
        try:
            while lines:
                lines = lines[self._file.write(lines) :]
            sync_file(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, size)  # neither a partial line nor lines that may not be durable
            raise
        self.checksum, self._separator = checksum, b""

    def _chain(self, entries: Sequence[bytes]) -> tuple[bytes, int]:
        """Return lines with checksums, and the last checksum."""
        checksum, lines = self.checksum, [self._separator]
        for entry in entries:
            line, checksum = add_checksum(entry, checksum)
            lines.append(line)
        return b"".join(lines), checksum

    def _entry(self, result: Result) -> dict[str, Any]:
        task = result.task
        return {
            "v": LINE_VERSIONS.get(result.status, 1),
            "run": self._run,
            "time": _utc_timestamp(int(time.time())),
            "target": portable(task.target.removeprefix(self._output_prefix)),
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
