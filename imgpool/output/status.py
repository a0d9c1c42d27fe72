"""What became of a run, or how far one under way has come: its run file and its journal, read from the outside."""

import os
from collections import Counter
from dataclasses import replace
from datetime import datetime

from imgpool.core.task import Failure, Result, Task
from imgpool.output.journal import Entry
from imgpool.output.layout import journal_path, run_path
from imgpool.output.reader import JournalReader, State, last_run, not_an_output_error
from imgpool.output.run_file import RunInfo


class Outcome(Entry, gc=False):
    """A line of the journal, as far as it counts here."""

    source: str
    size: int
    mtime_ns: int
    time: datetime
    lost: tuple[str, ...]
    failure: Failure | None

    def __post_init__(self) -> None:
        if (self.status == "done") is not (self.failure is None):
            raise ValueError(self.status)


class Status:
    """What the last run into a folder did so far.

    Without a run file, of a journal that was copied or put together from several, the totals are all there is.

    Parameters
    ----------
    output
        The folder of the results.
    tracebacks
        Keep those of the failures.

    Attributes
    ----------
    output : str
    run : RunInfo or None
        Of the last run; None where no run file tells.
    state : str
        What has become of it, as `imgpool.output.reader.State` has it.

    Raises
    ------
    UsageError
        If imgpool has not written into the folder, or a newer imgpool has.
    RunError
        If the journal cannot be read.
    """

    def __init__(self, output: str, *, tracebacks: bool = False) -> None:
        self.output = os.path.abspath(output)
        if not any(os.path.lexists(path(self.output)) for path in (run_path, journal_path)):
            raise not_an_output_error(output)
        self._tracebacks = tracebacks
        self.run: RunInfo | None = None
        self.state: State = "unknown"
        self._forget(0)
        self.refresh()

    def refresh(self) -> None:
        """Read what has been written since."""
        run, state = last_run(self.output)  # before the journal: all that a run wrote that is over stands in it then
        if not _fits(self.output, run):
            run, state = None, "unknown"
        if _token(run) != _token(self.run) or self._follower.is_cut_off():
            self._forget(run.journal if run else 0)
        self.run, self.state = run, state
        for entry in self._follower.entries():
            self._add(entry)

    @property
    def done(self) -> int:
        """Images done by this run."""
        return len(self._done)

    @property
    def failures(self) -> list[Result]:
        """The images that failed, in the order in which they did."""
        return list(self._failed.values())

    @property
    def unlisted_folders(self) -> int:
        """Folders among the inputs that could not be listed; each is a failure of the run, but none of an image."""
        return max(0, self.run.found - self.run.skipped - self.run.to_do) if self.run else 0

    @property
    def failed(self) -> int:
        """Images that failed, and folders that could not be listed."""
        return len(self._failed) + self.unlisted_folders

    @property
    def skipped(self) -> int:
        """Images that were done before this run."""
        return self.run.skipped if self.run else 0

    @property
    def processed(self) -> int:
        """Images that this run has done, or failed to."""
        return self.done + len(self._failed)

    @property
    def left(self) -> int:
        """Images that this run has not come to."""
        return max(0, self.run.to_do - self.processed) if self.run else 0

    @property
    def lost(self) -> Counter[str]:
        """How many outputs could not keep something ("pixel_size", …)."""
        return Counter(kind for kinds in self._lost.values() for kind in kinds)

    @property
    def causes(self) -> list[tuple[str, str, int]]:
        """Stage, error and count of what the images failed for, the most frequent first."""
        causes = Counter((each.failure.stage, each.failure.error) for each in self._failed.values() if each.failure)
        return [(*cause, count) for cause, count in sorted(causes.items(), key=lambda item: (-item[1], item[0]))]

    @property
    def seconds(self) -> float:
        """From the start of the run to its end, or to its last result so far."""
        if self.run is None:
            return 0.0
        since = datetime.fromisoformat(self.run.since)
        last = datetime.fromisoformat(self.run.ended) if self.run.ended else self._last or since
        return max(0.0, (last - since).total_seconds())

    @property
    def rate(self) -> float:
        """Images a second; 0 as long as that cannot be told."""
        return self.processed / self.seconds if self.seconds else 0.0

    def _forget(self, start: int) -> None:
        """Begin anew with another run, whose lines stand in the journal from `start` on."""
        self._follower = JournalReader(self.output, Outcome, start)
        self._done: set[str] = set()
        self._failed: dict[str, Result] = {}
        self._lost: dict[str, tuple[str, ...]] = {}
        self._last: datetime | None = None

    def _add(self, entry: Outcome) -> None:
        """Take a line of the journal; of several about one target the last counts."""
        target = entry.target
        self._failed.pop(target, None)
        self._lost.pop(target, None)
        if entry.failure:
            self._done.discard(target)
            self._failed[target] = self._result(entry, entry.failure)
        else:
            self._done.add(target)
        if entry.lost:
            self._lost[target] = entry.lost
        self._last = entry.time

    def _result(self, entry: Outcome, failure: Failure) -> Result:
        task = Task(entry.source, os.path.join(self.output, entry.target), entry.size, entry.mtime_ns)
        return Result(task, "failed", failure if self._tracebacks else replace(failure, traceback=""))


def _token(run: RunInfo | None) -> str:
    return run.token if run else ""


def _fits(output: str, run: RunInfo | None) -> bool:
    """Whether the journal is the one that the run went on with: a shorter one was put there since."""
    try:
        size = os.path.getsize(journal_path(output))
    except OSError:
        size = 0
    return run is None or run.journal <= size
