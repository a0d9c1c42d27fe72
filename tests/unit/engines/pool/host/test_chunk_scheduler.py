import pytest

from imgpool.core.task import Task
from imgpool.engines.pool.host.chunk_scheduler import ChunkScheduler
from imgpool.engines.pool.protocol.claims import SLOTS
from imgpool.engines.pool.protocol.messages import Batch, ChunkResult, Command, Timing


def numbered(*indices, size=10_000_000):
    return [(index, Task(f"in-{index}", f"out-{index}", size, 0)) for index in indices]


def desk(*batches, workers=1, chunksize=1, memory=None):
    desk = ChunkScheduler(workers, chunksize, memory)
    for batch in batches:
        desk.take(batch)
    return desk


def indices(ticket):
    return [index for index, _ in ticket.chunk]


def back(ticket, *deferred):
    return ChunkResult(ticket.slot, b"", list(deferred))


def run(desk):
    """Hand out one chunk at a time until nothing is left."""
    order = []
    while ticket := desk.next():
        order.append(indices(ticket))
        desk.take(back(ticket))
    return order


def test_no_more_chunks_are_under_way_than_there_are_slots():
    one = desk(Batch(numbered(*range(10)), last=True), workers=2)
    tickets = [one.next() for _ in range(2 * SLOTS)]
    assert len({ticket.slot for ticket in tickets}) == 2 * SLOTS
    assert one.next() is None
    one.take(back(tickets[3]))
    assert one.next().slot == tickets[3].slot


def test_suspects_come_last_one_by_one_then_those_that_run_alone():
    batch = Batch(numbered(0, 1, 2), suspects=numbered(3, 4), loners=numbered(5, 6), last=True)
    one = desk(batch, chunksize=2)
    assert run(one) == [[0, 1], [2], [3], [4], [5], [6]]
    assert one.finished


def test_who_runs_alone_runs_alone():
    one = desk(Batch(numbered(0), loners=numbered(1, 2), last=True), workers=2)
    first = one.next()
    assert one.next() is None
    one.take(back(first))
    alone = one.next()
    assert (indices(alone), alone.memory) == ([1], None)
    assert one.next() is None


def test_what_a_worker_had_no_time_for_goes_first():
    one = desk(Batch(numbered(0, 1, 2, 3), last=True), chunksize=3)
    ticket = one.next()
    one.take(ChunkResult(ticket.slot, b"", [], ticket.chunk[1:]))
    assert run(one) == [[1, 2, 3]]


def test_it_waits_for_more_until_the_last_batch_is_there():
    one = desk(Batch(numbered(0)))
    assert run(one) == [[0]]
    assert not one.finished
    one.take(Batch([], last=True))
    assert one.finished
    assert one.next() is None


def test_it_is_not_finished_while_a_task_could_come_back():
    one = desk(Batch(numbered(0), last=True), memory=1000, workers=2)
    ticket = one.next()
    assert ticket.memory == 500
    assert not one.finished
    one.take(back(ticket, (ticket.chunk[0], 800)))
    again = one.next()
    assert (again.chunk, again.memory) == (ticket.chunk, 800)
    one.take(back(again))
    assert one.finished


@pytest.mark.parametrize("batch", [Batch(numbered(1, 2)), Batch(numbered(1), numbered(2), numbered(3), last=True)])
def test_the_command_to_stop_ends_it_whatever_waits(batch):
    one = desk(batch)
    one.next()
    one.take(Command.STOP)
    assert one.finished
    assert one.next() is None


def done(ticket, seconds=0.001):
    nbytes = sum(task.size for _, task in ticket.chunk)
    return ChunkResult(ticket.slot, b"", [], timing=Timing(len(ticket.chunk), nbytes, len(ticket.chunk) * seconds))


def test_chunks_grow_when_tasks_turn_out_to_be_short():
    one = desk(Batch(numbered(*range(500), size=1000), last=True), chunksize=None)
    first = one.next()
    assert indices(first) == [0]
    one.take(done(first))
    assert len(indices(one.next())) > 10


def test_the_time_of_a_chunk_that_came_back_for_memory_teaches_nothing():
    one = desk(Batch(numbered(*range(500), size=1000), last=True), chunksize=None, memory=1000, workers=2)
    one.next()
    for _ in range(3):
        ticket = one.next()
        one.take(ChunkResult(ticket.slot, b"", [(ticket.chunk[0], 2000)], timing=Timing(1, 1000, 0.001)))
    assert one.choice is None
    assert len(indices(one.next())) == 1


def test_it_tells_when_memory_keeps_workers_idle():
    one = desk(Batch(numbered(*range(50)), last=True), memory=1000, workers=4)
    tickets = [one.next() for _ in range(4)]
    for ticket in tickets:
        one.take(back(ticket, (ticket.chunk[0], 600)))
    for _ in range(30):
        ticket = one.next()
        while one.next():
            pass
        one.take(done(ticket))
        if one.choice and one.choice.at_once:
            break
    assert one.choice.at_once < 4


def test_where_there_is_memory_it_tells_nothing_of_it():
    one = desk(Batch(numbered(*range(50)), last=True), memory=1000, workers=2)
    while ticket := one.next():
        one.take(done(ticket))
    assert one.choice.at_once == 0
