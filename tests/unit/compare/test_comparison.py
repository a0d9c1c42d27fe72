"""A comparison of serial run and pool on real images."""

import os
from dataclasses import replace

import psutil
import pytest

from imgpool.batch.plan import make_plan
from imgpool.batch.run import Runner
from imgpool.batch.settings import RunSettings
from imgpool.compare.bare_pool import METHODS, PoolMethod
from imgpool.compare.comparison import ComparisonRunner, new_folder_beside
from imgpool.compare.measurement import SERIAL, EngineSetup
from imgpool.compare.measurer import Measurer
from imgpool.core.errors import UsageError
from tests.support.hashes import output_hashes
from tests.support.small_runs import BLUR, write_png

COUNT = 12


def plan_of(home, **settings):
    return make_plan(RunSettings((str(home / "in"),), BLUR, str(home / "out"), workers=2, **settings))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Images of different sizes, one of them in a subfolder, and a broken one."""
    home = tmp_path_factory.mktemp("compare")
    for number in range(COUNT - 1):
        write_png(home / "in" / ("below" if number == 3 else "") / f"{number:02}.png", 8 + 8 * number)
    (home / "in" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing more")
    (home / "out").mkdir()
    return home


@pytest.fixture(scope="module")
def before(home):
    return output_hashes(home / "in")


@pytest.fixture(scope="module")
def steps(home, before):  # noqa: ARG001 - hashes the input before anything runs
    return list(ComparisonRunner(plan_of(home), str(home / "out"), sample=10).measure_all(free_space=False))


@pytest.fixture(scope="module")
def comparison(steps):
    return steps[-1].comparison


def test_serial_run_and_pool_agree(comparison):
    assert comparison.differences == []
    assert [result.task.source[-10:] for result in comparison.failed] == ["broken.png"]
    assert comparison.excluded == []


def test_sample_contains_the_largest_and_the_smallest_file(comparison, home):
    sizes = [task.size for task in comparison.tasks]
    every = [path.stat().st_size for path in (home / "in").rglob("*.png")]
    assert len(sizes) == 10
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (max(every), min(every))
    assert comparison.work_ratio > 1


def test_every_setup_and_method_is_measured(comparison, steps):
    setups = [run.setup for run in comparison.by_workers]
    assert setups == [SERIAL, EngineSetup("pool", 1), EngineSetup("pool", 2)]
    assert [run.setup.chunksize for run in comparison.by_chunksize] == [1, 4, None]
    assert {method.name for method in comparison.methods} == set(METHODS)
    assert all(timing is not None for timing in comparison.methods.values())
    assert comparison.runs == len(steps) == 1 + 5 + len(comparison.methods)
    assert steps[-1].runs_left == 0


def test_every_image_has_a_result_in_every_run(comparison):
    sources = {task.source for task in comparison.tasks}
    for run in (*comparison.by_workers, *comparison.by_chunksize):
        assert set(run.results) == sources
    for timing in comparison.methods.values():
        assert {result.task.source for result in timing.results} == sources


def test_stages_add_up_to_the_time_of_all_workers(comparison):
    for run in (*comparison.by_workers, *comparison.by_chunksize):
        total = sum(stage.seconds for stage in run.stages)
        assert total == pytest.approx(run.setup.workers * run.seconds)
        assert run.stage_seconds("gaussian") > 0
        assert 0 < run.first_result_seconds <= run.seconds


def test_bare_pool_hands_results_over_as_its_method_does(comparison):
    assert comparison.methods[PoolMethod("map")].max_waiting == 10
    for timing in comparison.methods.values():
        assert 0 < timing.first_result_seconds <= timing.seconds


def test_comparison_has_a_bottleneck_and_a_recommendation(comparison):
    assert comparison.bottleneck.evidence
    assert comparison.advice.setup.workers in {1, 2}
    assert comparison.advice.seconds > 0


def test_every_run_writes_the_same_files(comparison, home):
    folders = sorted((home / "out").iterdir())
    assert len(folders) == comparison.runs
    first = output_hashes(folders[0])
    assert len(first) == 9
    assert all(output_hashes(folder) == first for folder in folders)


def test_input_is_not_changed(comparison, home, before):  # noqa: ARG001 - after the comparison
    assert output_hashes(home / "in") == before


def test_all_images_are_compared_if_they_take_little_time(home, tmp_path):
    step = next(ComparisonRunner(plan_of(home), str(tmp_path)).measure_all())
    assert len(step.comparison.tasks) == COUNT


def test_large_outputs_are_deleted_between_runs(home, tmp_path, monkeypatch):
    monkeypatch.setattr("imgpool.compare.comparison.MAX_DISK_SHARE", 0.0)
    steps = ComparisonRunner(plan_of(home), str(tmp_path), sample=2).measure_all()
    for _ in range(3):
        next(steps)
    steps.close()
    assert len(list(tmp_path.iterdir())) == 1


def test_bare_pool_that_does_not_finish_is_killed(home, tmp_path):
    plan = plan_of(home)
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    assert Measurer(Runner(plan), str(tmp_path)).time_method(PoolMethod("imap"), plan.tasks, 2, timeout=0.01) is None
    left = [process for process in psutil.Process().children(recursive=True) if process.pid not in before]
    assert all("forkserver" in " ".join(p.cmdline()) or "resource_tracker" in " ".join(p.cmdline()) for p in left)


def test_bare_pools_that_need_too_much_memory_are_not_measured(home, tmp_path):
    runner = ComparisonRunner(plan_of(home, max_memory=64 << 20), str(tmp_path), sample=1)
    comparison = list(runner.measure_all())[-1].comparison
    assert comparison.methods == {}


def test_run_without_readable_images_is_refused(home, tmp_path):
    plan = replace(plan_of(home), images=())
    with pytest.raises(UsageError, match="no image can be read"):
        next(ComparisonRunner(plan, str(tmp_path)).measure_all())


def test_new_folder_is_beside_the_first_input(tmp_path):
    (tmp_path / "photos").mkdir()
    one, other = new_folder_beside(str(tmp_path / "photos")), new_folder_beside(str(tmp_path / "photos" / ""))
    assert one != other
    assert os.path.dirname(one) == os.path.dirname(other) == str(tmp_path)
    assert os.path.basename(one).startswith("photos-compare-")
