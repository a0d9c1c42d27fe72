import pickle

import pytest

from imgpool.core.task import Result
from imgpool.engines.shared.results import call, pickle_results
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
