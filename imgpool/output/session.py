"""What a run holds while it writes into an output folder: its lock and run file, a scratch folder, the journal."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import Self

from imgpool.core.errors import RunError
from imgpool.core.failures import explain, stops_the_run
from imgpool.core.task import Failure, Result, Task
from imgpool.output.journal import Journal
from imgpool.output.layout import FileId, file_id, scratch_folder
from imgpool.output.lock import OutputLock, output_gone_error
from imgpool.output.run_file import RunInfo

COMMIT_SECONDS = 2.0
"""How long a result waits at most until it is durable."""

TOUCH_SECONDS = 10.0
"""How often a run shows that it lives."""


@contextmanager
def storage_errors(output: str) -> Iterator[None]:
    """The troubles of the output folder itself end a run: with a sentence and a remedy."""
    try:
        yield
    except OSError as error:
        failure = explain(error, "write")
        raise RunError(f"{output}: {failure.message}", failure.hint) from error


class Session:
    """A context in which a run writes: it is the only one, and what it has done becomes durable as it goes on.

    Parameters
    ----------
    output
        The folder of the results; made where it is missing.
    info
        What the run file is to tell.
    key
        What the run's targets follow from.
    folders
        The input folders as they were when they were walked.
    stop
        Called, from another thread, when the run cannot go on.

    Attributes
    ----------
    scratch : str
        An empty folder of this run alone, on the output's file system.
    """

    def __init__(
        self, output: str, info: RunInfo, key: str, folders: Mapping[str, FileId], stop: Callable[[], object]
    ) -> None:
        self.scratch = scratch_folder(output, info.token)
        self._output = output
        self._folders = folders
        self._lock = OutputLock(output, info, key)
        self._stop = stop
        self._held = ExitStack()

    def __enter__(self) -> Self:
        """Take the folder; raise `RunError` where another run has it, or nothing can be written."""
        with storage_errors(self._output), ExitStack() as held:
            held.enter_context(self._lock)
            now = self._lock.info
            journal = Journal(self._output, now.fingerprint, self._lock.check, now.provenance)
            self._journal = held.enter_context(journal)
            self._place = held.enter_context(_made(self.scratch))  # gone before the last commit: it may need the space
            self._keeper = held.enter_context(CommitThread(self._journal, self._lock, self._stop))
            self._held = held.pop_all()
        return self

    def record(self, result: Result) -> None:
        """Journal a result; raise `RunError` if it tells that every other image would fail likewise."""
        with storage_errors(self._output):
            self._keeper.check()
            if result.failure:
                self._check_storage(result.failure, result.task)
        self._journal.append(result)
        self._lock.processed += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Make durable what is done, write how the run ended, and leave nothing half-written."""
        with storage_errors(self._output):
            self._held.__exit__(kind, error, traceback)

    def _check_storage(self, failure: Failure, task: Task) -> None:
        if failure.stage == "read":
            for folder, place in self._folders.items():
                if task.source.startswith(os.path.join(folder, "")) and file_id(folder) != place:
                    raise RunError(
                        f"the input {folder} is gone: it was removed, or its disk or share unmounted, during the run",
                        "bring it back, then run the same command again",
                    )
        if failure.stage == "write":
            self._lock.check()
            if file_id(self.scratch) != self._place:
                raise output_gone_error(self._output)
        closed = failure.stage == "write" and not os.access(self.scratch, os.W_OK | os.X_OK)
        if closed or stops_the_run(failure):
            raise RunError(f"{self._output}: {failure.message}", failure.hint)


@contextmanager
def _made(folder: str) -> Iterator[FileId | None]:
    """A folder for as long as it is needed; never the tree above it, in whose stead there may be nothing now."""
    with suppress(FileExistsError):
        os.mkdir(os.path.dirname(folder))
    os.mkdir(folder)
    try:
        yield file_id(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class CommitThread:
    """A context in which a thread commits the journal every few seconds, and shows that the run lives.

    It imports nothing and prints nothing: a worker that is forked meanwhile finds no lock closed that it needs.
    """

    def __init__(self, journal: Journal, lock: OutputLock, stop: Callable[[], object]) -> None:
        self._journal = journal
        self._lock = lock
        self._stop = stop
        self._error: Exception | None = None
        self._closing = Event()
        self._thread = Thread(target=self._keep, name="keep journal", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def check(self) -> None:
        """Raise what has gone wrong in the thread."""
        if self._error:
            raise self._error

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._closing.set()
        self._thread.join()
        if kind is None:
            self.check()

    def _keep(self) -> None:
        touched = monotonic()
        try:
            while not self._closing.wait(COMMIT_SECONDS):
                self._journal.commit()
                if monotonic() - touched > TOUCH_SECONDS:
                    self._lock.touch()
                    touched = monotonic()
        except Exception as error:  # noqa: BLE001 - raised again by `check`
            self._error = error
            self._stop()
