"""The lock of an output folder: only one run at a time writes into it.

The kernel's lock on ``OUT/.imgpool/lock`` is released when the process that holds it ends, so a killed run does not
block the next one. But some file systems have no locks, and on a network share a lock may hold for one machine only.
The run file therefore decides as well. A run that is alive is never disturbed. A run that was suspended for so long
that it seemed dead, for example on a sleeping laptop, finds another run's token in the run file and stops writing.
"""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from imgpool.core.errors import RunError
from imgpool.core.failures import explain
from imgpool.core.hint import Hint
from imgpool.output import run_file
from imgpool.output.journal import journal_end
from imgpool.output.layout import LOCK
from imgpool.output.planned import remove_planned
from imgpool.output.run_file import RunInfo, describe_run
from imgpool.output.state_folder import check_state_folder, open_state_folder, remove_temporary_files
from imgpool.output.unsettled import UnsettledTargets
from imgpool.system.folder import UnexpectedFileError
from imgpool.system.process_identity import kill_command
from imgpool.system.temporary import remove_abandoned_folders

LOCK_TIMEOUT_S = 5.0
"""How long to wait for the run that holds the lock to write its run file, or for a killed run's workers to end."""

RACE_DELAY_S = 1.0
"""Without locks: how long to wait until every run that started at the same moment has written its run file."""

WORKERS_END_S = 0.5
"""How long to wait after a killed run, whose workers write for some 0.1 s more: they do not hold the lock."""

POLL_INTERVAL_S = 0.05
"""While waiting for the lock: time between two attempts to take it."""


class OutputLock:
    """Exclusive use of an output folder, as a context manager.

    Parameters
    ----------
    output
        The output folder; created if missing.
    info
        Contents of the run file.
    targets
        The targets that the run may write, and those that earlier runs may have written.
    timeout
        Seconds to wait for a lock that is held.
    sleep
        Waits for a number of seconds.

    Attributes
    ----------
    info : RunInfo
        Contents of the run file.
    processed : int
        Number of tasks with a result. The owner of the lock counts them.
    all_recorded : bool
        Whether the journal has all results, and no worker can write any more. Otherwise the run counts as killed.
    """

    def __init__(
        self,
        output: str,
        info: RunInfo,
        targets: UnsettledTargets,
        *,
        timeout: float = LOCK_TIMEOUT_S,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.info = info
        self.processed = 0
        self.all_recorded = True
        self._output = output
        self._targets = targets
        self._timeout = timeout
        self._sleep = sleep
        self._held = ExitStack()
        self._dead: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        """Take the lock and write the run file.

        Raises
        ------
        RunError
            If another run is writing into the folder.
        """
        with ExitStack() as held:
            with open_state_folder(self._output, create=True) as state:
                check_state_folder(state)
                descriptor = state.open_file(LOCK, os.O_RDWR | os.O_CREAT)
            held.callback(os.close, descriptor)
            locked, last_run = self._acquire(descriptor)
            held.callback(_unlock, descriptor)
            if last_run and last_run.ended is None and last_run.engine != "serial":
                self._sleep(WORKERS_END_S)
            self._remove_leftovers(last_run)
            self._write_run_file(last_run)
            if not locked:
                self._sleep(RACE_DELAY_S)
            self._check_won()
            with open_state_folder(self._output) as state:
                self._targets.confirm(state, self.info)
            self._held = held.pop_all()
        return self

    def check(self) -> None:
        """Raise `RunError` if the folder no longer belongs to this run."""
        current = run_file.read(self._output)
        if current is None:
            raise output_gone_error(self._output)
        if current.token != self.info.token:
            raise RunError(
                f"another run took over {self._output} while this one was suspended: {describe_run(current)}",
                _remedy(current),
            )

    def heartbeat(self) -> None:
        """Show other runs that this one is alive; raise `RunError` if the folder no longer belongs to it."""
        self.check()
        run_file.touch(self._output)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write how the run ended, if the folder still belongs to it, and release the lock."""
        with self._held:
            try:
                current = run_file.read(self._output)
                if current and current.token == self.info.token:
                    # a killed run's workers may have lived on for a moment
                    remove_temporary_files(self._output, (self.info.token, *self._dead))
                    self._write_end(error)
            except (OSError, UnexpectedFileError):
                if error is None:  # otherwise the first error is the one to report
                    raise

    def _acquire(self, descriptor: int) -> tuple[bool, RunInfo | None]:
        """Wait until the folder is free. Return whether the kernel's lock is held, and the last run."""
        end = time.monotonic() + self._timeout
        while True:
            locked, last_run = _lock(descriptor), run_file.read(self._output)
            if locked is not False:
                if last_run and self._may_be_running(last_run, locked=bool(locked)):
                    raise self._in_use_error(last_run)
                return bool(locked), last_run
            if (last_run and run_file.is_alive(self._output, last_run)) or time.monotonic() > end:
                raise self._in_use_error(last_run)
            self._sleep(POLL_INTERVAL_S)

    def _may_be_running(self, last_run: RunInfo, *, locked: bool) -> bool:
        """Check whether the last run may be alive although its lock was free, or its file system has no locks."""
        same_machine = last_run.host == self.info.host or last_run.boot == self.info.boot != ""
        lock_is_proof = locked and same_machine
        return not lock_is_proof and run_file.is_alive(self._output, last_run)

    def _remove_leftovers(self, last_run: RunInfo | None) -> None:
        """Remove partial files of killed runs: on a full disk, this may free the space that the run needs."""
        self._dead = (last_run.token, *(run.token for run in last_run.unsettled)) if last_run else ()
        remove_temporary_files(self._output, self._dead)
        remove_abandoned_folders()

    def _write_run_file(self, last_run: RunInfo | None) -> None:
        """Write the run file; interrupted runs, which may have left outputs without a record, stay listed in it."""
        size, checksum = journal_end(self._output)
        self.info = replace(self.info, journal=size, checksum=checksum)
        with open_state_folder(self._output) as state:
            self.info = self._targets.begin(state, self.info, last_run)
        with suppress(FileNotFoundError):  # a run that started at the same moment removed the temporary file
            run_file.write(self._output, self.info)

    def _check_won(self) -> None:
        """Raise `RunError` if another run that started at the same moment wrote its run file later."""
        current = run_file.read(self._output)
        if current is None:
            raise output_gone_error(self._output)
        if current.token != self.info.token:
            raise self._in_use_error(current)

    def _write_end(self, error: BaseException | None) -> None:
        """Write how the run ended, and what it leaves unsettled."""
        finished = error is None and self.processed == self.info.to_do
        self.info = replace(self.info, checksum=journal_end(self._output)[1])
        with open_state_folder(self._output) as state:
            unsettled = self.info.unsettled
            if self.all_recorded:
                self.info = replace(self.info, journal_digest=self._targets.journal_digest(state, self.info))
                unsettled = self._targets.end(state, self.info)
            run_file.write(self._output, self.info.ended_now(_describe_end(error, finished=finished), unsettled))
            remove_planned(state, {run.token for run in unsettled})

    def _in_use_error(self, holder: RunInfo | None) -> RunError:
        message = f"another run is writing into {self._output}"
        if holder is None or holder.ended:
            return RunError(message, f"wait until it ends, or choose another output folder with {Hint('output')}")
        return RunError(f"{message}: {describe_run(holder)}", _remedy(holder))


def _describe_end(error: BaseException | None, *, finished: bool) -> str:
    if isinstance(error, Exception):
        return f"stopped: {explain(error, 'write').message}"
    return "finished" if finished else "interrupted"


def output_gone_error(output: str) -> RunError:
    """Return the error for an output folder that disappeared during a run."""
    return RunError(
        f"the output folder {output} is gone: it was removed, or its disk or share was unmounted, during the run",
        "bring it back, then run the same command again",
    )


def _remedy(run: RunInfo) -> str:
    return (
        f"wait until it ends, stop it with `{kill_command(run.pid)}` on {run.host}, "
        f"or choose another output folder with {Hint('output')}"
    )


def _lock(descriptor: int) -> bool | None:
    """Try to take the kernel's lock: True if taken, False if held elsewhere, None if the file system has no locks."""
    from filelock import lock_descriptor

    try:
        return lock_descriptor(descriptor, blocking=False)
    except OSError:
        return None


def _unlock(descriptor: int) -> None:
    from filelock import unlock_descriptor

    with suppress(OSError):
        unlock_descriptor(descriptor)
