"""A simulated pool: the real scheduler assigns chunks to workers whose time is only counted."""

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush

from imgpool.core.task import Task
from imgpool.engines.pool.host.chunk_scheduler import ChunkScheduler
from imgpool.engines.pool.protocol.messages import Batch, ChunkAssignment, ChunkResult
from imgpool.engines.pool.worker.worker import MAX_SLICE_SECONDS
from imgpool.engines.shared.timing import Timing


@dataclass
class Outcome:
    """When the last worker was done, and the chunks in the order in which they finished."""

    makespan: float = 0.0
    chunks: list[tuple[int, ...]] = field(default_factory=list)


def run(todo, workers, dispatch=0.0005, **options):
    """Simulate the tasks, given as pairs of size and seconds, in this order."""
    seconds = [each for _, each in todo]
    scheduler = ChunkScheduler(workers, options.get("chunksize"), None, clock=lambda: 0.0)
    numbered = tuple((index, Task(str(index), "", size, 0)) for index, (size, _) in enumerate(todo))
    scheduler.handle(Batch(numbered, last=True))
    outcome, queue, running = Outcome(), deque(), []
    idle = [(0.0, number) for number in range(workers)]
    now = 0.0
    while True:
        while assignment := scheduler.next_assignment():
            queue.append(assignment)
        while queue and idle:
            idle_since, number = idle.pop()
            started = now + dispatch
            heappush(running, _run_chunk(queue.popleft(), seconds, started, started - idle_since, number))
        if not running:
            outcome.makespan = now
            return outcome
        now, number, result, indices = heappop(running)
        outcome.chunks.append(indices)
        idle.append((now, number))
        scheduler.handle(result)


def _run_chunk(assignment: ChunkAssignment, seconds, started, idle_seconds, number):
    """Return when a chunk ends, the worker, its result, and the tasks done within the worker's time slice."""
    elapsed, done = 0.0, []
    for index, task in assignment.chunk:
        if elapsed >= MAX_SLICE_SECONDS:
            break
        elapsed += seconds[index]
        done.append((index, task.size))
    nbytes = sum(size for _, size in done)
    timing = Timing(len(done), nbytes, elapsed, elapsed, 0.0, idle_seconds)
    result = ChunkResult(assignment.slot, b"", [], assignment.chunk[len(done) :], timing)
    return started + elapsed, number, result, tuple(index for index, _ in done)
