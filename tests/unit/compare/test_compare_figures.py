"""What is read out of measurements: shares of time, differences, what bounds a run, what to choose."""

import os
import random
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from imgpool.batch.sampling import spread_evenly
from imgpool.compare.bare_pool import PoolMethod
from imgpool.compare.bottleneck import RunProfile, advise, find_bottleneck, seconds_for_all
from imgpool.compare.differences import differences
from imgpool.compare.measurer import EngineSetup, Measurement
from imgpool.compare.sample import chunk_lengths, read_once, settle, worker_counts
from imgpool.compare.timeline import StageTime, WorkSpan, alone_at_the_end, most_waiting, numbered, stage_times
from imgpool.core.engine import RunMetrics
from imgpool.core.task import Failure, Result, Task
from imgpool.system.memory import MemoryMonitor, total_memory

BUSY = RunProfile(
    workers=2, cores=2, seconds=10.0, start=0.4, alone=0.2, idle=0.5, dispatch=0.1, cpu_share=0.97, blocked_share=0.01
)


def task(name, size=10):
    return Task(name, f"out/{name}", size, 0)


def done(name="a", sha256="00", **changes):
    return replace(Result(task(name), "done", sha256=sha256), **changes)


def failed(name="a", stage="read", error="ReadError"):
    return Result(task(name), "failed", Failure(stage, error, "no good"))


def measurement(setup, seconds, start=0.0):
    stages = (StageTime("start", start * setup.workers),)
    return Measurement(setup, seconds, 0.1, {"a": done()}, stages, 0.0, 1, None, None, 0, 0, RunMetrics())


def by_workers(*seconds):
    setups = [EngineSetup("serial"), EngineSetup("pool", 1), EngineSetup("pool", 2), EngineSetup("pool", 4)]
    return [measurement(setup, each) for setup, each in zip(setups, seconds, strict=False)]


def by_chunksize(workers, seconds):
    return [measurement(EngineSetup("pool", workers, length), each) for length, each in seconds.items()]


@pytest.mark.parametrize(
    ("changes", "by", "word"),
    [
        ({}, "cpu", "compute for 97% of that"),
        ({"crowding": 1.6}, "cpu", "1.6 × as long as serially"),
        ({"cpu_share": 0.6}, "cpu", "for 39% they wait for a processor: other programs use them too"),
        ({"cpu_share": 0.5, "cores": 1}, "cpu", "for 49% they wait for a processor: there are only 1"),
        ({"cpu_share": None, "blocked_share": None}, "cpu", "busy with images for 93% of the time"),
        ({"cpu_share": 0.3, "blocked_share": 0.6}, "disk", "60% of an image's time"),
        ({"reading": 25.0}, "disk", "25.0 s when they were not in memory"),
        ({"peak": 800_000_000, "memory": 1_000_000_000, "idle": 6.0}, "memory", "2 workers of 800 MB"),
        ({"alone": 2.5}, "tail", "25% of the time only one worker"),
        ({"start": 2.0}, "start", "20% of the time passes before the first image"),
        ({"dispatch": 4.0}, "dispatch", "20% of the time goes into handing images over"),
    ],
)
def test_what_bounds_a_run(changes, by, word):
    found = find_bottleneck(replace(BUSY, **changes))
    assert found.by == by
    assert word in found.why


def test_little_memory_that_keeps_nobody_waiting_bounds_nothing():
    assert find_bottleneck(replace(BUSY, peak=800_000_000, memory=1_000_000_000)).by == "cpu"


def test_what_hides_all_else_is_told_first():
    everything = {"start": 5.0, "alone": 5.0, "blocked_share": 0.9, "dispatch": 9.0}
    assert find_bottleneck(replace(BUSY, **everything)).by == "start"


def test_the_fewest_workers_that_are_nearly_the_fastest_are_chosen():
    workers = by_workers(10.0, 10.2, 5.1, 5.0)
    advice = advise(workers, by_chunksize(4, {1: 5.0, None: 5.0}), times=10)
    assert advice.setup == EngineSetup("pool", 2)
    assert advice.seconds == pytest.approx(51)
    assert "1.96 × as fast as serially" in advice.why
    assert "4 workers save less than 5%" in advice.why


def test_a_pool_that_saves_nothing_is_not_chosen():
    advice = advise(by_workers(1.0, 1.3, 1.1), by_chunksize(2, {1: 1.0, None: 1.1}), times=1)
    assert advice.setup == EngineSetup("serial")


def test_what_starting_takes_is_counted_once():
    workers = [measurement(EngineSetup("serial"), 1.0), measurement(EngineSetup("pool", 2), 1.2, start=0.7)]
    assert seconds_for_all(workers[1], 100) == pytest.approx(50.7)
    assert advise(workers, [workers[1]], 1).setup.engine == "serial"
    assert advise(workers, [workers[1]], 100).setup == EngineSetup("pool", 2)


def test_a_chunk_size_is_chosen_where_it_is_worth_it():
    workers = by_workers(10.0, 10.2, 5.2)
    worth = advise(workers, by_chunksize(2, {1: 8.0, 16: 4.0, None: 5.2}), times=1)
    assert worth.setup == EngineSetup("pool", 2, 16)
    assert "chunks of 16 save 23%" in worth.why
    hardly = advise(workers, by_chunksize(2, {1: 8.0, 16: 5.1, None: 5.2}), times=1)
    assert hardly.setup == EngineSetup("pool", 2)


@pytest.mark.parametrize(
    ("result", "how"),
    [
        (done(), ""),
        (done(sha256="ff"), "other bytes"),
        (failed(), "failed: read · ReadError; serially it was done"),
        (None, "no answer"),
    ],
)
def test_an_image_that_is_done_has_the_same_bytes_everywhere(result, how):
    where = EngineSetup("pool", 2, 4)
    found = differences({"a": done()}, [(where, {"a": result} if result else {})])
    assert [each.how for each in found] == [how] * bool(how)
    assert all((each.source, each.where) == ("a", where) for each in found)


def test_an_image_that_fails_does_so_alike_everywhere():
    assert differences({"a": failed()}, [(PoolMethod("map"), {"a": failed()})]) == []
    (other,) = differences({"a": failed()}, [(PoolMethod("map"), {"a": failed(error="MemoryError")})])
    assert other.how == "failed: read · MemoryError; serially read · ReadError"
    (better,) = differences({"a": failed()}, [(PoolMethod("map"), {"a": done()})])
    assert better.how == "done; serially it failed: read · ReadError"


def test_a_difference_that_comes_again_is_told_once():
    again = (EngineSetup("pool", 2), {"a": done(sha256="ff"), "b": done("b", "ff")})
    found = differences({"b": done("b"), "a": done()}, [again, again])
    assert [each.source for each in found] == ["a", "b"]


def run_of(workers, images, chance):
    """Results and spans of a made-up run, and how long it was."""
    free = {pid: chance.uniform(0.1, 0.5) for pid in range(workers)}
    results, spans = [], []
    for number in range(images):
        pid = min(free, key=free.get)
        times = {stage: chance.uniform(0.01, 1) for stage in ("read", "filter", "write")}
        steps = (times["filter"] * 0.25, times["filter"] * 0.5)
        began = free[pid] + chance.uniform(0, 0.2)
        free[pid] = began + sum(times.values())
        spans.append(WorkSpan(pid, began, free[pid]))
        results.append(done(str(number), seconds=times, step_seconds=steps))
    return results, spans, max(free.values()) + chance.uniform(0, 0.5)


@pytest.mark.parametrize("seed", range(5))
def test_stages_share_out_the_time_of_all_workers(seed):
    chance = random.Random(seed)
    workers = chance.randint(1, 4)
    results, spans, seconds = run_of(workers, chance.randint(1, 20), chance)
    metrics = RunMetrics(chunks=3, dispatch_seconds=0.01)
    stages = stage_times(results, spans, ["median", "gaussian"], workers, seconds, metrics)
    assert sum(each.seconds for each in stages) == pytest.approx(workers * seconds)
    assert all(each.seconds >= 0 for each in stages)
    names = ["start", "read", "median", "gaussian", "other", "write", "dispatch", "idle", "end"]
    assert [each.stage for each in stages] == names
    of = {each.stage: each.seconds for each in stages}
    assert of["gaussian"] == pytest.approx(2 * of["median"])
    assert of["other"] == pytest.approx(of["median"])
    assert of["read"] == pytest.approx(sum(each.seconds["read"] for each in results))
    assert of["dispatch"] <= 0.03


def test_a_run_without_a_result_is_all_start():
    stages = stage_times([], [], [], 2, 3.0, RunMetrics())
    assert {each.stage: each.seconds for each in stages if each.seconds} == {"start": 6.0}


def test_steps_that_failed_before_their_end_count_as_far_as_they_came():
    results = [done(seconds={"read": 1.0, "filter": 0.5}, step_seconds=())]
    stages = stage_times(results, [WorkSpan(1, 0.0, 1.5)], ["median"], 1, 1.5, RunMetrics())
    assert {each.stage: each.seconds for each in stages if each.seconds} == {"read": 1.0, "other": 0.5}


def test_filters_that_come_again_are_told_apart():
    assert numbered(["median", "median", "label", "median"]) == ["median", "median 2", "label", "median 3"]


def test_how_long_the_last_worker_is_alone():
    assert alone_at_the_end([WorkSpan(1, 0, 2), WorkSpan(2, 0, 3), WorkSpan(1, 2, 7)]) == 4
    assert alone_at_the_end([WorkSpan(1, 0, 2), WorkSpan(1, 2, 9)]) == 0
    assert alone_at_the_end([]) == 0


def test_how_many_wait_at_most():
    assert most_waiting([]) == 0
    assert most_waiting([(0, 10), (1, 10), (2, 10)]) == 3
    assert most_waiting([(0, 1), (1, 2), (2, 3)]) == 1
    assert most_waiting([(5, 5)]) == 0


@pytest.mark.parametrize(
    ("most", "cores", "counts"),
    [(1, 1, [1]), (2, 2, [1, 2]), (6, 6, [1, 2, 4, 6]), (8, 6, [1, 2, 4, 6, 8]), (1, 8, [1]), (3, 8, [1, 2, 3])],
)
def test_worker_counts(most, cores, counts):
    assert worker_counts(most, cores) == counts


def test_every_worker_gets_a_chunk():
    assert chunk_lengths(1, 2) == [1]
    assert chunk_lengths(8, 2) == [1, 4]
    assert chunk_lengths(1000, 2) == [1, 4, 16, 64]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 99, 100, 500])
def test_a_sample_goes_evenly_from_the_smallest_to_the_biggest(count):
    tasks = [task(str(size), size) for size in range(100)]
    sample = spread_evenly(tasks, count)
    sizes = [each.size for each in sample]
    assert len(set(sizes)) == min(count, 100)
    assert sizes[-1] == 99
    assert sizes[0] == (0 if count > 1 else 99)
    assert sizes == sorted(sizes)


def test_files_that_cannot_be_read_are_left_to_their_runs(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 10)
    assert read_once([task(str(tmp_path / "a")), task(str(tmp_path / "absent")), task(str(tmp_path))]) > 0


def test_memory_that_processes_share_counts_once():
    held = [SimpleNamespace(rss=100, shared=40), SimpleNamespace(rss=80, shared=30)]
    assert total_memory(held) == 60 + 50 + 40
    assert total_memory([SimpleNamespace(rss=100), SimpleNamespace(rss=80)]) == 180
    assert total_memory([]) == 0


def test_memory_is_seen_while_it_is_held():
    with MemoryMonitor() as watch:
        watch.watch(os.getpid())
        watch.watch(2**22 + 1)  # no system has it
        end = time.monotonic() + 10
        while not watch.peak and time.monotonic() < end:
            time.sleep(0.01)
    assert watch.peak == watch.total_peak > 10_000_000


def test_settling_a_folder_that_is_gone_is_nothing_bad(tmp_path):
    settle(str(tmp_path))
    settle(str(tmp_path / "absent"))
