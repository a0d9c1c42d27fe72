import pytest

from imgpool.core.task import Task
from imgpool.engines.pool.host.backlog import Backlog
from imgpool.engines.pool.host.chunk_length import LONGEST, Dispatch, Load, TaskTimes, chunk_length, chunk_seconds
from imgpool.engines.pool.protocol.messages import Timing


def backlog(*sizes, workers=2, chunksize=None, complete=True, task_seconds=None):
    backlog = Backlog(workers, chunksize)
    backlog.add([(index, Task(f"in-{index}", f"out-{index}", size, 0)) for index, size in enumerate(sizes)])
    backlog.complete = complete
    if task_seconds:
        learn(backlog, sizes[0], task_seconds)
    return backlog


def learn(backlog, size, task_seconds, chunks=1):
    for _ in range(chunks):
        backlog.learn(Timing(10, 10 * size, 10 * task_seconds, waited=0.0002), 0.0003)


def lengths(backlog):
    found = []
    while backlog.ready:
        found.append(len(backlog.cut()))
    return found


def test_as_long_as_nothing_is_known_tasks_go_one_by_one():
    assert lengths(backlog(*[4_000] * 10)) == [1] * 10


def test_ten_thousand_thumbnails_go_in_long_chunks_and_end_with_short_ones():
    found = lengths(backlog(*[4_000] * 10_000, task_seconds=0.0004))
    assert 60 < found[0] < LONGEST
    assert found[-1] <= 5
    assert sum(found) == 10_000


def test_chunks_shrink_only_when_little_is_left():
    assert lengths(backlog(*[4_000] * 330, complete=False, task_seconds=0.001)) == [33] * 10
    waiting = backlog(*[4_000] * 330, complete=False, task_seconds=0.001)
    waiting.beyond = Load(10, 40_000)
    assert lengths(waiting)[-1] < 10


def test_big_images_go_one_by_one():
    assert lengths(backlog(*[30_000_000] * 7, task_seconds=0.2)) == [1] * 7


def test_big_first_then_small():
    waiting = backlog(*[8_000_000] * 3, *[1_000] * 2000, task_seconds=0.1)
    learn(waiting, 1_000, 0.001)
    found = lengths(waiting)
    assert found[:3] == [1, 1, 1]
    assert max(found[3:]) > 8


def test_what_was_chosen_is_told_when_there_was_time_to_see_it():
    waiting = backlog(*[4_000] * 500)
    learn(waiting, 4_000, 0.0005, chunks=3)
    assert waiting.choice is None
    learn(waiting, 4_000, 0.0005, chunks=20)
    choice = waiting.choice
    assert choice.length > 30
    assert choice.task_seconds == pytest.approx(0.0005)
    assert 0.0003 < choice.dispatch_seconds < 0.0006
    learn(waiting, 4_000, 0.0006, chunks=20)
    assert waiting.choice is choice
    learn(waiting, 4_000, 0.05, chunks=50)
    assert waiting.choice.length == 1


def test_chunks_are_no_shorter_on_a_machine_that_has_other_things_to_do():
    quiet, busy = backlog(*[4_000] * 500), backlog(*[4_000] * 500)
    quiet.learn(Timing(10, 40_000, 0.01), 0.0003)
    busy.learn(Timing(10, 40_000, 0.05, queued_seconds=0.04), 0.0003)
    assert lengths(busy) == lengths(quiet)


def test_of_a_given_chunk_size_it_is_told_too():
    waiting = backlog(*[4_000] * 500, chunksize=7)
    learn(waiting, 4_000, 0.0005, chunks=20)
    assert waiting.choice.length == 7


def test_a_given_chunk_size():
    assert lengths(backlog(*[1] * 10, chunksize=4)) == [4, 4, 2]


def test_a_given_chunk_size_waits_for_as_many_tasks():
    waiting = backlog(*[1] * 10, chunksize=4, complete=False)
    assert lengths(waiting) == [4, 4]
    assert len(waiting) == 2
    waiting.add([(10, Task("in", "out", 1, 0))])
    assert not waiting.ready
    waiting.complete = True
    assert lengths(waiting) == [3]


def test_tasks_come_in_their_order():
    waiting = backlog(*range(100))
    found = []
    while waiting.ready:
        found += [index for index, _ in waiting.cut()]
    assert found == list(range(100))


def test_no_tasks_no_chunks():
    assert not backlog().ready
    assert not backlog(chunksize=3).ready


def test_a_task_that_does_not_fit_goes_alone():
    assert chunk_length([100, 1], budget=10) == 1
    assert chunk_length([1, 100], budget=10) == 1
    assert chunk_length([5, 5, 1], budget=10) == 2
    assert chunk_length([], budget=10) == 0


def test_the_first_cold_task_is_soon_forgotten():
    times = TaskTimes()
    times.learn(Load(1, 4_000), 0.3)
    for _ in range(5):
        times.learn(Load(10, 40_000), 0.01)
    assert times.seconds(Load(1, 4_000)) < 0.01


def test_one_that_takes_far_longer_hardly_counts():
    times = TaskTimes()
    for seconds in [0.01] * 20 + [30.0]:
        times.learn(Load(1, 4_000), seconds)
    assert times.seconds(Load(1, 4_000)) < 0.02


def test_another_kind_is_soon_believed():
    times = TaskTimes()
    for seconds in [0.001] * 50 + [0.1] * 30:
        times.learn(Load(1, 4_000), seconds)
    assert times.seconds(Load(1, 4_000)) > 0.05


def test_what_a_worker_waits_for_want_of_work_is_not_what_handing_over_costs():
    dispatch = Dispatch()
    for waited in [0.0002, 0.0002, 4.0, 0.0002, 0.0002]:
        dispatch = dispatch.learn(waited, 0.0003)
    assert dispatch.seconds < 0.0006


def test_with_many_workers_chunks_are_long_enough_for_the_host():
    dispatch = Dispatch(worker=0.0001, host=0.0003)
    few, many = (chunk_seconds(dispatch, float("inf"), workers) for workers in (2, 128))
    assert many >= 128 * dispatch.host > few
