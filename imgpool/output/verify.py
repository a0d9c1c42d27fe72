"""Whether the outputs are still those that the journal tells of: every one is read and hashed again."""

import hashlib
import os
import shlex
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal

import msgspec

from imgpool.core.errors import RunError
from imgpool.core.failures import explain
from imgpool.output.journal import Entry
from imgpool.output.layout import STATE_FOLDER, SYSTEM_FOLDERS, journal_path
from imgpool.output.reader import JournalReader, last_run, not_an_output_error
from imgpool.output.run_file import who
from imgpool.system.resources import available_cpus

Kind = Literal["intact", "absent", "missing", "changed", "outdated", "extra", "unreadable"]

LITTER = {".DS_Store", "Thumbs.db", "desktop.ini"}
"""Files that operating systems leave in every folder that is looked at."""

BLOCK = 2**20
"""Bytes hashed at once."""

AHEAD = 64
"""Outputs handed to the threads before the first of them is processed, for each thread."""


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """What is known of one file.

    Attributes
    ----------
    kind
        "intact"; "absent" as it ought to be, because the image failed; "missing"; "changed", which is other bytes;
        "outdated", of an earlier run where the last one failed; "extra", which no run wrote; "unreadable".
    path
        Relative to the output folder.
    reason
        What is wrong, in a few words.
    rerun_restores
        Whether the same command makes it anew by itself.
    """

    kind: Kind
    path: str
    reason: str = ""
    rerun_restores: bool = False


class RecordedOutput(msgspec.Struct, gc=False):
    """What the journal tells of a target.

    Attributes
    ----------
    written, sha256
        Size and hash of what was written last; no hash where nothing ever was.
    failed
        Whether the last run failed to make it.
    """

    written: int = 0
    sha256: bytes = b""
    failed: bool = False


class OutputEntry(Entry, gc=False):
    """A line of the journal, as far as it counts here."""

    written: int
    sha256: str


class Verification:
    """Reads an output folder again.

    Parameters
    ----------
    output
        The folder of the results.

    Attributes
    ----------
    output : str
    known : dict of str to RecordedOutput
        Every target in the journal, by its path relative to the output folder.
    state : str
        What has become of the last run, as `imgpool.output.reader.State` has it.
    left_out : list of str
        Folders in it that hold the results of other runs; they have a journal of their own.

    Raises
    ------
    UsageError
        If there is no journal, or one of a newer imgpool.
    RunError
        If a run is writing into the folder, or the journal cannot be read.
    """

    def __init__(self, output: str) -> None:
        self.output = os.path.abspath(output)
        self._run, self.state = last_run(self.output)
        if self._run and self.state == "running":
            raise RunError(
                f"a run is writing into {output}: {who(self._run)}",
                f"`imgpool status {shlex.quote(output)} --watch` waits for its end",
            )
        if not os.path.lexists(journal_path(self.output)):
            raise not_an_output_error(output)
        self.known = _known(self.output)
        self.left_out: list[str] = []

    @property
    def unsettled(self) -> bool:
        """Whether a run that did not finish may have left outputs that the journal does not know."""
        return self._run is not None and self._run.unsettled_since_ns is not None

    def check_files(self) -> Iterator[CheckedFile]:
        """One for every target in the journal, then one for whatever else there is.

        Raises
        ------
        RunError
            If a run has written into the folder meanwhile.
        """
        yield from self._outputs()
        yield from self._extra()
        if last_run(self.output)[0] != self._run:
            raise RunError(f"a run has written into {self.output} meanwhile", "verify again")

    def _outputs(self) -> Iterator[CheckedFile]:
        leaving = threading.Event()
        threads = available_cpus()
        pool = ThreadPoolExecutor(threads)
        try:
            yield from _in_order(pool, partial(self._check, leaving), self.known, AHEAD * threads)
        finally:
            leaving.set()
            pool.shutdown(cancel_futures=True)

    def _check(self, leaving: threading.Event, target: str) -> CheckedFile:
        known = self.known[target]
        try:
            difference, rerun_restores = _difference(os.path.join(self.output, target), known, leaving)
        except (FileNotFoundError, NotADirectoryError):
            gone = CheckedFile("missing", target, "it is not there any more", rerun_restores=True)
            return CheckedFile("absent", target) if known.failed else gone
        except OSError as error:
            return CheckedFile("unreadable", target, explain(error, "read").message)
        if not known.sha256:
            return CheckedFile("extra", target, "the journal tells of a failure, and of no output")
        if difference:
            return CheckedFile("changed", target, difference, rerun_restores=rerun_restores)
        if known.failed:
            return CheckedFile(
                "outdated", target, "of an earlier run; the last one failed to make it", rerun_restores=True
            )
        return CheckedFile("intact", target)

    def _extra(self) -> Iterator[CheckedFile]:
        """Whatever stands in the folder, and not in the journal."""
        pending = [""]
        while pending:
            folder = pending.pop()
            try:
                with os.scandir(os.path.join(self.output, folder)) as scanned:
                    entries = sorted(scanned, key=lambda entry: entry.name)
            except OSError as error:
                yield CheckedFile(
                    "unreadable", folder, f"what is in it cannot be told: {explain(error, 'read').message}"
                )
                continue
            if folder and any(entry.name == STATE_FOLDER for entry in entries):
                self.left_out.append(folder)
                continue
            for entry in entries:
                path = os.path.join(folder, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    pending += [path] if entry.name not in {STATE_FOLDER, *SYSTEM_FOLDERS} else []
                elif not self._is_known(path) and entry.name not in LITTER:
                    yield CheckedFile("extra", path, "the journal does not know it")

    def _is_known(self, path: str) -> bool:
        """Whether a file, or a link to a folder of outputs, has its place here."""
        if path in self.known:
            return True
        inside = os.path.join(path, "")
        return os.path.isdir(os.path.join(self.output, path)) and any(each.startswith(inside) for each in self.known)


def _known(output: str) -> dict[str, RecordedOutput]:
    """What the journal tells of every target: whether the last run made it, and what was written last."""
    known: dict[str, RecordedOutput] = {}
    for entry in JournalReader(output, OutputEntry).entries():
        if entry.status == "done":
            with suppress(ValueError):  # garbage: its task runs again
                known[entry.target] = RecordedOutput(entry.written, bytes.fromhex(entry.sha256))
        else:
            known.setdefault(entry.target, RecordedOutput()).failed = True
    return known


def _in_order(
    pool: ThreadPoolExecutor, check: Callable[[str], CheckedFile], targets: Iterable[str], ahead: int
) -> Iterator[CheckedFile]:
    """As `ThreadPoolExecutor.map`, with no more than so many handed out at a time."""
    pending: deque[Future[CheckedFile]] = deque()
    for target in targets:
        pending.append(pool.submit(check, target))
        if len(pending) == ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _difference(path: str, known: RecordedOutput, leaving: threading.Event) -> tuple[str, bool]:
    """How a file differs from what was written, and whether a run sees that; raises `OSError`."""
    status = os.lstat(path)
    if not known.sha256:
        return "", False
    if not stat.S_ISREG(status.st_mode):
        return f"{_what(status.st_mode)} stands there now", False
    if status.st_size != known.written:
        return f"{status.st_size:,} bytes, where {known.written:,} were written", True
    return ("", False) if _digest(path, leaving) == known.sha256 else ("other bytes of the same size", known.failed)


def _digest(path: str, leaving: threading.Event) -> bytes:
    """The sha256 of a file's bytes; of some of them, when nobody waits for it any more."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while not leaving.is_set() and (block := file.read(BLOCK)):
            digest.update(block)
    return digest.digest()


def _what(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a link"
    return "a folder" if stat.S_ISDIR(mode) else "no regular file"
