"""Who works on what: the shared table from which a dead worker's task is known."""

import ctypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.context import BaseContext


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's word that it is working on a task."""

    pid: int
    index: int


class Claims:
    """A slot for each chunk under way, in shared memory.

    A slot has one writer at a time, the worker that holds the chunk; and a write is one aligned machine word.
    So there is no lock that a dying worker could keep.
    """

    def __init__(self, context: BaseContext, slots: int) -> None:
        self._words = context.RawArray(ctypes.c_int64, 2 * slots)

    def claim(self, slot: int, index: int) -> None:
        """Say that this process works on this task, and no longer on the one before."""
        self._words[2 * slot + 1] = index
        self._words[2 * slot] = os.getpid()

    def drop(self, slot: int) -> None:
        """Say that nobody works on the chunk any more."""
        self._words[2 * slot] = 0

    def __iter__(self) -> Iterator[Claim]:
        words = iter(self._words[:])
        return (Claim(pid, index) for pid, index in zip(words, words, strict=True) if pid)
