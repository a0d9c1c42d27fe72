"""Heavy steps are loaded once in a separate process before any image is touched."""

import os
import threading
from dataclasses import replace

import psutil
import pytest

from imgpool.batch.preflight import Preflight, limit_workers, run_preflight
from imgpool.compare.comparison import ComparisonRunner
from imgpool.core.engine import EngineOptions
from imgpool.core.errors import WorkerError
from imgpool.core.recipe import Recipe
from imgpool.report.step_loads import loads_json
from imgpool.system.resources import MIN_TASK_MEMORY
from imgpool.work.loading import StepLoad
from tests.support.hashes import content_hash
from tests.support.heavy_filter import installed, processes
from tests.support.small_runs import runner_for, statuses

MEGABYTE = 1_000_000
OPTIONS = EngineOptions(start_method="spawn", timeout=60.0)

REFUSALS = {
    "refuse": ("the step heavy does not load: the weights are damaged", "download them again"),
    "raise": (
        "the step heavy does not load: an unexpected error occurred ('weights')",
        "run it with `verbose` to see the traceback",
    ),
    "missing": ("the step heavy does not load: weights.bin: no such file or directory", ""),
    "no memory": ("the step heavy does not load: it needs more memory than is available", "end other programs"),
    "exit": (
        "the step heavy does not load: an unexpected error occurred (9)",
        "run it with `verbose` to see the traceback",
    ),
    "crash": (
        "the step heavy does not load: its process ended with SIGSEGV",
        "the file that is loaded, or the library",
    ),
    "kill": ("the step heavy does not load: its process ended with SIGKILL", "the system may have run out of memory"),
}


@pytest.fixture(autouse=True)
def _heavy_filter(monkeypatch):
    with installed(monkeypatch):
        yield


def recipe(*specs):
    return Recipe.from_specs(specs)


def test_time_and_memory_are_measured_in_a_process_that_ends(tmp_path):
    result = run_preflight(recipe("gaussian", "heavy:megabytes=50", f"heavy:notes={tmp_path}"), OPTIONS)
    assert [load.step for load in result.loads] == [1, 2]
    first, second = result.loads
    assert 45 * MEGABYTE < first.memory < 70 * MEGABYTE
    assert second.memory < 20 * MEGABYTE
    assert result.memory > first.memory
    assert result.peak >= result.memory
    assert result.seconds == pytest.approx(first.seconds + second.seconds)
    assert first.pid == second.pid != os.getpid()
    assert processes(tmp_path) == [first.pid]
    assert not psutil.pid_exists(first.pid)


def test_memory_for_filtering_is_included():
    resting = run_preflight(recipe("heavy:megabytes=20"), OPTIONS)
    at_work = run_preflight(recipe("heavy:megabytes=20,work=100"), OPTIONS)
    assert 80 * MEGABYTE < at_work.memory - resting.memory < 120 * MEGABYTE
    assert at_work.peak == at_work.memory


@pytest.mark.parametrize("how", REFUSALS)
def test_step_that_does_not_load_is_explained(how):
    message, hint = REFUSALS[how]
    with pytest.raises(WorkerError) as caught:
        run_preflight(recipe("heavy", f"heavy:how={how}"), OPTIONS)
    assert caught.value.message == message
    assert caught.value.hint.startswith(hint)


def test_error_names_the_file_and_keeps_the_traceback(tmp_path):
    weights = tmp_path / "weights.bin"
    weights.touch()
    with pytest.raises(WorkerError) as caught:
        run_preflight(recipe(f"heavy:how=raise,weights={weights}"), OPTIONS)
    assert caught.value.message == f"the step heavy ({weights}) does not load: an unexpected error occurred ('weights')"
    assert "KeyError" in caught.value.__notes__[0]


def test_loading_that_takes_too_long_is_stopped(tmp_path):
    with pytest.raises(WorkerError, match="the step heavy does not load: it takes longer than 1 s") as caught:
        run_preflight(recipe(f"heavy:how=hang,notes={tmp_path}"), replace(OPTIONS, timeout=1.0))
    assert caught.value.hint == "allow more time with `timeout`"
    assert not any(map(psutil.pid_exists, processes(tmp_path)))


def test_stopped_run_does_not_wait_for_a_model():
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    assert run_preflight(recipe("heavy:how=hang"), replace(OPTIONS, should_stop=stop.is_set)) is None


def test_workers_are_limited_by_memory():
    result = Preflight((), memory=100, peak=100)
    options = EngineOptions(workers=8, memory=3 * (MIN_TASK_MEMORY + 100) + 99)
    assert limit_workers(options, result) == replace(options, workers=3, memory=options.memory - 300)
    assert limit_workers(replace(options, workers=2), result).workers == 2
    assert limit_workers(replace(options, memory=None), result) == replace(options, memory=None)


def test_peak_while_loading_limits_the_workers():
    options = EngineOptions(workers=8, memory=10 * MIN_TASK_MEMORY)
    assert limit_workers(options, Preflight((), memory=MIN_TASK_MEMORY, peak=5 * MIN_TASK_MEMORY)).workers == 2


def test_single_worker_must_fit_into_memory():
    options = EngineOptions(workers=8, memory=120 * MEGABYTE)
    alone = limit_workers(options, Preflight((), memory=100 * MEGABYTE, peak=300 * MEGABYTE))
    assert (alone.workers, alone.memory) == (1, 20 * MEGABYTE)
    with pytest.raises(WorkerError, match="needs 121 MB, but the limit for all workers is 120 MB") as caught:
        limit_workers(options, Preflight((), memory=121 * MEGABYTE, peak=121 * MEGABYTE))
    assert "`max_memory`" in caught.value.hint


def test_nothing_is_written_if_a_step_does_not_load(photos, tmp_path):
    run = runner_for(photos, recipe=recipe("heavy:how=refuse"), start_method="spawn")
    with pytest.raises(WorkerError, match="weights are damaged"):
        next(run.results())
    assert os.listdir(tmp_path) == ["photos"]


def test_nothing_is_compared_if_a_step_does_not_load(photos, tmp_path):
    (tmp_path / "place").mkdir()
    run = runner_for(photos, recipe=recipe("heavy:how=refuse"), start_method="spawn", output=str(tmp_path / "place"))
    with pytest.raises(WorkerError, match="weights are damaged"):
        next(ComparisonRunner(run.plan, str(tmp_path / "place")).measure_all())
    assert os.listdir(tmp_path / "place") == []


def test_preflight_runs_once_and_only_if_there_are_tasks(photos, tmp_path):
    (tmp_path / "notes").mkdir()
    with_notes = recipe(f"heavy:notes={tmp_path / 'notes'}")
    run = runner_for(photos, recipe=with_notes, start_method="spawn")
    assert processes(tmp_path / "notes") == []
    run.prepare()
    (tried,) = processes(tmp_path / "notes")
    assert statuses(run.results()) == ["done"] * 3
    assert processes(tmp_path / "notes") == sorted([tried, os.getpid()])
    assert [(load.step, load.pid) for load in run.loads] == [(0, os.getpid())]

    again = runner_for(photos, recipe=with_notes, start_method="spawn")
    assert statuses(again.results()) == ["skipped"] * 3
    assert (again.preflight, again.loads) == (None, ())
    assert len(processes(tmp_path / "notes")) == 2


def test_recipe_without_heavy_steps_needs_no_preflight(photos):
    run = runner_for(photos)
    assert statuses(run.results()) == ["done"] * 3
    assert (run.preflight, run.loads) == (None, ())


def test_workers_with_heavy_steps_are_fixed_in_number(photos):
    run = runner_for(photos, recipe=recipe("heavy"), engine="pool")
    assert run.plan.engine_options.max_workers is None


def test_runner_limits_its_workers_by_memory(photos):
    run = runner_for(photos, recipe=recipe("heavy"), workers=8, max_memory=4 * MIN_TASK_MEMORY, engine="pool")
    run.preflight = Preflight((StepLoad(0, 1, 0.1, MIN_TASK_MEMORY),), memory=MIN_TASK_MEMORY, peak=MIN_TASK_MEMORY)
    assert (run.plan.engine_options.workers, run.options.workers, run.options.memory) == (8, 2, 2 * MIN_TASK_MEMORY)


def test_references_are_those_of_the_time_of_planning(photos, tmp_path):
    weights = tmp_path / "weights"
    weights.write_bytes(b"")
    run = runner_for(photos, recipe=recipe("invert", f"heavy:weights={weights}"), start_method="spawn")
    planned = run.plan.references
    results = run.results()
    next(results)
    weights.unlink()
    assert len(list(results)) == 2
    assert run.plan.references == planned == ({"heavy": {"weights": content_hash(b"")}},)
    assert loads_json(run)["models"][0]["weights"] == planned[0]["heavy"]["weights"]
