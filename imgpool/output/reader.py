"""Reading what runs tell of an output folder from the outside, also while one of them is writing into it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Generic, Literal

from imgpool.core.errors import RunError, UsageError
from imgpool.core.failures import explain
from imgpool.output import run_file
from imgpool.output.journal import Kind, parse_line
from imgpool.output.layout import default_output, journal_path, run_path
from imgpool.output.run_file import RunInfo

State = Literal["running", "finished", "interrupted", "stopped", "killed", "unknown"]
"""Of the last run: "stopped" where it could not go on, "killed" where it ended without a word, "unknown" where no run
file tells."""

ENDINGS: dict[str, State] = {"finished": "finished", "interrupted": "interrupted"}

ABSENT = (FileNotFoundError, NotADirectoryError)


def last_run(output: str) -> tuple[RunInfo | None, State]:
    """The last run into a folder, and what has become of it.

    Raises
    ------
    UsageError
        If a newer imgpool wrote the run file.
    RunError
        If it is there and cannot be read.
    """
    with _readable(str(run_path(output))):
        run = run_file.read(output)
        while run and run.ended is None:
            if run_file.is_alive(output, run):
                return run, "running"
            before, run = run, run_file.read(output)  # it may have ended just now
            if run == before:
                return run, "killed"
    if run is None:
        return None, "unknown"
    return run, ENDINGS.get(run.how or "", "stopped")


class JournalReader(Generic[Kind]):
    """Reads what a journal holds, and later what has been added since: a long one costs once.

    Parameters
    ----------
    output
        The folder of the results.
    kind
        What to make of a line.
    start
        The bytes at the journal's beginning that are passed over.
    """

    def __init__(self, output: str, kind: type[Kind], start: int = 0) -> None:
        self._path = str(journal_path(output))
        self._kind = kind
        self._place = start

    def is_cut_off(self) -> bool:
        """Whether the journal has become shorter than what was read of it: a full disk did not take all of a commit."""
        try:
            return os.path.getsize(self._path) < self._place
        except OSError:
            return False

    def entries(self) -> Iterator[Kind]:
        """What has been written since the last call; a last line that is still being written is left for the next.

        Raises
        ------
        RunError
            If the journal is there and cannot be read.
        """
        with suppress(*ABSENT), _readable(self._path), open(self._path, "rb") as file:
            file.seek(self._place)
            for line in file:
                entry = parse_line(line, self._path, self._kind)
                if entry:
                    yield entry
                elif not line.endswith(b"\n"):
                    return
                self._place += len(line)


@contextmanager
def _readable(path: str) -> Iterator[None]:
    """Say in a sentence why a file that is there cannot be read."""
    try:
        yield
    except ABSENT:
        raise
    except OSError as error:
        failure = explain(error, "read")
        raise RunError(f"{path}: {failure.message}", failure.hint) from error


def not_an_output_error(output: str) -> UsageError:
    """What to raise where a folder is none that imgpool has written into."""
    if not os.path.lexists(output):
        return UsageError(f"{output} does not exist", "check the spelling")
    beside = default_output(output)
    meant = f"did you mean {beside}?" if journal_path(beside).is_file() else "give the output of `imgpool process`"
    return UsageError(f"{output} was not written by imgpool", meant)
