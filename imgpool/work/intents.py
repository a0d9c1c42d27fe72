"""Intents: what a worker is about to put at a target, written down before it does so.

An intent proves by its hash that imgpool wrote a file, if the run was killed before the journal had the result. Each
process appends to a file of its own, ``STATE/intents/RUN-PID.jsonl``, with one system call per intent.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from weakref import finalize

import msgspec

from imgpool.system.folder import Folder
from imgpool.system.paths import USES_SLASHES, native, portable
from imgpool.system.process_id import process_id

INTENTS_FOLDER = "intents"
"""Name of the folder with the intents, in the folder of imgpool's own files."""


class Intent(msgspec.Struct, frozen=True, gc=False):
    """A result that a worker is about to put at its target.

    Attributes
    ----------
    target
        Path of the result, relative to the output folder.
    source
        Absolute path of the source.
    sha256, size
        Hash and size of the result.
    run
        Token of the run.
    """

    target: str
    source: str
    sha256: str
    size: int
    run: str


class IntentLog:
    """Appends the intents of one process and one run to a file, which is created with the first.

    Parameters
    ----------
    output
        The output folder.
    state
        The folder of imgpool's own files, relative to the output folder.
    run
        Token of the run.
    """

    def __init__(self, output: str, state: str, run: str) -> None:
        self._output = output
        self._state = state
        self._run = run
        self._descriptors: dict[int, int] = {}  # by process: a forked process must not use its parent's
        self._last_line = 0  # length in bytes of this process's last line
        finalize(self, _close, self._descriptors)

    def add(self, target: str, source: str, sha256: str, size: int) -> None:
        """Append an intent in one write; raise `OSError` if it cannot be written."""
        pid = process_id()
        descriptor = self._descriptors.get(pid)
        if descriptor is None:
            descriptor = self._descriptors[pid] = self._open(pid)
        line = encode_intent(Intent(target, source, sha256, size, self._run))
        try:
            written = os.write(descriptor, line)
            while written < len(line):  # the next write says what is wrong
                written += os.write(descriptor, line[written:])
        except OSError:
            os.close(self._descriptors.pop(pid))  # the next intent opens the file anew, on a line of its own
            raise
        self._last_line = len(line)

    def withdraw_last(self) -> None:
        """Remove the intent that was added last: nothing was put at its target.

        If that is not possible, the intent stays. The target is then compared by its hash once more than necessary.
        """
        descriptor = self._descriptors[process_id()]
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, os.fstat(descriptor).st_size - self._last_line)

    def count(self, target: str) -> int:
        """Count the intents of this run, of all processes, for a target."""
        with self._open_folder() as folder:
            names = [name for name in folder.names() if name.startswith(f"{self._run}-")]
            return sum(intent.target == target for name in names for intent in read_intents(folder.open_file(name)))

    def _open(self, pid: int) -> int:
        with self._open_folder() as folder:
            descriptor = folder.open_file(f"{self._run}-{pid}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            if os.fstat(descriptor).st_size:  # the last line may be incomplete
                os.write(descriptor, b"\n")
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def _open_folder(self) -> Folder:
        with Folder.open(self._output) as output, output.descend(self._state) as state:
            return state.subfolder(INTENTS_FOLDER, create=True)


def _close(descriptors: dict[int, int]) -> None:
    for descriptor in descriptors.values():
        os.close(descriptor)


def read_intents(file: str | os.PathLike[str] | int) -> Iterator[Intent]:
    """Read the intents in one file, in order; damaged lines are skipped.

    Parameters
    ----------
    file
        Its path, or the descriptor of the open file, which is closed.
    """
    with open(file, "rb") as lines:
        for line in lines:
            if intent := _decode(line):
                yield intent if USES_SLASHES else msgspec.structs.replace(intent, target=native(intent.target))


def encode_intent(intent: Intent) -> bytes:
    """Encode as a line of JSON. Bytes of names that are not UTF-8 are written as escaped surrogates."""
    if not USES_SLASHES:
        intent = msgspec.structs.replace(intent, target=portable(intent.target))
    try:
        return msgspec.json.encode(intent) + b"\n"
    except UnicodeEncodeError:
        return json.dumps(msgspec.structs.asdict(intent)).encode() + b"\n"


def _decode(line: bytes) -> Intent | None:
    try:
        return msgspec.json.decode(line, type=Intent)
    except msgspec.DecodeError:
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            return msgspec.convert(json.loads(line), Intent)
    return None
