import pytest

from imgpool.core.task import Task
from imgpool.engines.pool.host.chunk_scheduler import ChunkScheduler
from imgpool.engines.pool.protocol.claims import SLOTS_PER_WORKER
from imgpool.engines.pool.protocol.messages import Batch, ChunkResult, Command
from imgpool.engines.shared.timing import Timing


def numbered(*indices, size=10_000_000):
    return [(index, Task(f"in-{index}", f"out-{index}", size, 0)) for index in indices]


def scheduler(*batches, workers=1, chunksize=1, memory=None):
    scheduler = ChunkScheduler(workers, chunksize, memory)
    for batch in batches:
        scheduler.handle(batch)
    return scheduler


def indices(assignment):
    return [index for index, _ in assignment.chunk]


def returned(assignment, *deferred):
    return ChunkResult(assignment.slot, b"", list(deferred))


def done(assignment, seconds=0.001):
    nbytes = sum(task.size for _, task in assignment.chunk)
    timing = Timing(len(assignment.chunk), nbytes, len(assignment.chunk) * seconds)
    return ChunkResult(assignment.slot, b"", [], timing=timing)


def run(scheduler):
    """Run one chunk at a time until nothing is left; return the chunks."""
    chunks = []
    while assignment := scheduler.next_assignment():
        chunks.append(indices(assignment))
        scheduler.handle(returned(assignment))
    return chunks


def test_no_more_chunks_are_under_way_than_there_are_slots():
    one = scheduler(Batch(numbered(*range(10)), last=True), workers=2)
    assignments = [one.next_assignment() for _ in range(2 * SLOTS_PER_WORKER)]
    assert len({assignment.slot for assignment in assignments}) == 2 * SLOTS_PER_WORKER
    assert one.next_assignment() is None
    one.handle(returned(assignments[3]))
    assert one.next_assignment().slot == assignments[3].slot


def test_suspects_come_last_and_those_that_run_alone_after_them():
    batch = Batch(numbered(0, 1, 2), suspects=numbered(3, 4), run_alone=numbered(5, 6), last=True)
    one = scheduler(batch, chunksize=2)
    assert run(one) == [[0, 1], [2], [3], [4], [5], [6]]
    assert one.finished


def test_task_that_must_run_alone_does():
    one = scheduler(Batch(numbered(0), run_alone=numbered(1, 2), last=True), workers=2)
    first = one.next_assignment()
    assert one.next_assignment() is None
    one.handle(returned(first))
    alone = one.next_assignment()
    assert (indices(alone), alone.memory) == ([1], None)
    assert one.next_assignment() is None


def test_unstarted_tasks_come_first():
    one = scheduler(Batch(numbered(0, 1, 2, 3), last=True), chunksize=3)
    assignment = one.next_assignment()
    one.handle(ChunkResult(assignment.slot, b"", [], assignment.chunk[1:]))
    assert run(one) == [[1, 2, 3]]


def test_scheduler_waits_for_the_last_batch():
    one = scheduler(Batch(numbered(0)))
    assert run(one) == [[0]]
    assert not one.finished
    one.handle(Batch([], last=True))
    assert one.finished
    assert one.next_assignment() is None


def test_scheduler_is_not_finished_while_a_task_may_come_back():
    one = scheduler(Batch(numbered(0), last=True), memory=1000, workers=2)
    assignment = one.next_assignment()
    assert assignment.memory == 500
    assert not one.finished
    one.handle(returned(assignment, (assignment.chunk[0], 800)))
    again = one.next_assignment()
    assert (again.chunk, again.memory) == (assignment.chunk, 800)
    one.handle(returned(again))
    assert one.finished


@pytest.mark.parametrize("batch", [Batch(numbered(1, 2)), Batch(numbered(1), numbered(2), numbered(3), last=True)])
def test_stop_finishes_the_scheduler_whatever_waits(batch):
    one = scheduler(batch)
    one.next_assignment()
    one.handle(Command.STOP)
    assert one.finished
    assert one.next_assignment() is None


def test_chunks_grow_when_tasks_are_short():
    one = scheduler(Batch(numbered(*range(500), size=1000), last=True), chunksize=None)
    first = one.next_assignment()
    assert indices(first) == [0]
    one.handle(done(first))
    assert len(indices(one.next_assignment())) > 10


def test_timing_of_a_chunk_with_deferred_tasks_is_ignored():
    one = scheduler(Batch(numbered(*range(500), size=1000), last=True), chunksize=None, memory=1000, workers=2)
    one.next_assignment()
    for _ in range(3):
        assignment = one.next_assignment()
        deferred = [(assignment.chunk[0], 2000)]
        one.handle(ChunkResult(assignment.slot, b"", deferred, timing=Timing(1, 1000, 0.001)))
    assert one.policy is None
    assert len(indices(one.next_assignment())) == 1


def test_policy_says_when_memory_keeps_workers_idle():
    need = 600
    one = scheduler(Batch(numbered(*range(50)), last=True), memory=1000, workers=4)
    running = []
    while not one.finished:
        while assignment := one.next_assignment():
            if assignment.memory >= need:
                running.append(assignment)
            else:
                one.handle(returned(assignment, (assignment.chunk[0], need)))
        one.handle(done(running.pop()))
    assert one.policy.memory_limited_workers == 1


def test_policy_says_nothing_where_there_is_enough_memory():
    one = scheduler(Batch(numbered(*range(50)), last=True), memory=1000, workers=2)
    while assignment := one.next_assignment():
        one.handle(done(assignment))
    assert one.policy.memory_limited_workers == 0
