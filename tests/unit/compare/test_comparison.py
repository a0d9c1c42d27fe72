"""A comparison of serial and pool, on real images."""

import hashlib
import os
from dataclasses import replace

import psutil
import pytest

from imgpool.batch.plan import make_plan
from imgpool.batch.run import Runner
from imgpool.batch.settings import RunSettings
from imgpool.compare.bare_pool import METHODS, PoolMethod
from imgpool.compare.comparison import SERIAL, Comparison, new_folder_beside
from imgpool.compare.measurer import EngineSetup, Measurer
from imgpool.core.errors import UsageError
from tests.support.small_runs import BLUR, write_png

COUNT = 12


def hashes(folder):
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and ".imgpool" not in path.parts
    }


def plan_of(home, **settings):
    return make_plan(RunSettings((str(home / "in"),), BLUR, str(home / "out"), workers=2, **settings))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Images of different sizes, one of them in a folder below, and one that is none."""
    home = tmp_path_factory.mktemp("compare")
    for number in range(COUNT - 1):
        write_png(home / "in" / ("below" if number == 3 else "") / f"{number:02}.png", 8 + 8 * number)
    (home / "in" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing more")
    (home / "out").mkdir()
    return home


@pytest.fixture(scope="module")
def before(home):
    return hashes(home / "in")


@pytest.fixture(scope="module")
def compared(home, before):  # noqa: ARG001 - the input as it was
    comparison = Comparison(plan_of(home), str(home / "out"), sample=10)
    comparison.steps = list(comparison.measure_all(free_space=False))
    return comparison


def test_serial_and_pool_agree(compared):
    assert compared.differences == []
    assert [result.task.source[-10:] for result in compared.failed] == ["broken.png"]
    assert compared.deadly == []


def test_the_sample_has_the_biggest_and_goes_from_big_to_small(compared, home):
    sizes = [task.size for task in compared.tasks]
    every = [path.stat().st_size for path in (home / "in").rglob("*.png")]
    assert len(sizes) == 10
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (max(every), min(every))
    assert compared.weight > 1


def test_every_way_is_measured(compared):
    assert [each.setup for each in compared.by_workers] == [SERIAL, EngineSetup("pool", 1), EngineSetup("pool", 2)]
    assert [each.setup.chunksize for each in compared.by_chunksize] == [1, 4, None]
    assert {method.name for method in compared.methods} == set(METHODS)
    assert all(timed is not None for timed in compared.methods.values())
    assert compared.runs == len(compared.steps) == 1 + 5 + len(compared.methods)
    assert compared.steps[-1].left == 0


def test_every_image_has_a_result_everywhere(compared):
    sources = {task.source for task in compared.tasks}
    for measured in (*compared.by_workers, *compared.by_chunksize):
        assert set(measured.results) == sources
    for timed in compared.methods.values():
        assert {result.task.source for result in timed.results} == sources


def test_stages_are_all_of_the_workers_time(compared):
    for measured in (*compared.by_workers, *compared.by_chunksize):
        total = sum(each.seconds for each in measured.stages)
        assert total == pytest.approx(measured.setup.workers * measured.seconds)
        assert measured.stage("gaussian") > 0
        assert 0 < measured.first <= measured.seconds


def test_a_bare_pool_hands_over_as_its_method_does(compared):
    assert compared.methods[PoolMethod("map")].waiting == 10
    for timed in compared.methods.values():
        assert 0 < timed.first <= timed.seconds


def test_there_is_a_verdict(compared):
    assert compared.bottleneck.why
    assert compared.advice.setup.workers in {1, 2}
    assert compared.advice.seconds > 0


def test_every_run_leaves_the_same_files(compared, home):
    folders = sorted((home / "out").iterdir())
    assert len(folders) == compared.runs
    first = hashes(folders[0])
    assert len(first) == 9
    assert all(hashes(folder) == first for folder in folders)


def test_the_input_is_as_it_was(compared, home, before):  # noqa: ARG001 - it has run
    assert hashes(home / "in") == before


def test_the_number_of_images_follows_from_what_they_take(home, tmp_path):
    comparison = Comparison(plan_of(home), str(tmp_path))
    next(comparison.measure_all())
    assert len(comparison.tasks) == COUNT  # they take next to no time


def test_outputs_that_take_much_of_the_disk_are_removed_between_runs(home, tmp_path, monkeypatch):
    monkeypatch.setattr("imgpool.compare.comparison.SHARE_OF_DISK", 0.0)
    comparison = Comparison(plan_of(home), str(tmp_path), sample=2)
    steps = comparison.measure_all()
    for _ in range(3):
        next(steps)
    steps.close()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_pool_that_comes_to_no_end_is_ended(home, tmp_path):
    plan = plan_of(home)
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    assert Measurer(Runner(plan), str(tmp_path)).time(PoolMethod("imap"), plan.tasks, 2, patience=0.01) is None
    left = [process for process in psutil.Process().children(recursive=True) if process.pid not in before]
    assert all("forkserver" in " ".join(p.cmdline()) or "resource_tracker" in " ".join(p.cmdline()) for p in left)


def test_a_bare_pool_is_left_out_where_it_would_need_too_much_memory(home, tmp_path):
    comparison = Comparison(plan_of(home, max_memory=64 << 20), str(tmp_path), sample=1)
    steps = comparison.measure_all()
    next(steps)
    assert comparison._methods() == []
    steps.close()


def test_images_that_cannot_be_reached_are_refused(home, tmp_path):
    plan = replace(plan_of(home), images=())
    with pytest.raises(UsageError, match="no image can be reached"):
        next(Comparison(plan, str(tmp_path)).measure_all())


def test_the_folder_is_beside_the_first_input(tmp_path):
    (tmp_path / "photos").mkdir()
    one, other = new_folder_beside(str(tmp_path / "photos")), new_folder_beside(str(tmp_path / "photos" / ""))
    assert one != other
    assert os.path.dirname(one) == os.path.dirname(other) == str(tmp_path)
    assert os.path.basename(one).startswith("photos-compare-")
