"""One run per output folder: a lock, and a run file that tells whose it is.

The kernel's lock on ``OUT/.imgpool/lock`` goes with the process that holds it, so a killed run leaves nothing
behind that stops the next. But some file systems have no locks, and a network share may lock for one machine
alone. So the run file decides as well: a run that is alive is not disturbed, and one that stood still until it
passed for dead, as on a laptop asleep, finds another's token in the run file and writes no more.
"""

import os
import shutil
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from multiprocessing.util import get_temp_dir
from types import TracebackType
from typing import Self

from imgpool.core.errors import RunError
from imgpool.core.failures import explain
from imgpool.output import run_file
from imgpool.output.layout import journal_path, lock_path, run_path, scratch_root, state_folder
from imgpool.output.run_file import RunInfo, who

PATIENCE = 5.0
"""Seconds for a run that holds the lock to say who it is, or for what a killed one left to end."""

SETTLING = 1.0
"""Seconds in which every run that started at the same instant has written its run file."""

TICK = 0.05


class OutputLock:
    """A context in which one run has an output folder to itself.

    Parameters
    ----------
    output
        The folder of the results; made where it is missing.
    info
        What the run file is to tell.
    key
        What the run's targets follow from: only a run with the same key settles what a killed run left.

    Attributes
    ----------
    info : RunInfo
        What the run file tells.
    processed : int
        How many images have been processed; to be counted by whoever runs them.
    """

    def __init__(self, output: str, info: RunInfo, key: str) -> None:
        self.info = info
        self.processed = 0
        self._output = output
        self._key = key
        self._held = ExitStack()

    def __enter__(self) -> Self:
        """Take the folder.

        Raises
        ------
        RunError
            If another run is writing into it.
        """
        state_folder(self._output).mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            descriptor = os.open(lock_path(self._output), os.O_RDWR | os.O_CREAT, 0o666)
            held.callback(os.close, descriptor)
            locked, before = self._wait_for_turn(descriptor)
            held.callback(_unlock, descriptor)
            self._clear()
            if before and before.ended is None and before.host == self.info.host:
                _remove_sockets(before.sockets)
            self._begin(before)
            if not locked:
                time.sleep(SETTLING)
            self._confirm()
            self._held = held.pop_all()
        return self

    def check(self) -> None:
        """Raise `RunError` if the folder is this run's no more."""
        now = run_file.read(self._output)
        if now is None:
            raise output_gone_error(self._output)
        if now.token != self.info.token:
            raise RunError(
                f"another run has taken over {self._output} while this one stood still: {who(now)}", _remedy(now)
            )

    def touch(self) -> None:
        """Show that the run lives; raise `RunError` if the folder is this run's no more."""
        self.check()
        os.utime(run_path(self._output))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write how the run ended, unless the folder is this run's no more; then leave it."""
        with self._held:
            try:
                now = run_file.read(self._output)
                if now and now.token == self.info.token:
                    self._clear()  # workers that outlived a killed run for a moment may have left something since
                    run_file.write(self._output, self._ending(error))
            except OSError:
                if error is None:  # else there is worse to tell
                    raise

    def _wait_for_turn(self, descriptor: int) -> tuple[bool, RunInfo | None]:
        """Whether the kernel's lock says that the folder is free, and the run file of the last run."""
        end = time.monotonic() + PATIENCE
        while True:
            locked, last = _lock(descriptor), run_file.read(self._output)
            if locked is None or locked:
                if last and self._may_live(last, locked=bool(locked)):
                    raise self._refusal(last)
                return bool(locked), last
            if (last and run_file.is_alive(self._output, last)) or time.monotonic() > end:
                raise self._refusal(last)
            time.sleep(TICK)

    def _may_live(self, last: RunInfo, *, locked: bool) -> bool:
        """Whether another run may be at work, though its lock was not in the way."""
        told_by_lock = locked and (last.host == self.info.host or last.boot == self.info.boot != "")
        return not told_by_lock and run_file.is_alive(self._output, last)

    def _clear(self) -> None:
        """Remove what killed runs left half-written: its bytes may be the very ones that a full disk lacks."""
        shutil.rmtree(scratch_root(self._output), ignore_errors=True)
        run_file.remove_half_written(self._output)

    def _begin(self, before: RunInfo | None) -> None:
        """Write the run file; what earlier runs left unsettled is carried on."""
        since = before.unsettled_since_ns if before else None
        unsettled = before.unsettled if before else ()
        journal = journal_path(self._output)
        self.info = replace(
            self.info,
            sockets=get_temp_dir(),
            journal=journal.stat().st_size if journal.exists() else 0,
            unsettled_since_ns=run_file.clock_ns(self._output) if since is None else since,
            unsettled=tuple(dict.fromkeys((*unsettled, self._key))),
        )
        with suppress(FileNotFoundError):  # a run that started at the same instant has cleared it away
            run_file.write(self._output, self.info)

    def _confirm(self) -> None:
        """Raise `RunError` if another run was faster."""
        now = run_file.read(self._output)
        if now is None:
            raise output_gone_error(self._output)
        if now.token != self.info.token:
            raise self._refusal(now)

    def _ending(self, error: BaseException | None) -> RunInfo:
        if error is None and self.processed == self.info.to_do:
            return self.info.ending("finished", tuple(key for key in self.info.unsettled if key != self._key))
        how = f"stopped: {explain(error, 'write').message}" if isinstance(error, Exception) else "interrupted"
        return self.info.ending(how, self.info.unsettled)

    def _refusal(self, holder: RunInfo | None) -> RunError:
        if holder is None or holder.ended:
            return RunError(
                f"another run is writing into {self._output}", "wait for it, or choose another folder with -o"
            )
        return RunError(f"another run is writing into {self._output}: {who(holder)}", _remedy(holder))


def _remove_sockets(folder: str) -> None:
    """Remove what `multiprocessing` of a killed run has left; nothing else, whatever the run file says."""
    above, name = os.path.split(folder)
    if above == tempfile.gettempdir() and name.startswith("pymp-") and folder != get_temp_dir():
        shutil.rmtree(folder, ignore_errors=True)


def output_gone_error(output: str) -> RunError:
    """What to raise when the folder that a run writes into is not there any more."""
    return RunError(
        f"the output {output} is gone: it was removed, or its disk or share unmounted, while the run was writing",
        "bring it back, then run the same command again",
    )


def _remedy(run: RunInfo) -> str:
    return f"wait for it, stop it with `kill {run.pid}` on {run.host}, or choose another folder with -o"


def _lock(descriptor: int) -> bool | None:
    """Whether the kernel's lock was free and is held now; None where the file system has none."""
    from filelock import lock_descriptor

    try:
        return lock_descriptor(descriptor, blocking=False)
    except OSError:
        return None


def _unlock(descriptor: int) -> None:
    from filelock import unlock_descriptor

    with suppress(OSError):
        unlock_descriptor(descriptor)
