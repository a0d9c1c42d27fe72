"""Backlog: tasks that wait to be assigned, cut into chunks."""

import math
from collections import deque
from collections.abc import Iterable

from imgpool.engines.pool.host.chunk_length import DispatchCost, chunk_length, chunk_seconds, max_chunk_seconds
from imgpool.engines.pool.protocol.messages import MAX_CHUNK_TASKS, Chunk, ChunkPolicy, NumberedTask
from imgpool.engines.shared.timing import Timing
from imgpool.engines.shared.workload import TaskTimes, Workload

PILOT_CHUNKS_PER_WORKER = 4
"""Chunks per worker before the first policy is reported."""

MIN_POLICY_CHANGE = 3
"""Factor by which the chunk length must change before a new policy is reported."""


class Backlog:
    """Tasks that wait to be assigned, in their order.

    While nothing is known about their duration, each chunk has one task.

    Parameters
    ----------
    workers
        Processes that work at the same time; 1 or more.
    chunksize
        Length of every chunk (the last may be shorter); None to choose it.

    Attributes
    ----------
    complete : bool
        Whether no further tasks will be added.
    upcoming : Workload or None
        Workload that will still be added; None if unknown.
    """

    def __init__(self, workers: int, chunksize: int | None = None) -> None:
        self.complete = False
        self.upcoming: Workload | None = None
        self._workers = workers
        self._chunksize = chunksize
        self._tasks: deque[NumberedTask] = deque()
        self._workload = Workload()
        self._times = TaskTimes(workers)
        self._dispatch = DispatchCost()
        self._observed_chunks = 0
        self._policy: ChunkPolicy | None = None

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def ready(self) -> bool:
        """Whether a chunk can be taken."""
        return len(self._tasks) >= (1 if self.complete else self._chunksize or 1)

    @property
    def policy(self) -> ChunkPolicy | None:
        """The policy reported last; it stays the same object until it changes."""
        return self._policy

    def add(self, tasks: Chunk) -> None:
        """Append tasks."""
        self._tasks.extend(tasks)
        self._workload += _workload(tasks)

    def put_back(self, tasks: Chunk) -> None:
        """Insert tasks that were taken before at the front."""
        self._tasks.extendleft(reversed(tasks))
        self._workload += _workload(tasks)

    def take_chunk(self) -> Chunk:
        """Remove and return the next chunk; call only if `ready`."""
        length = min(self._chunksize, len(self._tasks)) if self._chunksize else self._next_length()
        chunk = tuple(self._tasks.popleft() for _ in range(length))
        self._workload -= _workload(chunk)
        return chunk

    def observe(self, timing: Timing, host_seconds: float) -> None:
        """Learn from a chunk that is done, and from the CPU seconds that the host spent on it."""
        self._times.observe(timing.workload, timing.unqueued_seconds)
        self._dispatch = self._dispatch.observe(timing.idle_seconds, host_seconds)
        self._observed_chunks += 1
        if self._observed_chunks >= PILOT_CHUNKS_PER_WORKER * self._workers:
            self._update_policy(timing)

    def _update_policy(self, timing: Timing) -> None:
        """Compute the chunk length for tasks like these; keep the policy if it is nearly the same."""
        task_seconds = self._times.estimate(timing.workload) / timing.tasks
        fitting = max_chunk_seconds(self._dispatch, self._workers) / max(task_seconds, 1e-9)
        length = self._chunksize or max(1, min(MAX_CHUNK_TASKS, int(fitting)))
        before = self._policy.length if self._policy else 0
        if not before / MIN_POLICY_CHANGE < length < before * MIN_POLICY_CHANGE:
            self._policy = ChunkPolicy(length, task_seconds, self._dispatch.seconds)

    def _next_length(self) -> int:
        if not self._times.known:
            return 1
        upcoming = Workload() if self.complete else self.upcoming
        remaining_seconds = math.inf if upcoming is None else self._times.estimate(self._workload + upcoming)
        intercept, slope = self._times.line
        budget = chunk_seconds(self._dispatch, remaining_seconds, self._workers)
        return chunk_length((intercept + slope * task.size for _, task in self._tasks), budget)


def _workload(tasks: Iterable[NumberedTask]) -> Workload:
    return Workload.of(task for _, task in tasks)
