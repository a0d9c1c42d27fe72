"""Where the time of the workers was spent."""

import random

import pytest

from imgpool.compare.timeline import WorkSpan, max_waiting, number_duplicates, stage_times, tail_seconds
from imgpool.core.engine import RunMetrics
from tests.support.comparisons import done


def simulate_run(workers, images, rng):
    """Results and spans of an invented run, and its duration."""
    free_at = {pid: rng.uniform(0.1, 0.5) for pid in range(workers)}
    results, spans = [], []
    for number in range(images):
        pid = min(free_at, key=free_at.get)
        times = {stage: rng.uniform(0.01, 1) for stage in ("read", "filter", "write")}
        steps = (times["filter"] * 0.25, times["filter"] * 0.5)
        began = free_at[pid] + rng.uniform(0, 0.2)
        free_at[pid] = began + sum(times.values())
        spans.append(WorkSpan(pid, began, free_at[pid]))
        results.append(done(str(number), seconds=times, step_seconds=steps))
    return results, spans, max(free_at.values()) + rng.uniform(0, 0.5)


@pytest.mark.parametrize("seed", range(5))
def test_stages_add_up_to_the_time_of_all_workers(seed):
    rng = random.Random(seed)
    workers = rng.randint(1, 4)
    results, spans, seconds = simulate_run(workers, rng.randint(1, 20), rng)
    metrics = RunMetrics(chunks=3, dispatch_seconds=0.01)
    steps = ["median", "gaussian"]
    stages = stage_times(results, spans, steps=steps, workers=workers, seconds=seconds, metrics=metrics)
    assert sum(each.seconds for each in stages) == pytest.approx(workers * seconds)
    assert all(each.seconds >= 0 for each in stages)
    names = ["start", "read", "median", "gaussian", "other", "write", "dispatch", "idle", "end"]
    assert [each.stage for each in stages] == names
    times = {each.stage: each.seconds for each in stages}
    assert times["gaussian"] == pytest.approx(2 * times["median"])
    assert times["other"] == pytest.approx(times["median"])
    assert times["read"] == pytest.approx(sum(each.seconds["read"] for each in results))
    assert times["dispatch"] <= 0.03


def test_run_without_results_consists_of_startup():
    stages = stage_times([], [], steps=[], workers=2, seconds=3.0, metrics=RunMetrics())
    assert {each.stage: each.seconds for each in stages if each.seconds} == {"start": 6.0}


def test_time_of_an_image_that_failed_in_a_filter_is_counted():
    results = [done(seconds={"read": 1.0, "filter": 0.5}, step_seconds=())]
    spans = [WorkSpan(1, 0.0, 1.5)]
    stages = stage_times(results, spans, steps=["median"], workers=1, seconds=1.5, metrics=RunMetrics())
    assert {each.stage: each.seconds for each in stages if each.seconds} == {"read": 1.0, "other": 0.5}


def test_repeated_filters_are_numbered():
    assert number_duplicates(["median", "median", "label", "median"]) == ["median", "median 2", "label", "median 3"]


def test_tail_is_the_time_with_a_single_busy_worker():
    assert tail_seconds([WorkSpan(1, 0, 2), WorkSpan(2, 0, 3), WorkSpan(1, 2, 7)]) == 4
    assert tail_seconds([WorkSpan(1, 0, 2), WorkSpan(1, 2, 9)]) == 0
    assert tail_seconds([]) == 0


def test_overlapping_intervals_are_counted():
    assert max_waiting([]) == 0
    assert max_waiting([(0, 10), (1, 10), (2, 10)]) == 3
    assert max_waiting([(0, 1), (1, 2), (2, 3)]) == 1
    assert max_waiting([(5, 5)]) == 0
