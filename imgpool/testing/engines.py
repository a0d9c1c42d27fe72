"""The contract of engines."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import pytest

from imgpool.core.catalogue import ENGINES
from imgpool.core.engine import Engine, EngineOptions, StartMethod
from imgpool.core.errors import WorkerError
from imgpool.core.task import Result
from imgpool.testing import engine_functions as functions

START_METHODS: tuple[StartMethod, ...] = ("fork", "forkserver", "spawn")


class EngineContract:
    """Contract of engines: each task has exactly one result, whatever the function does.

    Attributes
    ----------
    engines
        The engines to test. Set it in the subclass.
    start_methods
        The start methods to try. One is enough for an engine that does not start processes with
        `multiprocessing`.
    """

    engines: ClassVar[Iterable[Engine]] = ()
    start_methods: ClassVar[Iterable[StartMethod]] = START_METHODS

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test with every engine, and those that ask for it with every start method."""
        metafunc.parametrize("engine", [pytest.param(each, id=each.name) for each in self.engines])
        if "start_method" in metafunc.fixturenames:
            metafunc.parametrize("start_method", self.start_methods)

    def test_name_and_summary_fit_the_catalogue(self, engine: Engine) -> None:
        """A name in lower case, and a summary of one line."""
        assert engine.name == engine.name.lower()
        assert engine.summary
        assert "\n" not in engine.summary

    def test_engine_is_found_by_its_name(self, engine: Engine) -> None:
        """The catalogue finds it: it is installed, and its entry point has its name."""
        assert ENGINES[engine.name] is engine

    @pytest.mark.parametrize("chunksize", [1, 7, None])
    @pytest.mark.parametrize("workers", [1, 2, 4])
    def test_every_task_is_answered_exactly_once(
        self, engine: Engine, workers: int, chunksize: int | None, start_method: StartMethod
    ) -> None:
        """With any number of workers, chunk size and start method; a fifth of the tasks raise."""
        actions = [f"pass {number}" if number % 5 else f"raise {number}" for number in range(31)]
        options = EngineOptions(workers=workers, chunksize=chunksize, start_method=start_method)
        results = run(engine, actions, options)
        assert Counter(result.task for result in results) == Counter(functions.make_tasks(*actions))
        for result in results:
            action, number = result.task.source.split()
            assert (result.status, result.attempt) == ("done" if action == "pass" else "failed", 1)
            assert number == (result.failure.message if result.failure else result.dtype)
            assert result.pid > 0

    def test_equal_tasks_are_answered_each(self, engine: Engine) -> None:
        """Ten equal tasks have ten results."""
        assert len(run(engine, ["pass"] * 10)) == 10

    def test_results_are_those_of_the_serial_engine(self, engine: Engine) -> None:
        """They differ in the process and the traceback only, also for exceptions that cannot be pickled or printed."""
        actions = ["pass a", "pass b", "raise c", "read-error d", "unpicklable e", "mute", "sys-exit", "no-such-action"]
        expected = [_without_process(result) for result in run(ENGINES["serial"], actions)]
        results = [_without_process(result) for result in run(engine, actions)]
        assert sorted(results, key=repr) == sorted(expected, key=repr)

    def test_no_tasks_give_no_results(self, engine: Engine) -> None:
        """The initializer is not called either."""
        assert run(engine, [], initializer=functions.fail_to_load) == []

    def test_no_task_starts_once_the_run_should_stop(self, engine: Engine) -> None:
        """A run that should stop from the beginning has no results."""
        assert run(engine, ["pass"] * 10, EngineOptions(workers=2, should_stop=_always)) == []

    @pytest.mark.parametrize("workers", [1, 2])
    def test_failing_initializer_is_a_worker_error(self, engine: Engine, workers: int) -> None:
        """Message and hint are those of the error raised; its traceback is added as a note."""
        with pytest.raises(WorkerError) as caught:
            run(engine, ["pass"] * 50, EngineOptions(workers=workers), functions.fail_to_load)
        assert (caught.value.message, caught.value.hint) == ("the model does not load", "download it again")
        assert "in fail_to_load" in caught.value.__notes__[0], "the traceback is not among the notes"

    @pytest.mark.parametrize(
        ("initializer", "text", "name"),
        [(functions.raise_key_error, "'weights'", "KeyError"), (functions.exit_at_once, "7", "SystemExit")],
    )
    def test_other_errors_of_the_initializer_are_explained(
        self, engine: Engine, initializer: Callable[[], Any], text: str, name: str
    ) -> None:
        """For an error that is not of imgpool's own: its text in a sentence, its class only in the traceback."""
        with pytest.raises(WorkerError) as caught:
            run(engine, ["pass"], initializer=initializer)
        assert caught.value.message == f"a worker could not be set up: {text}"
        assert name in caught.value.__notes__[0], "the traceback is not among the notes"

    def test_closing_the_results_ends_the_run(self, engine: Engine) -> None:
        """Results need not be read to the end."""
        options = EngineOptions(workers=2)
        results = engine.run(functions.make_tasks(*["pass"] * 100), functions.perform, functions.load_nothing, options)
        next(results)
        results.close()
        assert list(results) == []


def run(
    engine: Engine,
    actions: Iterable[str],
    options: EngineOptions | None = None,
    initializer: Callable[[], Any] = functions.load_nothing,
) -> list[Result]:
    """Run `engine_functions.perform` over one task for each action, with two workers unless `options` are given."""
    tasks = functions.make_tasks(*actions)
    return list(engine.run(tasks, functions.perform, initializer, options or EngineOptions(workers=2)))


def _always() -> bool:
    return True


def _without_process(result: Result) -> Result:
    failure = result.failure and dataclasses.replace(result.failure, traceback="")
    return dataclasses.replace(result, pid=0, failure=failure)
