"""Everything a run holds while it writes into an output folder: lock, run file, scratch folder and journal."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import Self

from imgpool.core.errors import RunError
from imgpool.core.failures import explain, stops_the_run
from imgpool.core.system_limits import explain_limit
from imgpool.core.task import Failure, Result, Task
from imgpool.output.journal import Journal
from imgpool.output.layout import SCRATCH, FileId, file_id, scratch_folder
from imgpool.output.lock import OutputLock, output_gone_error
from imgpool.output.run_file import RunInfo
from imgpool.output.state_folder import open_state_folder, remove_temporary_files
from imgpool.output.unsettled import PlannedRun, UnsettledTargets
from imgpool.system.durability import sync_file_system
from imgpool.system.files import remove_folder
from imgpool.system.folder import UnexpectedFileError
from imgpool.system.paths import openable
from imgpool.system.rename import Placing, probe

COMMIT_INTERVAL_S = 2.0
"""Longest time until a result is durable, apart from the commit itself."""

HEARTBEAT_INTERVAL_S = 10.0
"""Time between two heartbeats, rounded up to a multiple of the time between two commits."""


@dataclass(frozen=True, slots=True)
class CommitOptions:
    """How results become durable.

    Attributes
    ----------
    interval
        Seconds between two commits of the journal.
    heartbeat_interval
        Seconds between two heartbeats of the run.
    sync
        Makes everything on the output's file system durable, see `imgpool.output.journal.Journal`.
    """

    interval: float = COMMIT_INTERVAL_S
    heartbeat_interval: float = HEARTBEAT_INTERVAL_S
    sync: Callable[[int], None] = sync_file_system


@contextmanager
def storage_errors(output: str) -> Iterator[None]:
    """Turn each `OSError` into a `RunError` with a remedy; it names the output folder, unless a limit is the cause."""
    try:
        yield
    except OSError as error:
        if limit := explain_limit(error):
            raise RunError(*limit) from error
        failure = explain(error, "write")
        raise RunError(f"{output}: {failure.message}", failure.hint) from error


class OutputSession:
    """A run's exclusive access to its output folder, as a context manager. Results become durable as the run goes on.

    Parameters
    ----------
    output
        The output folder; created if missing.
    info
        Contents of the run file.
    planned
        The run's targets.
    input_folders
        Path and identity of each input folder when it was scanned.
    stop
        Called from another thread when the journal cannot be written any more.
    commits
        How results become durable.

    Attributes
    ----------
    token : str
        Identifies the run.
    scratch : str
        An empty folder for this run alone, on the output's file system.
    placing : Placing
        How results are renamed into place there; known when the session is open.
    """

    def __init__(
        self,
        output: str,
        info: RunInfo,
        planned: PlannedRun,
        input_folders: Mapping[str, FileId],
        stop: Callable[[], object],
        *,
        commits: CommitOptions = CommitOptions(),
    ) -> None:
        self.token = info.token
        self.scratch = scratch_folder(output, info.token)
        self.placing = Placing()
        self._output = output
        self._input_folders = input_folders
        self._targets = UnsettledTargets(output, planned)
        self._lock = OutputLock(output, info, self._targets)
        self._stop = stop
        self._commits = commits
        self._workers_may_write = False
        self._held = ExitStack()

    def __enter__(self) -> Self:
        """Take the lock and open the journal; raise `RunError` if another run is writing, or nothing can be written."""
        with storage_errors(self._output), ExitStack() as held:
            held.enter_context(self._lock)
            self._journal = self._open_journal()
            held.callback(self._note_whether_all_is_recorded)
            held.enter_context(self._journal)
            # The scratch folder is removed before the last commit, which may need the space on the disk.
            self._scratch_id = held.enter_context(_scratch_folder(self._output, self._lock.info.token))
            self.placing = probe(self.scratch)
            self._lock.info = replace(self._lock.info, placing=_describe_placing(self.placing))
            commit_thread = CommitThread(self._journal, self._lock, self._stop, self._commits)
            self._commit_thread = held.enter_context(commit_thread)
            self._held = held.pop_all()
        return self

    def record(self, result: Result) -> None:
        """Add a result to the journal; raise `RunError` if its failure means that all others would fail too."""
        with storage_errors(self._output):
            self._commit_thread.check()
            if result.failure:
                self._check_storage(result.failure, result.task)
        self._journal.append(result)
        self._targets.settle(result)
        self._lock.processed += 1

    def workers_started(self) -> None:
        """Note that workers may write results. If the session ends before `workers_ended`, the run counts as killed."""
        self._workers_may_write = True

    def workers_ended(self) -> None:
        """Note that no worker can write any more."""
        self._workers_may_write = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Commit the last results, write how the run ended, and remove all temporary files."""
        with storage_errors(self._output):
            self._held.__exit__(kind, error, traceback)

    def _open_journal(self) -> Journal:
        info, sync = self._lock.info, self._commits.sync
        return Journal(self._output, info.fingerprint, self._lock.check, info.provenance, run=info.token, sync=sync)

    def _note_whether_all_is_recorded(self) -> None:
        """After the last commit: check whether the journal has every result that is at its target."""
        self._lock.all_recorded = not (self._workers_may_write or self._journal.has_uncommitted)

    def _check_storage(self, failure: Failure, task: Task) -> None:
        """Raise `RunError` if a failure was not caused by the image, but by the input or output storage."""
        if failure.stage == "read":
            self._check_input(task)
        if failure.stage == "write":
            self._check_output(failure)
        if stops_the_run(failure):
            raise self._storage_error(failure)

    def _check_input(self, task: Task) -> None:
        for folder, scanned_id in self._input_folders.items():
            if task.source.startswith(os.path.join(folder, "")) and file_id(folder) != scanned_id:
                raise RunError(
                    f"the input folder {folder} is gone: it was removed, or its disk or share was unmounted, "
                    "during the run",
                    "bring it back, then run the same command again",
                )

    def _check_output(self, failure: Failure) -> None:
        self._lock.check()
        if file_id(self.scratch) != self._scratch_id:
            raise output_gone_error(self._output)
        if not os.access(openable(self.scratch), os.W_OK | os.X_OK):
            raise self._storage_error(failure)

    def _storage_error(self, failure: Failure) -> RunError:
        return RunError(f"{self._output}: {failure.message}", failure.hint)


@contextmanager
def _scratch_folder(output: str, token: str) -> Iterator[FileId | None]:
    """Create the scratch folder of a run, and remove it at the end.

    Only the folder and its parent are created: if the output folder has disappeared, it must not be created again.
    """
    with open_state_folder(output) as state, state.subfolder(SCRATCH, create=True) as scratch:
        scratch.create_folder(token)
    try:
        yield file_id(scratch_folder(output, token))
    finally:
        remove_folder(scratch_folder(output, token), partial(_remove_temporary_files, output, token))


def _remove_temporary_files(output: str, token: str, _folder: object) -> None:
    with suppress(OSError, UnexpectedFileError):
        remove_temporary_files(output, [token])


def _describe_placing(placing: Placing) -> str:
    return f"{placing.new}, exchange" if placing.exchange else placing.new


class CommitThread:
    """A context manager that commits the journal and updates the run's heartbeat from a thread, every few seconds.

    The thread imports nothing and prints nothing. A process that is forked at any moment therefore never inherits a
    lock that this thread holds and the process needs.

    Parameters
    ----------
    journal
        The journal to commit.
    lock
        The lock whose heartbeat to update.
    stop
        Called from the thread when an error has ended it; `check` raises the error.
    options
        Seconds between two commits and between two heartbeats.
    """

    def __init__(self, journal: Journal, lock: OutputLock, stop: Callable[[], object], options: CommitOptions) -> None:
        self._journal = journal
        self._lock = lock
        self._stop = stop
        self._options = options
        self._error: Exception | None = None
        self._closing = Event()
        self._thread = Thread(target=self._run, name="commit journal", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def check(self) -> None:
        """Raise the error that has ended the thread, if any."""
        if self._error:
            raise self._error

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._closing.set()
        self._thread.join()
        if kind is None:
            self.check()

    def _run(self) -> None:
        last_heartbeat = monotonic()
        try:
            while not self._closing.wait(self._options.interval):
                self._journal.commit()
                if monotonic() - last_heartbeat > self._options.heartbeat_interval:
                    self._lock.heartbeat()
                    last_heartbeat = monotonic()
        except Exception as error:  # noqa: BLE001 - raised again by `check`
            self._error = error
            self._stop()
