"""Intents: what a worker is about to put at a target, written down before it does so.

An intent proves by its hash that imgpool wrote a file, if the run was killed before the journal had the result. Each
process appends to a file of its own, ``STATE/intents/RUN-PID.jsonl``, with one system call per intent.
"""

import contextlib
import json
import os
from collections.abc import Iterator

import msgspec

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
    state
        The folder of imgpool's own files in the output folder.
    run
        Token of the run.
    """

    def __init__(self, state: str, run: str) -> None:
        self._folder = os.path.join(state, INTENTS_FOLDER)
        self._run = run
        self._descriptor = -1
        self._pid = -1

    def add(self, target: str, source: str, sha256: str, size: int) -> None:
        """Append an intent in one write; raise `OSError` if it is not complete."""
        pid = os.getpid()
        if pid != self._pid:
            self._descriptor, self._pid = self._open(pid), pid
        line = _encode(Intent(target, source, sha256, size, self._run))
        written = os.write(self._descriptor, line)
        while written < len(line):  # raises if the disk is full
            written += os.write(self._descriptor, line[written:])

    def _open(self, pid: int) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        path = os.path.join(self._folder, f"{self._run}-{pid}.jsonl")
        try:
            return os.open(path, flags, 0o666)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._folder)
            return os.open(path, flags, 0o666)


def read_intents(path: str | os.PathLike[str]) -> Iterator[Intent]:
    """Read the intents in one file, in order; damaged lines are skipped."""
    with open(path, "rb") as file:
        for line in file:
            if intent := _decode(line):
                yield intent


def _encode(intent: Intent) -> bytes:
    """Encode as a line of JSON. Bytes of names that are not UTF-8 are written as escaped surrogates."""
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
