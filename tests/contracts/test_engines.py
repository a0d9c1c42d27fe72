"""What holds for every engine in the catalogue."""

import dataclasses
from collections import Counter

import pytest

from imgpool.core.catalogue import ENGINES
from imgpool.core.errors import WorkerError
from tests.support import engine_tasks as tasks

METHODS = ["fork", "forkserver", "spawn"]


@pytest.fixture(params=list(ENGINES), ids=lambda engine: engine.name)
def engine(request):
    return request.param


def run(engine, *verbs, initializer=tasks.no_state, **options):
    return list(engine.run(tasks.tasks(*verbs), tasks.do, initializer, tasks.options(**options)))


def test_it_has_a_name_and_a_line_for_the_catalogue(engine):
    assert engine.name == engine.name.lower()
    assert engine.summary
    assert "\n" not in engine.summary


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("chunksize", [1, 7, None])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_every_task_is_answered_exactly_once(engine, workers, chunksize, method):
    verbs = [f"pass {number}" if number % 5 else f"raise {number}" for number in range(31)]
    results = run(engine, *verbs, workers=workers, chunksize=chunksize, start_method=method)
    assert Counter(result.task for result in results) == Counter(tasks.tasks(*verbs))
    for result in results:
        verb, number = result.task.source.split()
        assert (result.status, result.attempt) == ("done" if verb == "pass" else "failed", 1)
        assert number == (result.dtype if verb == "pass" else result.failure.message)
        assert result.pid > 0


def test_equal_tasks_are_answered_each(engine):
    todo = [tasks.tasks("pass")[0]] * 10
    assert len(list(engine.run(todo, tasks.do, tasks.no_state, tasks.options()))) == 10


def test_a_result_differs_from_the_reference_in_the_process_only(engine):
    verbs = ["pass a", "pass b", "raise c", "read-error d", "unpicklable e", "mute", "sys-exit", "no-such-verb"]
    reference = [_plain(result) for result in run(ENGINES["serial"], *verbs)]
    results = [_plain(result) for result in run(engine, *verbs)]
    assert sorted(results, key=repr) == sorted(reference, key=repr)


def test_no_tasks_no_results(engine):
    assert run(engine, initializer=tasks.refuse) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_initializer_is_a_worker_error(engine, workers):
    with pytest.raises(WorkerError) as caught:
        run(engine, *["pass"] * 50, initializer=tasks.refuse, workers=workers)
    assert (caught.value.message, caught.value.hint) == ("the model does not load", "download it again")
    assert "in refuse" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("initializer", "text"), [(tasks.refuse_plainly, "KeyError: 'weights'"), (tasks.quit_at_once, "SystemExit: 7")]
)
def test_a_failing_initializer_tells_the_class_of_a_plain_error(engine, initializer, text):
    with pytest.raises(WorkerError) as caught:
        run(engine, "pass", initializer=initializer)
    assert (caught.value.message, caught.value.hint) == (text, "")


def test_results_can_be_left_unread(engine):
    results = engine.run(tasks.tasks(*["pass"] * 100), tasks.do, tasks.no_state, tasks.options())
    next(results)
    results.close()
    assert list(results) == []


def _plain(result):
    failure = result.failure and dataclasses.replace(result.failure, traceback="")
    return dataclasses.replace(result, pid=0, failure=failure)
