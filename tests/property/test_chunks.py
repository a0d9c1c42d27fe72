"""Chunks hold every task once, last about as long as planned, and let all workers finish together."""

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgpool.core.task import Task
from imgpool.engines.pool.host.backlog import Backlog
from imgpool.engines.pool.host.chunk_length import (
    MAX_CHUNK_SECONDS,
    MAX_DISPATCH_SHARE,
    MIN_CHUNK_DISPATCHES,
    MIN_CHUNKS_LEFT_PER_WORKER,
    DispatchCost,
    chunk_length,
    chunk_seconds,
)
from imgpool.engines.pool.protocol.messages import MAX_CHUNK_TASKS
from imgpool.engines.shared.timing import Timing
from imgpool.engines.shared.workload import TaskTimes, Workload
from tests.support import pool_model

sizes = st.lists(st.integers(0, 50_000_000), max_size=300)
workers = st.integers(1, 128)
dispatches = st.builds(DispatchCost, st.floats(5e-5, 5e-3), st.floats(5e-5, 5e-3))
durations = st.floats(1e-5, 10.0)


def chunks(sizes, workers, chunksize=None, task_seconds=None):
    """Return the chunks, each as the sizes of its tasks; the duration of a task is known or not."""
    backlog = Backlog(workers, chunksize)
    backlog.add([(index, Task(str(index), "", size, 0)) for index, size in enumerate(sizes)])
    backlog.complete = True
    if task_seconds:
        backlog.observe(Timing(10, sum(sizes[:10]), 10 * task_seconds, idle_seconds=0.0002), 0.0003)
    found = []
    while backlog.ready:
        found.append([task.size for _, task in backlog.take_chunk()])
    return found


@given(sizes, workers, st.none() | st.integers(1, 400), st.none() | durations)
def test_chunks_contain_every_task_once_in_order(sizes, workers, chunksize, task_seconds):
    found = chunks(sizes, workers, chunksize, task_seconds)
    assert [size for chunk in found for size in chunk] == sizes
    assert all(found)


@given(sizes, workers)
def test_chunks_have_one_task_while_nothing_is_known(sizes, workers):
    assert chunks(sizes, workers) == [[size] for size in sizes]


@given(sizes, workers, st.integers(1, 400), st.none() | durations)
def test_given_chunk_size_holds_for_all_chunks_but_the_last(sizes, workers, chunksize, task_seconds):
    lengths = [len(chunk) for chunk in chunks(sizes, workers, chunksize, task_seconds)]
    assert set(lengths[:-1]) <= {chunksize}
    assert not lengths or 1 <= lengths[-1] <= chunksize


@given(st.integers(0, 2_000_000), st.integers(0, 2000), workers, durations)
def test_chunks_of_equal_tasks_never_grow(size, count, workers, task_seconds):
    lengths = [len(chunk) for chunk in chunks([size] * count, workers, None, task_seconds)]
    assert lengths == sorted(lengths, reverse=True)
    assert not lengths or lengths[0] <= MAX_CHUNK_TASKS


@given(dispatches, st.floats(0, math.inf), workers)
def test_chunk_duration_stays_within_its_limits(dispatch, left, workers):
    seconds = chunk_seconds(dispatch, left, workers)
    assert 0 < seconds <= MAX_CHUNK_SECONDS
    assert seconds <= max(left / (MIN_CHUNKS_LEFT_PER_WORKER * workers), MIN_CHUNK_DISPATCHES * dispatch.seconds)
    assert chunk_seconds(dispatch, left / 2, workers) <= seconds
    if left == math.inf:
        assert seconds == MAX_CHUNK_SECONDS or dispatch.seconds <= MAX_DISPATCH_SHARE * seconds * 1.001


@given(st.lists(durations, max_size=300), durations)
def test_chunk_fills_its_duration_and_no_more(seconds, budget):
    length = chunk_length(seconds, budget)
    assert length == 0 if not seconds else 1 <= length <= MAX_CHUNK_TASKS
    assert length <= 1 or sum(seconds[:length]) <= budget
    assert length in {len(seconds), MAX_CHUNK_TASKS} or sum(seconds[: length + 1]) > budget


@given(st.floats(0, 1.0), st.floats(0, 1e-6), st.lists(st.integers(1, 10_000_000), min_size=5, unique=True))
def test_linear_task_times_are_learned(start, slope, sizes):
    times = TaskTimes()
    for size in itertools.islice(itertools.cycle(sizes), 200):
        times.observe(Workload(1, size), start + slope * size)
    for size in sizes[-5:]:
        assert times.estimate(Workload(1, size)) == pytest.approx(
            start + slope * size, rel=0.2, abs=0.1 * slope * max(sizes)
        )


@given(
    st.lists(st.tuples(st.integers(1, MAX_CHUNK_TASKS), st.integers(0, 10**9), st.floats(0, 1000))),
    st.integers(0, 10**9),
)
def test_estimate_is_never_negative(observed, size):
    times = TaskTimes()
    for count, nbytes, seconds in observed:
        times.observe(Workload(count, nbytes), seconds)
    assert times.estimate(Workload(1, size)) >= 0
    assert times.known == bool(observed)


MIXES = {
    "three huge among small": lambda rng: (
        [(40_000_000, 3.0)] * 3 + [(80_000, rng.uniform(0.04, 0.06)) for _ in range(120)]
    ),
    "tiny": lambda rng: [(4_000, rng.uniform(0.0002, 0.0006)) for _ in range(10_000)],
    "photos": lambda rng: [(s := rng.randrange(2_000_000, 9_000_000), 0.02 + 1e-8 * s) for _ in range(400)],
    "all sizes": lambda rng: [(s := int(10 ** rng.uniform(3, 7.5)), 0.001 + 5e-8 * s) for _ in range(1500)],
    "duration independent of size": lambda rng: [(500_000, rng.expovariate(100)) for _ in range(2000)],
    "second kind ten times as slow": lambda _: [(9_000, 0.0005)] * 3000 + [(8_000, 0.005)] * 1000,
}


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("workers", [1, 2, 5, 16])
@pytest.mark.parametrize("seed", [1, 2])
def test_workers_finish_together_when_large_tasks_go_first(mix, workers, seed):
    tasks = sorted(MIXES[mix](random.Random(seed)), key=lambda task: -task[0])
    outcome = pool_model.run(tasks, workers)
    assert sorted(itertools.chain(*outcome.chunks)) == list(range(len(tasks)))
    seconds = [each for _, each in tasks]
    assert outcome.makespan <= 1.08 * max(sum(seconds) / workers, *seconds)


@pytest.mark.parametrize("workers", [2, 16])
def test_tiny_tasks_go_in_long_chunks_and_large_ones_alone(workers):
    tasks = [(8_000_000, 0.1)] * (3 * workers) + [(4_000, 0.0003)] * 20_000
    chunks = pool_model.run(tasks, workers).chunks
    assert all(len(chunk) == 1 for chunk in chunks if chunk[0] < 3 * workers)
    assert len(chunks) < 20_000 / 50 + 10 * workers
    assert len(chunks[-1]) < 20
