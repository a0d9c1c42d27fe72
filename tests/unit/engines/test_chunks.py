from imgpool.core.task import Task
from imgpool.engines._chunks import Backlog, chunk_length


def backlog(*sizes, workers=2, chunksize=None, complete=True):
    backlog = Backlog(workers, chunksize)
    backlog.add((index, Task(f"in-{index}", f"out-{index}", size, 0)) for index, size in enumerate(sizes))
    backlog.complete = complete
    return backlog


def lengths(backlog):
    found = []
    while backlog.ready:
        found.append(len(backlog.cut()))
    return found


def test_ten_thousand_thumbnails_begin_with_long_chunks_and_end_with_single_ones():
    found = lengths(backlog(*[4_000] * 10_000))
    assert found[0] == 25
    assert found[-1] == 1
    assert sum(found) == 10_000


def test_chunks_shrink_only_when_all_tasks_are_known():
    assert set(lengths(backlog(*[4_000] * 100, complete=False))) == {25}


def test_big_images_go_one_by_one():
    assert lengths(backlog(*[30_000_000] * 7)) == [1] * 7


def test_big_first_then_small():
    found = lengths(backlog(*[8_000_000] * 3, *[1_000] * 200))
    assert found[:3] == [1, 1, 1]
    assert max(found[3:]) > 8


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
