"""Claims: which worker is working on which task. When a worker dies, its claim names the task."""

import ctypes
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.context import BaseContext

from imgpool.system.import_note import ImportNote

SLOTS_PER_WORKER = 3
"""Chunks under way per worker: one in progress, one waiting for the worker, one on its way back."""

SETUP = -1
"""Index in the claim of a worker that is running the initializer."""

_WORDS_PER_SLOT = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's statement that it is working on a task.

    Attributes
    ----------
    pid
        Process id of the worker.
    index
        Index of the task, or `SETUP`.
    seconds
        Time that the task may take; 0 for no limit.
    """

    pid: int
    index: int
    seconds: float


class Claims:
    """Table in shared memory with one slot per chunk under way and per starting worker, and a stop flag.

    Each slot has one writer at a time, the worker that holds the chunk, and each write is one aligned machine word.
    Therefore no lock is needed that a dying worker could hold forever.

    Attributes
    ----------
    imports : ImportNote
        What the host or a worker has begun to import last.
    """

    def __init__(self, context: BaseContext, slots: int) -> None:
        self._words = context.RawArray(ctypes.c_int64, _WORDS_PER_SLOT * slots)
        self._stop = context.RawValue(ctypes.c_int64, 0)
        self.imports = ImportNote(context)

    def claim(self, slot: int, index: int, seconds: float = 0.0) -> None:
        """Replace the claim in a slot: this process is now working on task `index`."""
        self._words[_WORDS_PER_SLOT * slot + 2] = math.ceil(1000 * seconds)  # 0 means no limit
        self._words[_WORDS_PER_SLOT * slot + 1] = index
        self._words[_WORDS_PER_SLOT * slot] = os.getpid()

    def release(self, slot: int) -> None:
        """Remove the claim from a slot: no worker is working on the chunk any more."""
        self._words[_WORDS_PER_SLOT * slot] = 0

    def stop(self) -> None:
        """Ask the workers to start no further task."""
        self._stop.value = 1

    @property
    def any_task_started(self) -> bool:
        """Whether a worker is working on a task now; false if workers only run the initializer."""
        return any(claim.index != SETUP for claim in self)

    @property
    def stopped(self) -> bool:
        """Whether the workers have been asked to stop."""
        return bool(self._stop.value)

    def __iter__(self) -> Iterator[Claim]:
        words = iter(self._words[:])
        return (
            Claim(pid, index, milliseconds / 1000)
            for pid, index, milliseconds in zip(words, words, words, strict=True)
            if pid
        )
