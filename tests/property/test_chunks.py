from hypothesis import given
from hypothesis import strategies as st

from imgpool.core.task import Task
from imgpool.engines._chunks import CHUNK_COST, LONGEST, SHARE, TASK_COST, Backlog

sizes = st.lists(st.integers(0, 50_000_000), max_size=300)
workers = st.integers(1, 64)


def chunks(sizes, workers, chunksize=None):
    """The chunks, each as the sizes of its tasks."""
    backlog = Backlog(workers, chunksize)
    backlog.add((index, Task(str(index), "", size, 0)) for index, size in enumerate(sizes))
    backlog.complete = True
    found = []
    while backlog.ready:
        found.append([task.size for _, task in backlog.cut()])
    return found


def cost(chunk):
    return sum(chunk) + TASK_COST * len(chunk)


@given(sizes, workers, st.none() | st.integers(1, 400))
def test_chunks_hold_every_task_once_in_order_and_are_never_empty(sizes, workers, chunksize):
    found = chunks(sizes, workers, chunksize)
    assert [size for chunk in found for size in chunk] == sizes
    assert all(found)


@given(sizes, workers)
def test_a_chunk_is_as_long_as_its_share_allows_and_no_longer(sizes, workers):
    left = cost(sizes)
    rest = list(sizes)
    for chunk in chunks(sizes, workers):
        budget = min(CHUNK_COST, left / (SHARE * workers))
        rest = rest[len(chunk) :]
        left -= cost(chunk)
        assert len(chunk) == 1 or cost(chunk) <= budget
        assert not rest or cost([*chunk, rest[0]]) > budget


@given(st.integers(0, 2_000_000), st.integers(0, 500), workers)
def test_chunks_of_equal_tasks_never_grow(size, count, workers):
    lengths = [len(chunk) for chunk in chunks([size] * count, workers)]
    assert lengths == sorted(lengths, reverse=True)
    assert not lengths or lengths[0] <= LONGEST


@given(sizes, workers)
def test_a_big_task_is_alone(sizes, workers):
    for chunk in chunks(sizes, workers):
        assert len(chunk) == 1 or max(chunk) < CHUNK_COST


@given(sizes, workers, st.integers(1, 400))
def test_a_given_chunk_size_holds_for_all_chunks_but_the_last(sizes, workers, chunksize):
    lengths = [len(chunk) for chunk in chunks(sizes, workers, chunksize)]
    assert set(lengths[:-1]) <= {chunksize}
    assert not lengths or 1 <= lengths[-1] <= chunksize
