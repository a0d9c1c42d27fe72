"""Reading the state of an output folder from outside, even while a run is writing into it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Generic, Literal

from imgpool.core.errors import RunError, UsageError
from imgpool.core.failures import explain
from imgpool.output import run_file
from imgpool.output.hash_chain import Damage, HashChain
from imgpool.output.journal import EntryType, parse_line
from imgpool.output.layout import JOURNAL, default_output, journal_path, run_path
from imgpool.output.run_file import RunInfo
from imgpool.output.state_folder import open_state_file
from imgpool.system.paths import openable

State = Literal["running", "finished", "interrupted", "stopped", "killed", "unknown"]
"""State of the last run. "stopped": it could not continue; "killed": its process died without writing an end;
"unknown": there is no run file."""

END_STATES: dict[str, State] = {"finished": "finished", "interrupted": "interrupted"}

MISSING_FILE_ERRORS = (FileNotFoundError, NotADirectoryError)


def last_run(
    output: str, *, is_alive: Callable[[str, RunInfo], bool] = run_file.is_alive
) -> tuple[RunInfo | None, State]:
    """Read the last run into a folder, and determine its state.

    Parameters
    ----------
    output
        The output folder.
    is_alive
        Checks whether a run into the folder is still alive.

    Raises
    ------
    UsageError
        If a newer imgpool wrote the run file.
    RunError
        If the run file exists but cannot be read.
    """
    with _read_errors(str(run_path(output))):
        run = run_file.read(output)
        while run and run.ended is None:
            if is_alive(output, run):
                return run, "running"
            before, run = run, run_file.read(output)  # it may have ended just now
            if run == before:
                return run, "killed"
    if run is None:
        return None, "unknown"
    return run, END_STATES.get(run.how or "", "stopped")


class JournalReader(Generic[EntryType]):
    """Reads a journal, and later only the lines that were added since.

    Parameters
    ----------
    output
        The output folder.
    entry_type
        Type to decode each line to.
    last_run
        The run file; None if there is none.
    start
        Offset in bytes at which to start. The lines before it are only checked for damage.
    """

    def __init__(
        self, output: str, entry_type: type[EntryType], last_run: RunInfo | None = None, *, start: int = 0
    ) -> None:
        self._output = output
        self._path = str(journal_path(output))
        self._entry_type = entry_type
        self._start = start
        self._offset = 0
        self._checksum = last_run.checksum if last_run else 0
        self._chain = HashChain({self._checksum})

    @property
    def damage(self) -> Damage | None:
        """What is damaged in the lines that were read; None if nothing is."""
        return self._chain.find_damage(self._checksum)

    def is_truncated(self) -> bool:
        """Check whether the journal is shorter than what was read: a commit that failed on a full disk was undone."""
        try:
            return os.path.getsize(openable(self._path)) < self._offset
        except OSError:
            return False

    def entries(self) -> Iterator[EntryType]:
        """Read the entries added since the last call. A line that is still being written is left for the next call.

        Raises
        ------
        RunError
            If the journal exists but cannot be read.
        """
        with suppress(*MISSING_FILE_ERRORS), _read_errors(self._path), open_state_file(self._output, JOURNAL) as file:
            file.seek(self._offset)
            for line in self._chain.follow(self._complete_lines(file)):
                if self._offset > self._start:
                    entry = parse_line(line, self._path, self._entry_type, self._chain)
                    if entry:
                        yield entry

    def _complete_lines(self, file: BinaryIO) -> Iterator[bytes]:
        for line in file:
            if not line.endswith(b"\n") and not parse_line(line, self._path, self._entry_type):
                return
            self._offset += len(line)
            yield line


def not_an_output_error(output: str) -> UsageError:
    """Return the error for a folder that imgpool has never written into."""
    if not os.path.lexists(openable(output)):
        return UsageError(f"{output} does not exist", "check the spelling")
    sibling = default_output(output)
    is_output = os.path.isfile(openable(str(journal_path(sibling))))
    hint = f"did you mean {sibling}?" if is_output else "give the output of `imgpool process`"
    return UsageError(f"{output} was not written by imgpool", hint)


@contextmanager
def _read_errors(path: str) -> Iterator[None]:
    """Turn each `OSError`, except for a missing file, into a `RunError` that names the file."""
    try:
        yield
    except MISSING_FILE_ERRORS:
        raise
    except OSError as error:
        failure = explain(error, "read")
        raise RunError(f"{path}: {failure.message}", failure.hint) from error
