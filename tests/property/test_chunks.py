from hypothesis import given
from hypothesis import strategies as st

from imgpool.engines._chunks import CHUNK_COST, SHARE, TASK_COST, chunk_lengths, cut

sizes = st.lists(st.integers(0, 50_000_000), max_size=300)
workers = st.integers(1, 64)


@given(sizes, workers)
def test_chunks_hold_every_task_once_and_are_never_empty(sizes, workers):
    lengths = list(chunk_lengths(sizes, workers))
    assert sum(lengths) == len(sizes)
    assert all(length >= 1 for length in lengths)


@given(sizes, workers)
def test_no_chunk_costs_more_than_its_share_unless_it_is_a_single_task(sizes, workers):
    for left, chunk in _with_what_is_left(sizes, workers):
        cost = sum(chunk) + TASK_COST * len(chunk)
        assert len(chunk) == 1 or cost <= min(CHUNK_COST, left / (SHARE * workers))


@given(sizes, workers)
def test_no_chunk_could_hold_the_next_task_as_well(sizes, workers):
    rest = list(sizes)
    for left, chunk in _with_what_is_left(sizes, workers):
        rest = rest[len(chunk) :]
        if rest:
            cost = sum(chunk) + TASK_COST * len(chunk)
            assert cost + rest[0] + TASK_COST > min(CHUNK_COST, left / (SHARE * workers))


@given(st.integers(0, 2_000_000), st.integers(0, 500), workers)
def test_chunks_of_equal_tasks_never_grow(size, count, workers):
    lengths = list(chunk_lengths([size] * count, workers))
    assert lengths == sorted(lengths, reverse=True)


@given(sizes, workers)
def test_a_big_task_is_alone(sizes, workers):
    for _, chunk in _with_what_is_left(sizes, workers):
        assert len(chunk) == 1 or max(chunk) < CHUNK_COST


@given(sizes, workers, st.integers(1, 400))
def test_a_given_chunk_size_holds_for_all_chunks_but_the_last(sizes, workers, chunksize):
    lengths = list(chunk_lengths(sizes, workers, chunksize))
    assert sum(lengths) == len(sizes)
    assert set(lengths[:-1]) <= {chunksize}
    assert not lengths or 1 <= lengths[-1] <= chunksize


@given(sizes, workers)
def test_cutting_keeps_items_and_order(sizes, workers):
    chunks = cut(sizes, chunk_lengths(sizes, workers))
    assert [item for chunk in chunks for item in chunk] == sizes


def _with_what_is_left(sizes, workers):
    left = sum(sizes) + TASK_COST * len(sizes)
    for chunk in cut(sizes, chunk_lengths(sizes, workers)):
        yield left, chunk
        left -= sum(chunk) + TASK_COST * len(chunk)
