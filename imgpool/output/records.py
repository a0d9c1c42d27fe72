"""What the journal says about the tasks of a run: their last records, and the reasons to process them again."""

import io
import os
import stat
import sys
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from imgpool.core.task import Task
from imgpool.output.hash_chain import Damage, HashChain, IntactJournal, digest_journal
from imgpool.output.journal import JournalEntry, parse_line
from imgpool.output.layout import JOURNAL, journal_path
from imgpool.output.planned import are_among, read_planned, target_hashes
from imgpool.output.run_file import InterruptedRun, RunInfo, interrupted_runs
from imgpool.output.state_folder import open_state_file, open_state_folder
from imgpool.system.paths import openable
from imgpool.work.files import source_hash

NEW = "new"
"""Reason to run a task of which the journal says nothing."""

FAILED_BEFORE = "failed before"
"""Reason to run a task whose last attempt failed."""

UNSETTLED = "an interrupted run may have changed its output"
"""Reason to check the output of a task that would be done otherwise."""

UNPROVED = "the journal is damaged, so its output is checked"
"""The same, if no interrupted run but damage of the journal is the cause."""

DOUBTS = (UNSETTLED, UNPROVED)
"""Reasons for which the output is compared with the journal, and kept if it is equal."""

OTHER_SOURCE = "its output was made from another source file"
"""Reason to run a task whose target belongs to another source."""


class TaskRecord(JournalEntry, gc=False):
    """The fields that decide whether a target is up to date."""

    source: str
    size: int
    mtime_ns: int
    source_hash: str
    fingerprint: str
    written: int


class HashedRecord(TaskRecord, gc=False):
    """The same with the hash of the result; only needed if it is in doubt."""

    sha256: str


@dataclass(frozen=True, slots=True)
class JournalHistory:
    """What the journal says about some tasks.

    Attributes
    ----------
    records
        The last record of each task; None for a task without one.
    unsettled
        For each task, why its target may not hold what the record says (`UNSETTLED` or `UNPROVED`); empty if nothing
        is in doubt for any task.
    interrupted
        For each task, whether an interrupted run planned its target; empty if there is no such run.
    damage
        Damaged lines; None if there are none.
    journal
        The journal itself; None if it is damaged.
    """

    records: list[TaskRecord | None]
    unsettled: Sequence[str] = ()
    interrupted: Sequence[bool] = ()
    damage: Damage | None = None
    journal: IntactJournal | None = None


def read_history(tasks: Sequence[Task], output: str, last_run: RunInfo | None = None) -> JournalHistory:
    """Read the journal, and find the last record of each task and whether it can be relied on.

    A target is settled if its last record was written by the last interrupted run that planned it, or later, and after
    the last damage of the journal. A record that a worker has checked the output again counts for this too.

    Parameters
    ----------
    tasks
        The tasks of a run. There may be millions: values that are equal in a record and its task are stored once.
    output
        The output folder.
    last_run
        The run file; None if there is none.

    Raises
    ------
    UsageError
        If a newer imgpool wrote the journal.
    """
    interrupted = interrupted_runs(output, last_run)
    settled = None if interrupted else _read_settled(tasks, output, last_run)
    return settled or _read_unsettled(tasks, output, last_run, interrupted)


def _read_settled(tasks: Sequence[Task], output: str, last_run: RunInfo | None) -> JournalHistory | None:
    """Read the records if no run was interrupted; None if the journal is damaged."""
    latest, expected = _LatestRecords(tasks, output), last_run.checksum if last_run else 0
    journal = latest.digest()
    if last_run and journal.digest == last_run.journal_digest:
        latest.read(None)
        return JournalHistory(latest.records, journal=journal)
    chain = HashChain({expected})
    latest.read(chain)
    return None if chain.find_damage(expected) else JournalHistory(latest.records, journal=journal)


def _read_unsettled(
    tasks: Sequence[Task], output: str, last_run: RunInfo | None, interrupted: Sequence[InterruptedRun]
) -> JournalHistory:
    """Read the records, and find out which of them are in doubt."""
    expected = last_run.checksum if last_run else 0
    latest = _LatestRecords(tasks, output)
    chain = HashChain({expected, *(run.checksum for run in interrupted if run.checksum is not None)})
    journal = latest.digest()
    latest.read_with_lines(chain)
    damage = chain.find_damage(expected)
    last_damaged = damage.last if damage else -1
    planned_by, begin = _find_interrupted(tasks, output, interrupted, chain)
    reasons = [
        UNSETTLED if line <= first else UNPROVED if line <= last_damaged else ""
        for line, first in zip(latest.lines, begin, strict=True)
    ]
    return JournalHistory(latest.records, reasons, planned_by, damage, None if damage else journal)


class _LatestRecords:
    """Finds the last record of each task.

    Attributes
    ----------
    records
        The last record of each task; None for a task without one.
    lines
        For each task, the number of the line that has last confirmed its record; 0 if there is none.
    """

    def __init__(self, tasks: Sequence[Task], output: str) -> None:
        self._tasks = tasks
        self._output = output
        self._output_prefix = os.path.join(output, "")
        self._name = str(journal_path(output))
        self.records: list[TaskRecord | None] = [None] * len(tasks)
        self.lines = array("I", bytes(array("I").itemsize * len(tasks)))

    def read(self, chain: HashChain | None) -> None:
        """Read the records, without their lines: this is faster."""
        tasks, records, find = self._tasks, self.records, self._find_index()
        with self._open() as file:
            for line in chain.follow(file) if chain else file:
                record = parse_line(line, self._name, TaskRecord, chain)
                if record is not None and record.status != "skipped":
                    index = find(self._output_prefix + record.target)
                    if index is not None:
                        records[index] = record
                        _share_values(record, tasks[index])

    def read_with_lines(self, chain: HashChain) -> None:
        """Read the records and their lines. A skipped task confirms a record with the same hash."""
        contents, find = array("q", bytes(8 * len(self._tasks))), self._find_index()
        with self._open() as file:
            for line in chain.follow(file):
                record = parse_line(line, self._name, HashedRecord, chain)
                index = find(self._output_prefix + record.target) if record else None
                if record and index is not None:
                    self._add(record, index, chain.lines, contents)

    def _add(self, record: HashedRecord, index: int, line: int, contents: "array[int]") -> None:
        content = hash(record.sha256)
        if record.status != "skipped":
            contents[index] = content
            self.lines[index] = line
            self.records[index] = record
            _share_values(record, self._tasks[index])
            record.sha256 = ""
        elif record.sha256 and contents[index] == content:
            self.lines[index] = line

    def digest(self) -> IntactJournal:
        """Hash the journal."""
        with self._open() as file:
            return digest_journal(file)

    def _find_index(self) -> Callable[[str], int | None]:
        """Return a function that finds the index of a task by its target."""
        return {task.target: index for index, task in enumerate(self._tasks)}.get

    def _open(self) -> BinaryIO:
        """Open the journal; without one, there are no lines."""
        try:
            return open_state_file(self._output, JOURNAL)
        except FileNotFoundError:
            return io.BytesIO()


def _share_values(record: TaskRecord, task: Task) -> None:
    record.target = task.target
    record.fingerprint = sys.intern(record.fingerprint)
    record.status = sys.intern(record.status)
    if record.source == task.source:
        record.source = task.source
    if record.mtime_ns == task.mtime_ns:
        record.mtime_ns = task.mtime_ns
        record.source_hash = ""  # only needed if the times differ


def _find_interrupted(
    tasks: Sequence[Task], output: str, interrupted: Sequence[InterruptedRun], chain: HashChain
) -> tuple[list[bool], list[int]]:
    """For each task, say whether an interrupted run planned it, and the last line before the last such run began.

    A record in that line or before it is not settled. The line is -1 without such a run.
    """
    import numpy as np

    prefix = len(os.path.join(output, ""))
    begin = np.full(len(tasks), -1, np.int64)
    if interrupted:
        hashes = target_hashes(task.target[prefix:] for task in tasks)
        for run in interrupted:
            with open_state_folder(output) as state:
                planned = read_planned(state, run.token)
            position = chain.lines if run.checksum is None else chain.positions.get(run.checksum, chain.lines)
            begin[are_among(hashes, planned) if planned is not None else slice(None)] = position
    return (begin >= 0).tolist(), begin.tolist()


def reason_to_run(task: Task, record: TaskRecord | None, fingerprint: str) -> str:
    """Say why a task has to run; empty if its output exists and was made from the same source by the same recipe."""
    if record is None:
        return NEW
    if record.status != "done":
        return FAILED_BEFORE
    if record.source != task.source:
        return OTHER_SOURCE
    if record.fingerprint != fingerprint:
        return "the recipe changed"
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
        status = os.lstat(openable(task.target))
    except OSError:
        return "the output is missing"
    unchanged = status.st_size == record.written and stat.S_ISREG(status.st_mode)
    return "" if unchanged else "the output was modified"
