"""A pool on paper: the real desk hands out chunks, and time passes only in the numbers."""

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush

from imgpool.core.task import Task
from imgpool.engines.pool.host.chunk_scheduler import ChunkScheduler
from imgpool.engines.pool.protocol.messages import Batch, ChunkAssignment, ChunkResult, Timing
from imgpool.engines.pool.worker.worker import SLICE


@dataclass
class Outcome:
    """What came of it: when the last worker was done, and the chunks in the order in which they were begun."""

    makespan: float = 0.0
    chunks: list[tuple[int, ...]] = field(default_factory=list)


def run(todo, workers, dispatch=0.0005, **options):
    """Let workers do tasks, given as pairs of size and seconds, in this order."""
    seconds = [each for _, each in todo]
    desk = ChunkScheduler(workers, options.get("chunksize"), None, clock=lambda: 0.0)
    numbered = tuple((index, Task(str(index), "", size, 0)) for index, (size, _) in enumerate(todo))
    desk.take(Batch(numbered, last=True))
    outcome, queue, running = Outcome(), deque(), []
    idle = [(0.0, number) for number in range(workers)]
    now = 0.0
    while True:
        while ticket := desk.next():
            queue.append(ticket)
        while queue and idle:
            free_since, number = idle.pop()
            heappush(running, _begin(queue.popleft(), seconds, now + dispatch, now + dispatch - free_since, number))
        if not running:
            outcome.makespan = now
            return outcome
        now, number, answers, begun = heappop(running)
        outcome.chunks.append(begun)
        idle.append((now, number))
        desk.take(answers)


def _begin(ticket: ChunkAssignment, seconds, start, waited, number):
    """The end of a chunk that a worker begins now: done as far as its slice of time allows."""
    spent, done = 0.0, []
    for index, task in ticket.chunk:
        if spent >= SLICE:
            break
        spent += seconds[index]
        done.append((index, task.size))
    nbytes = sum(size for _, size in done)
    timing = Timing(len(done), nbytes, spent, spent, 0.0, waited)
    answers = ChunkResult(ticket.slot, b"", [], ticket.chunk[len(done) :], timing)
    return start + spent, number, answers, tuple(index for index, _ in done)
