import itertools
import os
import time
from functools import partial

import pytest

from imgpool.engines.pool import POOL
from imgpool.engines.pool.parent.run_pool import task_window
from tests.support import engine_tasks as tasks

METHODS = ["fork", "forkserver", "spawn"]


def run(*verbs, initializer=tasks.no_state, **options):
    return list(POOL.run(tasks.tasks(*verbs), tasks.do, initializer, tasks.options(**options)))


def run_with_metrics(*verbs, **options):
    """Return the metrics that a run reports, and its results."""
    reported = []
    return reported, run(*verbs, on_metrics=reported.append, **options)


def run_with_memory(*needs, **options):
    """Return the memory that each task was given in the end, by its source, in the order of completion."""
    results = POOL.run(tasks.tasks(*needs), tasks.need_memory, tasks.no_state, tasks.options(**options))
    return {result.task.source: result.dtype for result in results}


@pytest.mark.parametrize("method", METHODS)
def test_each_worker_is_set_up_once(tmp_path, method):
    results = run(*["sleep 0.02"] * 30, initializer=partial(tasks.leave_mark, tmp_path), start_method=method)
    marks = [mark.name.split("-")[0] for mark in tmp_path.iterdir()]
    assert len(marks) == len(set(marks)) == 2
    assert {str(result.pid) for result in results} <= set(marks)
    assert str(os.getpid()) not in marks


def test_there_are_no_more_workers_than_tasks(tmp_path):
    run("pass", "pass", initializer=partial(tasks.leave_mark, tmp_path), workers=4)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("method", METHODS)
def test_every_library_uses_one_thread(method):
    results = run(*["threads"] * 2, start_method=method)
    assert {result.dtype for result in results} == {"1"}
    assert os.environ.get("OMP_NUM_THREADS") != "1"


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_modules_are_imported_before_the_workers_start(method):
    for module in ("colorsys", "stringprep"):  # for the second, the fork server is running already
        [result] = run(f"modules {module}", preload=("no_such_module", module), start_method=method)
        assert result.dtype == "True"


def test_tasks_start_in_order():
    results = run(*[f"pass {number}" for number in range(40)], workers=1)
    assert [int(result.dtype) for result in results] == list(range(40))


def test_slow_reader_slows_the_workers_down(tmp_path):
    todo = tasks.tasks(*["pass"] * 5000)
    results = POOL.run(todo, tasks.only_mark, partial(tasks.leave_mark, tmp_path), tasks.options(chunksize=10))
    next(results)
    started = wait_until_constant(lambda: len(list(tmp_path.iterdir())))
    results.close()
    assert started < 1500


def wait_until_constant(count):
    """Wait until a count stays the same for half a second; return it."""
    before = -1
    while (now := count()) != before:
        before = now
        time.sleep(0.5)
    return now


def test_allocation_beyond_the_limit_fails_only_its_task():
    results = run("memory 1000", "memory 2000000000", "memory 2000", workers=1, memory=500_000_000)
    assert [result.status for result in results] == ["done", "failed", "done"]
    assert results[1].failure.error == "MemoryError"
    assert len({result.pid for result in results}) == 1


def test_function_that_cannot_be_pickled_is_refused_at_once():
    with pytest.raises((AttributeError, TypeError), match=r"lambda|local"):
        list(POOL.run(tasks.tasks("pass"), lambda _state, _task: None, tasks.no_state, tasks.options()))


def test_tasks_are_taken_as_they_are_needed():
    taken = []

    def endless():
        for task in itertools.cycle(tasks.tasks("pass")):
            taken.append(task)
            yield task

    options = tasks.options(chunksize=1)
    results = POOL.run(endless(), tasks.do, tasks.no_state, options)
    done = len(list(itertools.islice(results, 500)))
    results.close()
    assert len(taken) - done <= task_window(options, workers=2)


def test_error_of_the_task_iterator_is_raised():
    def broken():
        yield from tasks.tasks("pass")
        raise LookupError("no more files")

    with pytest.raises(LookupError, match="no more files"):
        list(POOL.run(broken(), tasks.do, tasks.no_state, tasks.options()))


def test_results_of_a_long_chunk_arrive_while_it_runs():
    results = POOL.run(tasks.tasks(*["sleep 0.3"] * 5), tasks.do, tasks.no_state, tasks.options(workers=1, chunksize=5))
    next(results)
    assert len(list(results)) == 4


def test_unstarted_tasks_of_a_long_chunk_go_to_another_worker():
    results = run(*["sleep 0.15"] * 6, workers=2, chunksize=6)
    assert len({result.pid for result in results}) == 2


def test_task_that_needs_more_than_its_share_gets_it():
    assert run_with_memory("40", "60", "10", "50", memory=100, workers=2) == {
        "40": "50", "60": "60", "10": "50", "50": "50",
    }  # fmt: skip


@pytest.mark.parametrize("need", ["101", "unknown"])
def test_task_beyond_the_budget_runs_alone_without_a_limit(need):
    memory = run_with_memory(need, *map(str, range(1, 30)), memory=100, workers=2)
    assert memory.pop(need) == "None"
    assert set(memory.values()) == {"50"}


def test_without_a_budget_no_task_is_limited():
    assert run_with_memory("40", "unknown") == {"40": "None", "unknown": "None"}


def test_task_without_a_limit_cannot_ask_for_more():
    [result] = POOL.run(tasks.tasks("pass"), tasks.never_enough, tasks.no_state, tasks.options(memory=100))
    assert (result.status, result.failure.error) == ("failed", "MemoryNeeded")


def test_waiting_tasks_get_more_workers():
    reported, results = run_with_metrics(*["sleep 0.05"] * 200, max_workers=6, start_method="fork")
    assert len(results) == 200
    assert {(result.status, result.attempt) for result in results} == {("done", 1)}
    assert (reported[0].workers, reported[-1].workers) == (2, 6)
    assert "disk or network" in reported[-1].reason
    assert reported[-1].tasks == 200
    assert reported[-1].blocked_seconds > 0.5 * reported[-1].task_seconds > 4


def test_computing_tasks_get_no_more_workers():
    reported, _ = run_with_metrics(*["spin 0.02"] * 80, max_workers=6)
    assert {metrics.workers for metrics in reported} == {2}
    assert reported[-1].reason.startswith("2 workers: one per processor; ")
    assert reported[-1].cpu_seconds > 1.5


def test_little_work_is_done_by_one_worker():
    reported, results = run_with_metrics(*["pass"] * 5, max_workers=2)
    assert len({result.pid for result in results}) == 1
    assert reported[-1].reason.startswith("1 worker: starting more would take longer than the work")


def test_underestimated_work_gets_more_workers():
    reported, results = run_with_metrics(*["sleep 0.3"] * 18, max_workers=2, start_method="fork")
    assert len({result.pid for result in results}) > 1
    assert [result.attempt for result in results] == [1] * 18
    assert reported[-1].workers == 2


def test_metrics_are_reported_at_the_end():
    reported, _ = run_with_metrics(*["spin 0.002"] * 40, chunksize=4)
    metrics = reported[-1]
    assert (metrics.tasks, metrics.longest_chunk) == (40, 4)
    assert 10 <= metrics.chunks <= 40
    assert 0.07 < metrics.cpu_seconds <= metrics.task_seconds
    assert metrics.idle_seconds > 0
    assert metrics.setup_seconds > 0
    assert metrics.peak_memory > 1_000_000
    assert metrics.reason.startswith("2 workers: as requested")


def test_metrics_say_that_memory_keeps_workers_idle():
    reported = []
    options = tasks.options(memory=100, workers=4, max_workers=16, on_metrics=reported.append)
    results = list(POOL.run(tasks.tasks(*["60"] * 60), tasks.need_memory_for_a_while, tasks.no_state, options))
    assert len(results) == 60
    assert reported[-1].reason.endswith("memory for only 1 worker at the same time")
    assert {metrics.workers for metrics in reported} == {4}
