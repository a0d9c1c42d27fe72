"""Plans: what will run and why, and what is refused before a run starts."""

import os
from dataclasses import FrozenInstanceError, replace

import pytest

import imgpool
from imgpool.batch.plan import make_plan
from imgpool.batch.settings import RunSettings
from imgpool.core.errors import UsageError
from imgpool.output.layout import journal_path
from imgpool.system.resources import available_cpus
from tests.support.small_runs import BLUR, plan_for, run, write_png


def reasons(plan):
    return [planned.reason for planned in plan.images]


def test_tasks_are_sorted_by_size_and_images_by_path(photos):
    plan = plan_for(photos)
    assert [os.path.basename(planned.task.source) for planned in plan.images] == ["b.png", "a.png", "z.png"]
    assert [os.path.basename(task.source) for task in plan.tasks] == ["a.png", "z.png", "b.png"]


def test_plan_counts_the_tasks_by_reason(photos):
    run(photos)
    (photos / "b.png").unlink()
    write_png(photos / "new.png")
    write_png(photos / "z.png", 16)
    plan = plan_for(photos)
    assert (plan.found, len(plan.tasks), len(plan.done)) == (3, 2, 1)
    assert plan.reasons == {"new": 1, "the source file changed in size": 1}


def test_only_a_changed_source_is_planned_again(photos):
    run(photos)
    write_png(photos / "b.png", 16)
    assert reasons(plan_for(photos)) == ["the source file changed in size", "", ""]


def test_settings_become_engine_options(photos):
    settings = RunSettings((str(photos),), BLUR, workers=4, chunksize=3, timeout=9.0, retries=2, max_memory=400 << 20)
    options = make_plan(settings).engine_options
    assert (options.workers, options.chunksize, options.timeout, options.retries) == (4, 3, 9.0, 2)
    assert options.memory == 400 << 20
    assert "imgpool.filters.smoothing" in options.preload
    assert make_plan(replace(settings, engine="serial")).engine_options.workers == 1


@pytest.mark.parametrize(
    ("timeout", "seconds", "per_byte"), [(None, 900.0, 20e-6), (0, None, 0.0), (0.0, None, 0.0), (9.0, 9.0, 0.0)]
)
def test_default_timeout_depends_on_the_file_size(photos, timeout, seconds, per_byte):
    options = make_plan(RunSettings((str(photos),), BLUR, timeout=timeout)).engine_options
    assert (options.timeout, options.timeout_per_byte) == (seconds, per_byte)


def test_plan_cannot_be_modified(photos):
    plan = plan_for(photos)
    with pytest.raises(FrozenInstanceError):
        plan.images = ()
    with pytest.raises(FrozenInstanceError):
        plan.scan.other_files = 1
    with pytest.raises(AttributeError):
        plan.images[0].reason = ""
    assert isinstance(plan.images, tuple)
    assert isinstance(plan.tasks, tuple)


def test_only_automatic_workers_may_grow(photos):
    settings = RunSettings((str(photos),), BLUR)
    assert make_plan(settings).engine_options.max_workers == 4 * available_cpus()
    assert make_plan(replace(settings, workers=2)).engine_options.max_workers is None
    assert make_plan(replace(settings, engine="serial")).engine_options.max_workers is None


def test_no_image_is_refused_with_the_supported_extensions(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"no image found in .*photos among 1 file") as caught:
        plan_for(tmp_path / "photos")
    assert ".png" in caught.value.hint


def test_no_input_is_refused():
    with pytest.raises(UsageError):
        plan_for()


@pytest.mark.parametrize("fresh", [False, True])
def test_journal_of_a_newer_version_is_refused(photos, tmp_path, fresh):
    run(photos)
    with journal_path(str(tmp_path / "photos-processed")).open("ab") as file:
        file.write(b'{"v": 99}\n')
    with pytest.raises(UsageError, match="newer imgpool"):
        plan_for(photos, fresh=fresh)


def test_unknown_engine_is_refused(photos):
    with pytest.raises(UsageError, match="no engine is called 'seriel'") as caught:
        make_plan(RunSettings((str(photos),), BLUR, engine="seriel"))
    assert caught.value.hint == "did you mean serial?"


@pytest.mark.parametrize(
    "bad", [{"workers": 0}, {"workers": -1}, {"chunksize": 0}, {"retries": -1}, {"timeout": -1.0}, {"max_pixels": 0}]
)
def test_number_below_its_minimum_is_refused(photos, bad):
    with pytest.raises(UsageError):
        make_plan(replace(RunSettings((str(photos),), BLUR), **bad))


def test_api_refuses_an_invalid_memory_size(photos):
    with pytest.raises(UsageError):
        imgpool.process(photos, filters=["gaussian"], engine="serial", max_memory="much")
