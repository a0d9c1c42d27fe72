import pickle

import pytest

from imgpool.core.errors import ReadError, WorkerError
from imgpool.core.task import Result
from imgpool.engines._results import answer, pack
from imgpool.engines.pool.protocol.messages import SetupFailure
from tests.support import engine_tasks as tasks


def test_a_result_is_passed_on_with_the_process_that_made_it():
    [task] = tasks.tasks("pass a")
    result = answer(tasks.do, None, task)
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
def test_whatever_is_raised_becomes_a_failure_of_plain_strings(verb, error, message, hint):
    [task] = tasks.tasks(verb)
    [(_, result)] = pickle.loads(pack([(0, answer(tasks.do, None, task))]))
    assert (result.task, result.status) == (task, "failed")
    failure = result.failure
    assert (failure.stage, failure.error, failure.message, failure.hint) == ("worker", error, message, hint)
    assert "engine_tasks.py" in failure.traceback


def test_what_is_to_pass_passes():
    [task] = tasks.tasks("interrupt")
    with pytest.raises(KeyboardInterrupt):
        answer(tasks.do, None, task, passing=KeyboardInterrupt)


def test_a_function_that_returns_no_result_has_failed():
    [task] = tasks.tasks("pass")
    result = answer(lambda _state, _task, _memory: 3, None, task)
    assert (result.failure.error, result.failure.message) == (
        "TypeError",
        "the worker function returned int, not a Result",
    )


def test_a_result_that_cannot_be_pickled_has_failed():
    [good, task] = tasks.tasks("pass", "pass")
    packed = pack([(7, Result(good, "done")), (8, Result(task, "done", dtype=lambda: None))])
    [(_, neighbour), (index, result)] = pickle.loads(packed)
    assert neighbour == Result(good, "done")
    assert (index, result.task, result.status, result.failure.stage) == (8, task, "failed", "worker")


def test_a_setup_failure_is_raised_as_a_worker_error_with_the_traceback_in_its_notes():
    with pytest.raises(WorkerError) as caught:
        raise _failure(ReadError("the model does not load", "download it again")).as_error()
    assert (caught.value.message, caught.value.hint) == ("the model does not load", "download it again")
    assert "test_results.py" in caught.value.__notes__[0]


def test_of_an_error_not_meant_for_people_the_class_is_told():
    assert _failure(KeyError("weights")).message == "KeyError: 'weights'"


def _failure(error):
    try:
        raise error
    except type(error) as raised:
        return SetupFailure.of(raised)
