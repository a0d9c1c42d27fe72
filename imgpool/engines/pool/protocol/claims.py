"""Who works on what: the shared table from which a dead worker's task is known."""

import ctypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.context import BaseContext

SLOTS = 3  # chunks under way per worker: one in hand, one waiting for it, one on its way back
WORDS = 3  # in a slot

SETTING_UP = -1
"""In place of a task's index: the worker is not ready yet."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's word that it is working on a task, and the seconds that it may take (0: any number)."""

    pid: int
    index: int
    seconds: float


class Claims:
    """A slot for each chunk under way and for each worker's start; and a flag that asks all workers to stop.

    All is in shared memory. A slot has one writer at a time, the worker that holds the chunk; and a write is one
    aligned machine word. So there is no lock that a dying worker could keep.
    """

    def __init__(self, context: BaseContext, slots: int) -> None:
        self._words = context.RawArray(ctypes.c_int64, WORDS * slots)
        self._stop = context.RawValue(ctypes.c_int64, 0)

    def claim(self, slot: int, index: int, seconds: float = 0.0) -> None:
        """Say that this process works on this task, and no longer on the one before."""
        self._words[WORDS * slot + 2] = round(1000 * seconds)
        self._words[WORDS * slot + 1] = index
        self._words[WORDS * slot] = os.getpid()

    def drop(self, slot: int) -> None:
        """Say that nobody works on the chunk any more."""
        self._words[WORDS * slot] = 0

    def stop(self) -> None:
        """Ask the workers to begin no further task."""
        self._stop.value = 1

    @property
    def stopped(self) -> bool:
        """Whether the workers were asked to stop."""
        return bool(self._stop.value)

    def __iter__(self) -> Iterator[Claim]:
        words = iter(self._words[:])
        return (
            Claim(pid, index, milliseconds / 1000)
            for pid, index, milliseconds in zip(words, words, words, strict=True)
            if pid
        )
