import pickle
import sys

import pytest

from imgpool.core.engine import MemoryNeeded
from imgpool.core.errors import WorkerError
from imgpool.core.task import Result
from imgpool.engines.shared.results import call, load_state, pickle_results, run_task
from tests.support import engine_tasks as tasks


def test_result_names_the_process_that_made_it():
    [task] = tasks.tasks("pass a")
    result = call(tasks.do, None, task)
    assert (result.task, result.status, result.dtype) == (task, "done", "a")
    assert result.pid > 0


@pytest.mark.parametrize(
    ("verb", "error", "message", "hint"),
    [
        ("raise it broke", "ValueError", "it broke", ""),
        ("raise", "ValueError", "ValueError", ""),
        ("read-error it is truncated", "ReadError", "it is truncated", "copy it again"),
        ("unpicklable bad", "Unpicklable", "bad", ""),
        ("mute", "Mute", "Mute", ""),
        ("sys-exit", "SystemExit", "3", ""),
        ("interrupt", "KeyboardInterrupt", "KeyboardInterrupt", ""),
        ("no such verb", "KeyError", "'no'", ""),
    ],
)
def test_exception_becomes_a_failure_of_plain_strings(verb, error, message, hint):
    [task] = tasks.tasks(verb)
    [(_, result)] = pickle.loads(pickle_results([(0, call(tasks.do, None, task))]))
    assert (result.task, result.status) == (task, "failed")
    failure = result.failure
    assert (failure.stage, failure.error, failure.message, failure.hint) == ("worker", error, message, hint)
    assert "engine_tasks.py" in failure.traceback


def test_chosen_exceptions_are_raised_again():
    [task] = tasks.tasks("interrupt")
    with pytest.raises(KeyboardInterrupt):
        call(tasks.do, None, task, reraise=KeyboardInterrupt)


def test_function_that_returns_no_result_has_failed():
    [task] = tasks.tasks("pass")
    result = call(lambda _state, _task, _memory: 3, None, task)
    assert (result.failure.error, result.failure.message) == (
        "TypeError",
        "the worker function returned int, not a Result",
    )


def test_result_that_cannot_be_pickled_has_failed():
    [good, task] = tasks.tasks("pass", "pass")
    pickled = pickle_results([(7, Result(good, "done")), (8, Result(task, "done", dtype=lambda: None))])
    [(_, neighbour), (index, result)] = pickle.loads(pickled)
    assert neighbour == Result(good, "done")
    assert (index, result.task, result.status, result.failure.stage) == (8, task, "failed", "worker")


def test_run_task_passes_on_ctrl_c_and_requests_for_memory():
    [interrupt, large] = tasks.tasks("interrupt", "100")
    with pytest.raises(KeyboardInterrupt):
        run_task(tasks.do, None, interrupt)
    with pytest.raises(MemoryNeeded):
        run_task(tasks.need_memory, None, large, memory=50)


def test_request_for_memory_without_a_limit_is_a_failure():
    [task] = tasks.tasks("pass")
    assert run_task(tasks.never_enough, None, task).failure.error == "MemoryNeeded"


def test_initializer_that_exits_is_a_worker_error():
    with pytest.raises(WorkerError, match="SystemExit: 7"):
        load_state(lambda: sys.exit(7))
