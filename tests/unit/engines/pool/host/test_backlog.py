import pytest

from imgpool.core.task import Task
from imgpool.engines.pool.host.backlog import Backlog
from imgpool.engines.pool.protocol.messages import MAX_CHUNK_TASKS
from imgpool.engines.shared.timing import Timing
from imgpool.engines.shared.workload import Workload


def backlog(*sizes, workers=2, chunksize=None, complete=True, task_seconds=None):
    backlog = Backlog(workers, chunksize)
    backlog.add([(index, Task(f"in-{index}", f"out-{index}", size, 0)) for index, size in enumerate(sizes)])
    backlog.complete = complete
    if task_seconds:
        observe(backlog, sizes[0], task_seconds)
    return backlog


def observe(backlog, size, task_seconds, chunks=1):
    for _ in range(chunks):
        backlog.observe(Timing(10, 10 * size, 10 * task_seconds, idle_seconds=0.0002), 0.0003)


def lengths(backlog):
    found = []
    while backlog.ready:
        found.append(len(backlog.take_chunk()))
    return found


def test_chunks_have_one_task_while_nothing_is_known():
    assert lengths(backlog(*[4_000] * 10)) == [1] * 10


def test_small_tasks_go_in_long_chunks_and_end_with_short_ones():
    found = lengths(backlog(*[4_000] * 10_000, task_seconds=0.0004))
    assert 60 < found[0] < MAX_CHUNK_TASKS
    assert found[-1] <= 5
    assert sum(found) == 10_000


def test_chunks_shrink_only_when_little_is_left():
    assert lengths(backlog(*[4_000] * 330, complete=False, task_seconds=0.001)) == [33] * 10
    waiting = backlog(*[4_000] * 330, complete=False, task_seconds=0.001)
    waiting.upcoming = Workload(10, 40_000)
    assert lengths(waiting)[-1] < 10


def test_long_tasks_go_one_by_one():
    assert lengths(backlog(*[30_000_000] * 7, task_seconds=0.2)) == [1] * 7


def test_chunk_length_follows_the_size_of_the_tasks():
    waiting = backlog(*[8_000_000] * 3, *[1_000] * 2000, task_seconds=0.1)
    observe(waiting, 1_000, 0.001)
    found = lengths(waiting)
    assert found[:3] == [1, 1, 1]
    assert max(found[3:]) > 8


def test_policy_is_reported_after_enough_observations():
    waiting = backlog(*[4_000] * 500)
    observe(waiting, 4_000, 0.0005, chunks=3)
    assert waiting.policy is None
    observe(waiting, 4_000, 0.0005, chunks=20)
    policy = waiting.policy
    assert policy.length > 30
    assert policy.task_seconds == pytest.approx(0.0005)
    assert 0.0003 < policy.dispatch_seconds < 0.0006


def test_policy_changes_only_if_the_length_changes_much():
    waiting = backlog(*[4_000] * 500)
    observe(waiting, 4_000, 0.0005, chunks=23)
    policy = waiting.policy
    observe(waiting, 4_000, 0.0006, chunks=20)
    assert waiting.policy is policy
    observe(waiting, 4_000, 0.05, chunks=50)
    assert waiting.policy.length == 1


def test_policy_of_a_given_chunk_size_is_reported():
    waiting = backlog(*[4_000] * 500, chunksize=7)
    observe(waiting, 4_000, 0.0005, chunks=20)
    assert waiting.policy.length == 7


def test_time_without_a_processor_does_not_shorten_chunks():
    quiet, busy = backlog(*[4_000] * 500), backlog(*[4_000] * 500)
    quiet.observe(Timing(10, 40_000, 0.01), 0.0003)
    busy.observe(Timing(10, 40_000, 0.05, queued_seconds=0.04), 0.0003)
    assert lengths(busy) == lengths(quiet)


def test_given_chunk_size_is_kept():
    assert lengths(backlog(*[1] * 10, chunksize=4)) == [4, 4, 2]


def test_given_chunk_size_waits_for_enough_tasks():
    waiting = backlog(*[1] * 10, chunksize=4, complete=False)
    assert lengths(waiting) == [4, 4]
    assert len(waiting) == 2
    waiting.add([(10, Task("in", "out", 1, 0))])
    assert not waiting.ready
    waiting.complete = True
    assert lengths(waiting) == [3]


def test_tasks_keep_their_order():
    waiting = backlog(*range(100))
    found = []
    while waiting.ready:
        found += [index for index, _ in waiting.take_chunk()]
    assert found == list(range(100))


def test_empty_backlog_has_no_chunk():
    assert not backlog().ready
    assert not backlog(chunksize=3).ready
