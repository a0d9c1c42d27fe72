import os
import time
from functools import partial

import engine_tasks as tasks
import pytest

from imgpool.core.errors import UsageError
from imgpool.engines.pool import POOL

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


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"chunksize": 0}])
def test_options_that_cannot_be(wrong):
    with pytest.raises(UsageError):
        run("pass", **wrong)


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
