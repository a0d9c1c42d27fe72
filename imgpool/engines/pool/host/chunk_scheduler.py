"""Scheduler: decides which chunk the workers of a pool get next, and when."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from imgpool.engines.pool.host.admission import Admission, Grant
from imgpool.engines.pool.host.backlog import Backlog
from imgpool.engines.pool.protocol.claims import SLOTS_PER_WORKER
from imgpool.engines.pool.protocol.messages import (
    Batch,
    Chunk,
    ChunkAssignment,
    ChunkPolicy,
    ChunkResult,
    Command,
    NumberedTask,
)

MIN_SHORTAGE = 0.5
"""Share of refused grants that left a worker idle, above which memory is reported as the limit."""

SHORTAGE_WEIGHT = 0.1
"""Weight of the latest refusal in the moving average of that share."""


class ChunkScheduler:
    """Receives tasks, and assigns them as chunks when a slot and enough memory are free.

    Parameters
    ----------
    workers, chunksize, memory
        As in `imgpool.core.engine.EngineOptions`.
    clock
        Returns the CPU seconds of this process.
    """

    def __init__(
        self, workers: int, chunksize: int | None, memory: int | None, clock: Callable[[], float] = time.process_time
    ) -> None:
        self._backlog = Backlog(workers, chunksize)
        self._suspects: deque[NumberedTask] = deque()
        self._admission: Admission[NumberedTask] = Admission(memory, workers, SLOTS_PER_WORKER * workers)
        self._stopped = False
        self._workers = workers
        self._shortage = 0.0
        self._memory_limited_workers = 0
        self._clock = clock
        self._last_cpu_seconds = clock()

    @property
    def finished(self) -> bool:
        """Whether nothing will ever be assigned any more."""
        if self._stopped:
            return True
        return self._backlog.complete and not (self._backlog or self._suspects or self._admission.busy)

    @property
    def policy(self) -> ChunkPolicy | None:
        """How chunks are formed now; None while little is known."""
        policy = self._backlog.policy
        if policy and self._memory_limited_workers:
            return replace(policy, memory_limited_workers=self._memory_limited_workers)
        return policy

    def handle(self, event: Batch | ChunkResult | Command) -> None:
        """Handle new tasks, a chunk that has come back, or the command to stop."""
        if isinstance(event, Batch):
            self._add(event)
        elif isinstance(event, ChunkResult):
            self._admission.release(event.slot, event.deferred)
            self._backlog.put_back(event.unstarted)
            self._observe(event)
        else:
            self._stopped = True

    def next_assignment(self) -> ChunkAssignment | None:
        """Return the next chunk to assign; None if there is none before the next event."""
        if self.finished:
            return None
        grant = self._admission.next_grant(fresh=self._backlog.ready or self._suspect_is_next)
        if grant is None and (self._backlog.ready or self._admission.waiting):
            self._note_shortage(self._admission.idle)
        return self._assign(grant) if grant else None

    def _add(self, batch: Batch) -> None:
        self._backlog.add(batch.tasks)
        self._suspects.extend(batch.suspects)
        for numbered in batch.run_alone:
            self._admission.add_exclusive(numbered)
        self._backlog.complete = batch.last
        self._backlog.upcoming = batch.upcoming

    def _observe(self, result: ChunkResult) -> None:
        """Learn from a complete chunk; the timing of one with deferred tasks means little."""
        before, self._last_cpu_seconds = self._last_cpu_seconds, self._clock()
        if result.timing.tasks and not result.deferred:
            self._backlog.observe(result.timing, self._last_cpu_seconds - before)

    def _note_shortage(self, idle: int) -> None:
        """Note a refused grant and the workers it leaves idle; once that is usual, remember how many are not idle."""
        self._shortage += SHORTAGE_WEIGHT * ((idle > 0) - self._shortage)
        if idle and self._shortage > MIN_SHORTAGE and not self._memory_limited_workers:
            self._memory_limited_workers = self._workers - idle

    @property
    def _suspect_is_next(self) -> bool:
        return bool(self._backlog.complete and not self._backlog and self._suspects)

    def _assign(self, grant: Grant[NumberedTask]) -> ChunkAssignment:
        chunk: Chunk
        if grant.item is not None:
            chunk = (grant.item,)
        elif self._suspect_is_next:
            chunk = (self._suspects.popleft(),)
        else:
            chunk = self._backlog.take_chunk()
        return ChunkAssignment(grant.slot, grant.allowance, chunk)
