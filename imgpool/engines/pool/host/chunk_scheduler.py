"""What the workers of a pool are handed next, and when."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from imgpool.engines.pool.host.admission import Admission, Grant
from imgpool.engines.pool.host.backlog import Backlog
from imgpool.engines.pool.protocol.claims import SLOTS
from imgpool.engines.pool.protocol.messages import (
    Batch,
    Chunk,
    ChunkAssignment,
    ChunkPolicy,
    ChunkResult,
    Command,
    Numbered,
)

OFTEN = 0.5
"""The part of the times that there is nothing to hand out, from which on a lack of memory is worth telling."""

PART = 0.1
"""What the last time counts for in that."""


class ChunkScheduler:
    """Takes in tasks and hands them out as chunks, each when there is a slot and memory for it.

    Parameters
    ----------
    workers, chunksize, memory
        As in `imgpool.core.engine.EngineOptions`.
    clock
        Seconds that this process has computed.
    """

    def __init__(
        self, workers: int, chunksize: int | None, memory: int | None, clock: Callable[[], float] = time.process_time
    ) -> None:
        self._backlog = Backlog(workers, chunksize)
        self._suspects: deque[Numbered] = deque()
        self._admission: Admission[Numbered] = Admission(memory, workers, SLOTS * workers)
        self._stopped = False
        self._workers = workers
        self._shortage = 0.0
        self._at_once = 0
        self._clock = clock
        self._read = clock()

    @property
    def finished(self) -> bool:
        """Whether nothing will ever be handed out any more."""
        if self._stopped:
            return True
        return self._backlog.complete and not (self._backlog or self._suspects or self._admission.busy)

    @property
    def choice(self) -> ChunkPolicy | None:
        """How chunks are handed out now; None as long as little is known."""
        choice = self._backlog.choice
        return replace(choice, at_once=self._at_once) if choice and self._at_once else choice

    def take(self, event: Batch | ChunkResult | Command) -> None:
        """Take in tasks, a chunk that is back, or the command to stop."""
        if isinstance(event, Batch):
            self._backlog.add(event.tasks)
            self._suspects.extend(event.suspects)
            for loner in event.loners:
                self._admission.isolate(loner)
            self._backlog.complete = event.last
            self._backlog.beyond = event.beyond
        elif isinstance(event, ChunkResult):
            self._admission.release(event.slot, event.deferred)
            self._backlog.put_back(event.rest)
            self._learn(event)
        else:
            self._stopped = True

    def next(self) -> ChunkAssignment | None:
        """What to hand out now; None if that is nothing before the next event."""
        if self.finished:
            return None
        grant = self._admission.place(fresh=self._backlog.ready or self._suspects_turn)
        if grant is None and self._has_work:
            self._note_idle(self._admission.idle)
        return self._ticket(grant) if grant else None

    def _learn(self, answers: ChunkResult) -> None:
        """From a chunk that was done; of one that came back for want of memory the time tells little."""
        before, self._read = self._read, self._clock()
        if answers.timing.tasks and not answers.deferred:
            self._backlog.learn(answers.timing, self._read - before)

    def _note_idle(self, idle: int) -> None:
        """Take note of workers that have nothing to do for want of memory; how many work is told once it is usual."""
        self._shortage += PART * ((idle > 0) - self._shortage)
        if idle and self._shortage > OFTEN and not self._at_once:
            self._at_once = self._workers - idle

    @property
    def _has_work(self) -> bool:
        """Whether a worker could do something if there were memory."""
        return self._backlog.ready or self._admission.waiting

    @property
    def _suspects_turn(self) -> bool:
        return bool(self._backlog.complete and not self._backlog and self._suspects)

    def _ticket(self, grant: Grant[Numbered]) -> ChunkAssignment:
        chunk: Chunk
        if grant.item is not None:
            chunk = (grant.item,)
        elif self._suspects_turn:
            chunk = (self._suspects.popleft(),)
        else:
            chunk = self._backlog.cut()
        return ChunkAssignment(grant.slot, grant.allowance, chunk)
