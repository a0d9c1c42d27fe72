"""The status of the last run into an output folder, from its run file and journal. The run may still be going on."""

import os
from collections import Counter
from dataclasses import replace
from datetime import datetime

from imgpool.core.task import Failure, Result, Task
from imgpool.output.hash_chain import Damage
from imgpool.output.journal import JournalEntry
from imgpool.output.layout import journal_path, run_path
from imgpool.output.reader import JournalReader, State, last_run, not_an_output_error
from imgpool.output.run_file import RunInfo
from imgpool.system.paths import openable


class ResultEntry(JournalEntry, gc=False):
    """The fields of a journal line that the status needs."""

    source: str
    size: int
    mtime_ns: int
    time: datetime
    lost: tuple[str, ...]
    failure: Failure | None

    def __post_init__(self) -> None:
        if (self.status == "failed") is not (self.failure is not None):
            raise ValueError(self.status)


class Status:
    """What the last run into an output folder has done so far.

    Without a run file, as for a journal that was copied or concatenated, only totals over the journal are known.

    Parameters
    ----------
    output
        The output folder.
    tracebacks
        Keep the tracebacks of failures.

    Attributes
    ----------
    output : str
        Absolute path of the output folder.
    run : RunInfo or None
        The last run; None without a run file.
    state : str
        State of the last run, see `imgpool.output.reader.State`.

    Raises
    ------
    UsageError
        If imgpool has not written into the folder, or a newer imgpool has.
    RunError
        If the journal cannot be read.
    """

    def __init__(self, output: str, *, tracebacks: bool = False) -> None:
        self.output = os.path.abspath(output)
        if not any(os.path.lexists(openable(str(path(self.output)))) for path in (run_path, journal_path)):
            raise not_an_output_error(output)
        self._tracebacks = tracebacks
        self.run: RunInfo | None = None
        self.state: State = "unknown"
        self._reset(last_run(self.output)[0])
        self.refresh()

    def refresh(self) -> None:
        """Read what was written since the last call."""
        last, state = last_run(self.output)  # before the journal, which is then complete if the run has ended
        run = last if _is_journal_of(self.output, last) else None
        if run is None:
            state = "unknown"
        if _token(run) != _token(self.run) or self._reader.is_truncated():
            self._reset(last, start=run.journal if run else 0)
        self.run, self.state = run, state
        for entry in self._reader.entries():
            self._add(entry)

    @property
    def damage(self) -> Damage | None:
        """Damaged lines of the journal; None if there are none."""
        return self._reader.damage

    @property
    def done(self) -> int:
        """Number of images done by this run."""
        return len(self._done)

    @property
    def failures(self) -> list[Result]:
        """The results of failed images, in the order in which they failed."""
        return list(self._failed.values())

    @property
    def unlisted_folders(self) -> int:
        """Input folders that could not be listed. Each counts as a failure of the run, but not as an image."""
        return max(0, self.run.found - self.run.skipped - self.run.to_do) if self.run else 0

    @property
    def failed(self) -> int:
        """Number of images that failed and of folders that could not be listed."""
        return len(self._failed) + self.unlisted_folders

    @property
    def skipped(self) -> int:
        """Number of images that were done before this run, or that it skipped because of the file at their target."""
        return self.run.skipped + len(self._skipped) if self.run else 0

    @property
    def processed(self) -> int:
        """Number of images that this run has finished."""
        return self.done + len(self._failed) + len(self._skipped)

    @property
    def left(self) -> int:
        """Number of images that this run has not processed yet."""
        return max(0, self.run.to_do - self.processed) if self.run else 0

    @property
    def lost(self) -> Counter[str]:
        """Number of outputs that lack some metadata of their source, by its kind ("pixel_size", …)."""
        return Counter(kind for kinds in self._lost.values() for kind in kinds)

    @property
    def causes(self) -> list[tuple[str, str, int]]:
        """Stage, error and number of failed images for each cause of failure, the most frequent first."""
        causes = Counter((each.failure.stage, each.failure.error) for each in self._failed.values() if each.failure)
        return [(*cause, count) for cause, count in sorted(causes.items(), key=lambda item: (-item[1], item[0]))]

    @property
    def seconds(self) -> float:
        """Time in seconds from the start of the run to its end, or to its latest result."""
        if self.run is None:
            return 0.0
        since = datetime.fromisoformat(self.run.since)
        last = datetime.fromisoformat(self.run.ended) if self.run.ended else self._last_time or since
        return max(0.0, (last - since).total_seconds())

    @property
    def rate(self) -> float:
        """Images per second; 0 if unknown."""
        return (self.done + len(self._failed)) / self.seconds if self.seconds else 0.0

    def _reset(self, last: RunInfo | None, start: int = 0) -> None:
        """Start again with another run, whose lines begin at byte `start` of the journal."""
        self._reader = JournalReader(self.output, ResultEntry, last, start=start)
        self._skipped: set[str] = set()
        self._done: set[str] = set()
        self._failed: dict[str, Result] = {}
        self._lost: dict[str, tuple[str, ...]] = {}
        self._last_time: datetime | None = None

    def _add(self, entry: ResultEntry) -> None:
        """Add a line of the journal. It replaces earlier lines about the same target."""
        target = entry.target
        self._last_time = entry.time
        if entry.status == "skipped":
            self._skipped.add(target)
            return
        self._failed.pop(target, None)
        self._lost.pop(target, None)
        if entry.failure:
            self._done.discard(target)
            self._failed[target] = self._result(entry, entry.failure)
        else:
            self._done.add(target)
        if entry.lost:
            self._lost[target] = entry.lost

    def _result(self, entry: ResultEntry, failure: Failure) -> Result:
        task = Task(entry.source, os.path.join(self.output, entry.target), entry.size, entry.mtime_ns)
        return Result(task, "failed", failure if self._tracebacks else replace(failure, traceback=""))


def _token(run: RunInfo | None) -> str:
    return run.token if run else ""


def _is_journal_of(output: str, run: RunInfo | None) -> bool:
    """Check that the journal is the one that the run appended to. If it is shorter, it has been replaced since."""
    try:
        size = os.path.getsize(openable(str(journal_path(output))))
    except OSError:
        size = 0
    return run is None or run.journal <= size
