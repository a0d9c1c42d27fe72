"""Tasks that wait to be handed out, cut into chunks."""

import math
from collections import deque
from collections.abc import Iterable

from imgpool.engines.pool.host.chunk_length import (
    LONGEST,
    Dispatch,
    Load,
    TaskTimes,
    chunk_length,
    chunk_seconds,
    longest_seconds,
)
from imgpool.engines.pool.protocol.messages import Chunk, ChunkPolicy, Numbered, Timing

PILOT = 4
"""Chunks of each worker after which it is told what was chosen."""

CHANGE = 3
"""Times as long, or as short, a chunk must have become to be told again."""


class Backlog:
    """Tasks that wait to be handed out, in their order.

    As long as nothing is known of their time they go one by one.

    Parameters
    ----------
    workers
        Processes that work at the same time; 1 or more.
    chunksize
        The same length for every chunk (the last may be shorter); None to choose.

    Attributes
    ----------
    complete
        Whether no further tasks will be added.
    beyond
        The tasks that will be added; None if that is not known.
    """

    def __init__(self, workers: int, chunksize: int | None = None) -> None:
        self.complete = False
        self.beyond: Load | None = None
        self._workers = workers
        self._chunksize = chunksize
        self._waiting: deque[Numbered] = deque()
        self._held = Load()
        self._times = TaskTimes(workers)
        self._dispatch = Dispatch()
        self._learnt = 0
        self._choice: ChunkPolicy | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def ready(self) -> bool:
        """Whether there is a chunk to cut."""
        return len(self._waiting) >= (1 if self.complete else self._chunksize or 1)

    def add(self, tasks: Chunk) -> None:
        """Put tasks behind those that wait."""
        self._waiting.extend(tasks)
        self._held += _load(tasks)

    def put_back(self, tasks: Chunk) -> None:
        """Put tasks that were cut before those that wait."""
        self._waiting.extendleft(reversed(tasks))
        self._held += _load(tasks)

    def cut(self) -> Chunk:
        """Take the next chunk, which must be `ready`."""
        length = min(self._chunksize, len(self._waiting)) if self._chunksize else self._length()
        chunk = tuple(self._waiting.popleft() for _ in range(length))
        self._held -= _load(chunk)
        return chunk

    def learn(self, timing: Timing, host_seconds: float) -> None:
        """Take note of what a chunk took, and what the host has computed for it."""
        self._times.learn(timing.load, timing.net_seconds)
        self._dispatch = self._dispatch.learn(timing.waited, host_seconds)
        self._learnt += 1
        if self._learnt >= PILOT * self._workers:
            self._choose(timing)

    @property
    def choice(self) -> ChunkPolicy | None:
        """What was chosen last; it stays the same object until something else is chosen."""
        return self._choice

    def _choose(self, timing: Timing) -> None:
        """Choose a length for tasks like these; what is nearly the same as before is not told."""
        task_seconds = self._times.seconds(timing.load) / timing.tasks
        fitting = longest_seconds(self._dispatch, self._workers) / max(task_seconds, 1e-9)
        length = self._chunksize or max(1, min(LONGEST, int(fitting)))
        if self._choice is None or not self._choice.length / CHANGE < length < self._choice.length * CHANGE:
            self._choice = ChunkPolicy(length, task_seconds, self._dispatch.seconds)

    def _length(self) -> int:
        if not self._times.known:
            return 1
        beyond = Load() if self.complete else self.beyond
        left = math.inf if beyond is None else self._times.seconds(self._held + beyond)
        start, slope = self._times.line
        budget = chunk_seconds(self._dispatch, left, self._workers)
        return chunk_length((start + slope * task.size for _, task in self._waiting), budget)


def _load(tasks: Iterable[Numbered]) -> Load:
    return Load.of(task for _, task in tasks)
