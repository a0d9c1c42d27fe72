import itertools
import os
import time
from functools import partial

import pytest

from imgpool.engines.pool import POOL
from imgpool.engines.pool.parent import engine as pool
from tests.support import engine_tasks as tasks

METHODS = ["fork", "forkserver", "spawn"]


def run(*verbs, initializer=tasks.no_state, **options):
    return list(POOL.run(tasks.tasks(*verbs), tasks.do, initializer, tasks.options(**options)))


@pytest.mark.parametrize("method", METHODS)
def test_each_worker_is_set_up_once(tmp_path, method):
    results = run(*["sleep 0.02"] * 30, initializer=partial(tasks.leave_mark, tmp_path), start_method=method)
    marks = [mark.name.split("-")[0] for mark in tmp_path.iterdir()]
    assert len(marks) == len(set(marks)) == 2
    assert {str(result.pid) for result in results} <= set(marks)
    assert str(os.getpid()) not in marks


def test_no_more_workers_than_tasks(tmp_path):
    run("pass", "pass", initializer=partial(tasks.leave_mark, tmp_path), workers=4)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("method", METHODS)
def test_every_library_uses_one_thread(method):
    results = run(*["threads"] * 2, start_method=method)
    assert {result.dtype for result in results} == {"1"}
    assert os.environ.get("OMP_NUM_THREADS") != "1"


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_modules_are_imported_before_the_workers_start(method):
    for module in ("colorsys", "stringprep"):  # the second finds a fork server that is running already
        [result] = run(f"modules {module}", preload=("no_such_module", module), start_method=method)
        assert result.dtype == "True"


def test_tasks_begin_in_their_order():
    results = run(*[f"pass {number}" for number in range(40)], workers=1)
    assert [int(result.dtype) for result in results] == list(range(40))


def test_a_slow_reader_holds_the_workers_up(tmp_path):
    todo = tasks.tasks(*["pass"] * 5000)
    run = POOL.run(todo, tasks.only_mark, partial(tasks.leave_mark, tmp_path), tasks.options(chunksize=10))
    next(run)
    begun = _settle(lambda: len(list(tmp_path.iterdir())))
    run.close()
    assert begun < 1500


def test_memory_beyond_the_limit_is_an_error_of_that_task():
    results = run("memory 1000", "memory 2000000000", "memory 2000", workers=1, memory=500_000_000)
    assert [result.status for result in results] == ["done", "failed", "done"]
    assert results[1].failure.error == "MemoryError"
    assert len({result.pid for result in results}) == 1


def test_a_function_that_cannot_be_pickled_is_told_before_a_process_starts():
    with pytest.raises((AttributeError, TypeError), match=r"lambda|local"):
        list(POOL.run(tasks.tasks("pass"), lambda _state, _task: None, tasks.no_state, tasks.options()))


def _settle(count):
    """Wait until a count stays the same for half a second; return it."""
    before = -1
    while (now := count()) != before:
        before = now
        time.sleep(0.5)
    return now


def test_any_number_of_tasks_is_taken_as_they_are_needed():
    taken = []

    def endless():
        for task in itertools.cycle(tasks.tasks("pass")):
            taken.append(task)
            yield task

    options = tasks.options(chunksize=1)
    results = POOL.run(endless(), tasks.do, tasks.no_state, options)
    answered = len(list(itertools.islice(results, 500)))
    results.close()
    assert len(taken) - answered <= pool._window(options, workers=2)


def test_an_error_of_whoever_makes_the_tasks_is_theirs():
    def broken():
        yield from tasks.tasks("pass")
        raise LookupError("no more files")

    with pytest.raises(LookupError, match="no more files"):
        list(POOL.run(broken(), tasks.do, tasks.no_state, tasks.options()))


def test_long_chunks_are_answered_while_they_run():
    answers = POOL.run(tasks.tasks(*["sleep 0.3"] * 5), tasks.do, tasks.no_state, tasks.options(workers=1, chunksize=5))
    next(answers)
    assert len(list(answers)) == 4
    results = run(*["sleep 0.15"] * 6, workers=2, chunksize=6)
    assert len({result.pid for result in results}) == 2  # what one had no time for, the other does


def memory(**options):
    """The memory that each task was allowed at last, by its source, in the order in which they were done."""
    results = POOL.run(tasks.tasks(*options.pop("needs")), tasks.need_memory, tasks.no_state, tasks.options(**options))
    return {result.task.source: result.dtype for result in results}


def test_a_task_that_needs_more_than_its_share_gets_it():
    assert memory(needs=["40", "60", "10", "50"], memory=100, workers=2) == {
        "40": "50", "60": "60", "10": "50", "50": "50",
    }  # fmt: skip


@pytest.mark.parametrize("need", ["101", "unknown"])
def test_a_task_that_needs_all_or_nobody_knows_what_runs_alone_at_the_end(need):
    allowed = memory(needs=[need, *map(str, range(1, 30))], memory=100, workers=2)
    assert allowed.pop(need) == "None"
    assert set(allowed.values()) == {"50"}


def test_without_a_limit_every_task_may_take_what_it_needs():
    assert memory(needs=["40", "unknown"]) == {"40": "None", "unknown": "None"}


def test_a_task_that_is_allowed_everything_cannot_ask_for_more():
    [result] = POOL.run(tasks.tasks("pass"), tasks.never_enough, tasks.no_state, tasks.options(memory=100))
    assert (result.status, result.failure.error) == ("failed", "MemoryNeeded")


def heard(*verbs, **options):
    """What a run tells of its metrics, and its results."""
    told = []
    return told, run(*verbs, on_metrics=told.append, **options)


def test_tasks_that_wait_get_more_workers_than_asked_for_at_first():
    told, results = heard(*["sleep 0.05"] * 200, max_workers=6, start_method="fork")
    assert len(results) == 200
    assert {(result.status, result.attempt) for result in results} == {("done", 1)}
    assert (told[0].workers, told[-1].workers) == (2, 6)
    assert "disk or network" in told[-1].reason
    assert told[-1].tasks == 200
    assert told[-1].blocked_seconds > 0.5 * told[-1].task_seconds > 4


def test_tasks_that_compute_do_not():
    told, _ = heard(*["spin 0.02"] * 80, max_workers=6)
    assert {metrics.workers for metrics in told} == {2}
    assert told[-1].reason.startswith("2 workers: one for each processor; ")
    assert told[-1].cpu_seconds > 1.5


def test_little_work_is_one_workers():
    told, results = heard(*["pass"] * 5, max_workers=2)
    assert len({result.pid for result in results}) == 1
    assert told[-1].reason.startswith("1 worker: starting more would take longer than the work")


def test_what_looked_like_little_work_gets_more_workers_when_it_is_not():
    told, results = heard(*["sleep 0.3"] * 18, max_workers=2, start_method="fork")
    assert len({result.pid for result in results}) > 1
    assert [result.attempt for result in results] == [1] * 18
    assert told[-1].workers == 2


def test_the_pace_of_a_run_is_told_at_its_end():
    told, _ = heard(*["spin 0.002"] * 40, chunksize=4)
    end = told[-1]
    assert (end.tasks, end.longest_chunk) == (40, 4)
    assert 10 <= end.chunks <= 40
    assert 0.07 < end.cpu_seconds <= end.task_seconds
    assert end.idle_seconds > 0
    assert end.setup_seconds > 0
    assert end.peak_memory > 1_000_000
    assert end.reason.startswith("2 workers: as set")


def test_memory_that_keeps_workers_idle_is_told():
    told = []
    options = tasks.options(memory=100, workers=4, max_workers=16, on_metrics=told.append)
    results = list(POOL.run(tasks.tasks(*["60"] * 60), tasks.need_memory_for_a_while, tasks.no_state, options))
    assert len(results) == 60
    assert told[-1].reason.endswith("there is memory for only 1 worker at once")
    assert {metrics.workers for metrics in told} == {4}
