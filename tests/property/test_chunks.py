import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgpool.core.task import Task
from imgpool.engines.pool.host.backlog import Backlog
from imgpool.engines.pool.host.chunk_length import (
    LONGEST,
    LONGEST_SECONDS,
    OVERHEAD,
    SHARE,
    SHORTEST,
    Dispatch,
    Load,
    TaskTimes,
    chunk_length,
    chunk_seconds,
)
from imgpool.engines.pool.protocol.messages import Timing
from tests.support import pool_model

sizes = st.lists(st.integers(0, 50_000_000), max_size=300)
workers = st.integers(1, 128)
dispatches = st.builds(Dispatch, st.floats(5e-5, 5e-3), st.floats(5e-5, 5e-3))
durations = st.floats(1e-5, 10.0)


def chunks(sizes, workers, chunksize=None, task_seconds=None):
    """The chunks, each as the sizes of its tasks, where tasks are known to take so long, or not at all."""
    backlog = Backlog(workers, chunksize)
    backlog.add([(index, Task(str(index), "", size, 0)) for index, size in enumerate(sizes)])
    backlog.complete = True
    if task_seconds:
        backlog.learn(Timing(10, sum(sizes[:10]), 10 * task_seconds, waited=0.0002), 0.0003)
    found = []
    while backlog.ready:
        found.append([task.size for _, task in backlog.cut()])
    return found


@given(sizes, workers, st.none() | st.integers(1, 400), st.none() | durations)
def test_chunks_hold_every_task_once_in_order_and_are_never_empty(sizes, workers, chunksize, task_seconds):
    found = chunks(sizes, workers, chunksize, task_seconds)
    assert [size for chunk in found for size in chunk] == sizes
    assert all(found)


@given(sizes, workers)
def test_tasks_of_which_nothing_is_known_go_one_by_one(sizes, workers):
    assert chunks(sizes, workers) == [[size] for size in sizes]


@given(sizes, workers, st.integers(1, 400), st.none() | durations)
def test_a_given_chunk_size_holds_for_all_chunks_but_the_last(sizes, workers, chunksize, task_seconds):
    lengths = [len(chunk) for chunk in chunks(sizes, workers, chunksize, task_seconds)]
    assert set(lengths[:-1]) <= {chunksize}
    assert not lengths or 1 <= lengths[-1] <= chunksize


@given(st.integers(0, 2_000_000), st.integers(0, 2000), workers, durations)
def test_chunks_of_equal_tasks_never_grow(size, count, workers, task_seconds):
    lengths = [len(chunk) for chunk in chunks([size] * count, workers, None, task_seconds)]
    assert lengths == sorted(lengths, reverse=True)
    assert not lengths or lengths[0] <= LONGEST


@given(dispatches, st.floats(0, math.inf), workers)
def test_a_chunk_is_worth_handing_over_and_no_more_than_a_share_of_what_is_left(dispatch, left, workers):
    seconds = chunk_seconds(dispatch, left, workers)
    assert 0 < seconds <= LONGEST_SECONDS
    assert seconds <= max(left / (SHARE * workers), SHORTEST * dispatch.seconds)
    assert chunk_seconds(dispatch, left / 2, workers) <= seconds
    if left == math.inf:
        assert seconds == LONGEST_SECONDS or dispatch.seconds <= OVERHEAD * seconds * 1.001


@given(st.lists(durations, max_size=300), durations)
def test_a_chunk_fills_its_time_and_no_more(seconds, budget):
    length = chunk_length(seconds, budget)
    assert length == 0 if not seconds else 1 <= length <= LONGEST
    assert length <= 1 or sum(seconds[:length]) <= budget
    assert length in {len(seconds), LONGEST} or sum(seconds[: length + 1]) > budget


@given(st.floats(0, 1.0), st.floats(0, 1e-6), st.lists(st.integers(1, 10_000_000), min_size=5, unique=True))
def test_what_a_line_tells_is_learnt(start, slope, sizes):
    times = TaskTimes()
    for size in itertools.islice(itertools.cycle(sizes), 200):
        times.learn(Load(1, size), start + slope * size)
    for size in sizes[-5:]:
        assert times.seconds(Load(1, size)) == pytest.approx(
            start + slope * size, rel=0.2, abs=0.1 * slope * max(sizes)
        )


@given(st.lists(st.tuples(st.integers(1, LONGEST), st.integers(0, 10**9), st.floats(0, 1000))), st.integers(0, 10**9))
def test_whatever_is_learnt_tells_a_time(learnt, size):
    times = TaskTimes()
    for count, nbytes, seconds in learnt:
        times.learn(Load(count, nbytes), seconds)
    assert times.seconds(Load(1, size)) >= 0
    assert times.known == bool(learnt)


MIXES = {
    "three huge among small": lambda rng: (
        [(40_000_000, 3.0)] * 3 + [(80_000, rng.uniform(0.04, 0.06)) for _ in range(120)]
    ),
    "tiny": lambda rng: [(4_000, rng.uniform(0.0002, 0.0006)) for _ in range(10_000)],
    "photos": lambda rng: [(s := rng.randrange(2_000_000, 9_000_000), 0.02 + 1e-8 * s) for _ in range(400)],
    "all sizes": lambda rng: [(s := int(10 ** rng.uniform(3, 7.5)), 0.001 + 5e-8 * s) for _ in range(1500)],
    "size tells nothing": lambda rng: [(500_000, rng.expovariate(100)) for _ in range(2000)],
    "a kind ten times as slow": lambda _: [(9_000, 0.0005)] * 3000 + [(8_000, 0.005)] * 1000,
}


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("workers", [1, 2, 5, 16])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_tail_is_short_when_big_ones_go_first(mix, workers, seed):
    todo = sorted(MIXES[mix](random.Random(seed)), key=lambda task: -task[0])
    outcome = pool_model.run(todo, workers)
    assert sorted(itertools.chain(*outcome.chunks)) == list(range(len(todo)))
    seconds = [each for _, each in todo]
    assert outcome.makespan <= 1.08 * max(sum(seconds) / workers, *seconds)


@pytest.mark.parametrize("workers", [2, 16])
def test_tiny_tasks_go_in_long_chunks_and_big_ones_alone(workers):
    todo = [(8_000_000, 0.1)] * (3 * workers) + [(4_000, 0.0003)] * 20_000
    chunks = pool_model.run(todo, workers).chunks
    assert all(len(chunk) == 1 for chunk in chunks if chunk[0] < 3 * workers)
    assert len(chunks) < 20_000 / 50 + 10 * workers
    assert len(chunks[-1]) < 20
