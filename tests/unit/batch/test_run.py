"""A run from the inputs to the last result, on real files, with the serial engine."""

import os
import sys
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

import imgpool
from imgpool.batch.plan import make_plan
from imgpool.batch.run import Runner
from imgpool.batch.settings import RunSettings
from imgpool.core.catalogue import FILTERS
from imgpool.core.errors import ReadError, RunError
from imgpool.core.filter import image_filter
from imgpool.core.image import Image
from imgpool.core.recipe import Output, Recipe
from imgpool.output import run_file
from imgpool.output.layout import journal_path
from imgpool.system.resources import available_cpus
from imgpool.work.files import size_and_hash, source_hash
from tests.support.small_runs import BLUR, close_folder, outputs, prepare, run, statuses, write_png


def reasons(planned):
    return [each.reason for each in planned.plan.images]


def test_every_image_is_processed_into_the_mirrored_tree(photos, tmp_path):
    results = run(photos)
    output = tmp_path / "photos-processed"
    assert statuses(results) == ["done"] * 3
    assert outputs(output) == ["b.png", "trip/a.png", "z.png"]
    for result in results:
        expected = BLUR.apply(imgpool.read(result.task.source).pixels)
        assert np.array_equal(imgpool.read(result.task.target).pixels, expected)
        assert result.sha256 == size_and_hash(result.task.target)[1]
        assert result.source_hash == source_hash(result.task.source)
        assert result.written == os.path.getsize(result.task.target)


def test_nothing_is_left_in_the_output_but_results_and_journal(photos, tmp_path):
    run(photos)
    assert set(os.listdir(tmp_path / "photos-processed" / ".imgpool")) == {"journal.jsonl", "lock", "run.json"}


def test_big_files_come_first_and_the_plan_stays_in_order_of_names(photos):
    planned = prepare(photos)
    assert [os.path.basename(each.task.source) for each in planned.plan.images] == ["b.png", "a.png", "z.png"]
    assert [os.path.basename(task.source) for task in planned.plan.tasks] == ["a.png", "z.png", "b.png"]
    assert [os.path.basename(result.task.source) for result in planned.results()] == ["a.png", "z.png", "b.png"]


def test_nothing_is_written_before_results_are_asked_for(photos, tmp_path):
    planned = prepare(photos)
    planned.results()
    assert os.listdir(tmp_path) == ["photos"]


def test_what_is_done_is_skipped_the_second_time(photos):
    run(photos)
    again = prepare(photos)
    assert reasons(again) == [""] * 3
    assert (again.plan.tasks, len(again.plan.done)) == ((), 3)
    assert statuses(again.results()) == ["skipped"] * 3


def test_a_new_image_runs_alone_and_the_skipped_are_told_first(photos):
    run(photos)
    write_png(photos / "new.png", 128)
    again = prepare(photos)
    assert reasons(again) == ["", "new", "", ""]
    results = list(again.results())
    assert statuses(results) == ["skipped"] * 3 + ["done"]
    assert results[-1].task.source.endswith("new.png")


def test_a_changed_parameter_runs_all_again_and_says_why(photos, tmp_path):
    run(photos)
    before = size_and_hash(tmp_path / "photos-processed" / "z.png")[1]
    again = prepare(photos, recipe=Recipe.from_specs(["gaussian:sigma=2"]))
    assert reasons(again) == ["the recipe changed"] * 3
    assert statuses(again.results()) == ["done"] * 3
    assert size_and_hash(tmp_path / "photos-processed" / "z.png")[1] != before


def test_a_changed_source_runs_again_alone(photos):
    run(photos)
    write_png(photos / "b.png", 16)
    assert reasons(prepare(photos)) == ["the source file changed in size", "", ""]


def test_fresh_runs_all_again(photos):
    run(photos)
    assert statuses(run(photos, fresh=True)) == ["done"] * 3


def test_a_lost_output_is_made_again_with_the_same_bytes(photos, tmp_path):
    run(photos)
    target = tmp_path / "photos-processed" / "b.png"
    before = target.read_bytes()
    target.unlink()
    assert reasons(prepare(photos)) == ["the output is missing", "", ""]
    run(photos)
    assert target.read_bytes() == before


def test_an_interrupted_run_goes_on_where_it_stopped(photos):
    results = prepare(photos).results()
    assert next(results).status == "done"
    results.close()
    again = prepare(photos)
    assert [os.path.basename(task.source) for task in again.plan.done] == ["a.png"]
    assert sorted(statuses(again.results())) == ["done", "done", "skipped"]


def test_what_a_killed_run_left_behind_goes(photos, tmp_path):
    scratch = tmp_path / "photos-processed" / ".imgpool" / "tmp"
    scratch.mkdir(parents=True)
    (scratch / ".imgpool-1-1.png").write_bytes(b"half")
    run(photos)
    assert not scratch.exists()


def test_a_bad_image_fails_alone_and_is_tried_again(photos, tmp_path):
    (photos / "bad.png").write_bytes((photos / "z.png").read_bytes()[:200])
    results = run(photos)
    (failed,) = [result for result in results if result.status == "failed"]
    assert statuses(results).count("done") == 3
    assert failed.task.source.endswith("bad.png")
    assert (failed.failure.stage, failed.failure.error) == ("read", "ReadError")
    assert failed.failure.hint
    assert outputs(tmp_path / "photos-processed") == ["b.png", "trip/a.png", "z.png"]
    again = prepare(photos)
    assert reasons(again) == ["", "failed before", "", ""]
    write_png(photos / "bad.png")
    assert "failed" not in statuses(run(photos))


def test_a_failing_image_keeps_the_result_of_an_earlier_run(photos, tmp_path):
    run(photos)
    before = (tmp_path / "photos-processed" / "z.png").read_bytes()
    (photos / "z.png").write_bytes(b"no picture any more")
    assert statuses(run(photos)).count("failed") == 1
    assert (tmp_path / "photos-processed" / "z.png").read_bytes() == before


def test_an_image_that_vanishes_after_the_plan_fails_by_name(photos):
    planned = prepare(photos)
    (photos / "z.png").unlink()
    (failed,) = [result for result in planned.results() if result.status == "failed"]
    assert failed.task.source.endswith("z.png")
    assert failed.failure.stage == "read"
    assert "no longer exists" in failed.failure.message


def test_a_folder_that_cannot_be_listed_is_a_failure_not_a_silence(photos, monkeypatch):
    close_folder(monkeypatch, "trip")
    results = run(photos)
    (failed,) = [result for result in results if result.status == "failed"]
    assert failed.task.source == str(photos / "trip")
    assert "permission denied" in failed.failure.message
    assert statuses(results).count("done") == 2


def exits(image: Image) -> Image:
    if image.pixels.shape == (8, 8):
        sys.exit("that is all")
    return image


def test_an_image_on_which_a_filter_exits_fails_alone(photos, monkeypatch):
    monkeypatch.setitem(FILTERS._built_in, "exits", image_filter(tiles="no")(exits))
    results = run(photos, recipe=Recipe.from_specs(["exits"]))
    (failed,) = [result for result in results if result.status == "failed"]
    assert failed.task.source.endswith("b.png")
    assert failed.failure.error == "SystemExit"
    assert statuses(results).count("done") == 2


class Unloadable:
    """A filter whose heavy part does not load."""

    def __init__(self) -> None:
        raise ReadError("the model is damaged", "download it again")


def test_a_filter_that_does_not_load_stops_the_run_before_the_first_image(photos, tmp_path, monkeypatch):
    monkeypatch.setitem(FILTERS._built_in, "unloadable", image_filter(tiles="no")(Unloadable))
    planned = prepare(photos, recipe=Recipe.from_specs(["unloadable"]))
    with pytest.raises(RunError, match="the model is damaged"):
        list(planned.results())
    assert outputs(tmp_path / "photos-processed") == []


@pytest.mark.parametrize(
    "name",
    ["new\nline.png", "-dash.png", "🔬 µ.png", "x" * 240 + ".png", "x" * 251 + ".png", "\udcff\udcfe.png", "a b.PNG"],
)
def test_odd_names_go_the_whole_way_twice(tmp_path, name):
    write_png(tmp_path / "photos" / name)
    assert statuses(run(tmp_path / "photos")) == ["done"]
    assert set(os.listdir(tmp_path / "photos-processed")) == {".imgpool", name}
    assert statuses(run(tmp_path / "photos")) == ["skipped"]


def test_several_inputs_and_a_given_output(photos, tmp_path, monkeypatch):
    write_png(tmp_path / "more" / "b.png")
    monkeypatch.chdir(tmp_path)
    run(photos.name, "more", output="results")
    assert outputs(tmp_path / "results") == ["more/b.png", "photos/b.png", "photos/trip/a.png", "photos/z.png"]


def test_another_format_is_another_target_and_not_done(photos, tmp_path):
    run(photos)
    to_jpeg = prepare(photos, recipe=BLUR.with_output(Output.parse("jpeg")))
    assert reasons(to_jpeg) == ["new"] * 3
    assert statuses(to_jpeg.results()) == ["done"] * 3
    assert len(outputs(tmp_path / "photos-processed")) == 6


def test_the_engine_is_told_workers_memory_and_modules(photos):
    settings = RunSettings((str(photos),), BLUR, workers=4, chunksize=3, timeout=9.0, retries=2, max_memory=400)
    options = make_plan(settings).engine_options
    assert (options.workers, options.chunksize, options.timeout, options.retries) == (4, 3, 9.0, 2)
    assert options.memory == 400
    assert "imgpool.filters.smoothing" in options.preload
    assert make_plan(replace(settings, engine="serial")).engine_options.workers == 1


@pytest.mark.parametrize(
    ("timeout", "seconds", "per_byte"), [(None, 900.0, 20e-6), (0, None, 0.0), (0.0, None, 0.0), (9.0, 9.0, 0.0)]
)
def test_the_time_for_an_image_follows_from_its_size_unless_it_is_given(photos, timeout, seconds, per_byte):
    options = make_plan(RunSettings((str(photos),), BLUR, timeout=timeout)).engine_options
    assert (options.timeout, options.timeout_per_byte) == (seconds, per_byte)


def test_a_plan_cannot_be_changed(photos):
    plan = prepare(photos).plan
    with pytest.raises(FrozenInstanceError):
        plan.images = ()
    with pytest.raises(FrozenInstanceError):
        plan.scan.other_files = 1
    with pytest.raises(AttributeError):
        plan.images[0].reason = ""
    assert isinstance(plan.images, tuple)
    assert isinstance(plan.tasks, tuple)


def test_running_a_plan_leaves_it_as_it_was(photos):
    runner = prepare(photos)
    before = (runner.plan.images, runner.plan.tasks, runner.plan.done, runner.plan.reasons)
    assert statuses(runner.results()) == ["done"] * 3
    assert (runner.plan.images, runner.plan.tasks, runner.plan.done, runner.plan.reasons) == before
    assert statuses(Runner(runner.plan).results()) == ["done"] * 3


def test_the_run_file_tells_of_the_run(photos, tmp_path):
    run(photos)
    write_png(photos / "new.png")
    before = journal_path(str(tmp_path / "photos-processed")).stat().st_size
    results = list(prepare(photos, recipe=BLUR).results())
    info = run_file.read(str(tmp_path / "photos-processed"))
    assert info.inputs == (str(photos),)
    assert (info.recipe, info.fingerprint, info.engine, info.workers) == ("gaussian", BLUR.fingerprint(), "serial", 1)
    assert (info.found, info.skipped, info.to_do, info.journal) == (len(results), 3, 1, before)
    assert (info.how, info.pid) == ("finished", os.getpid())


def test_a_run_that_is_stopped_tells_so(photos, tmp_path):
    planned = prepare(photos)
    results = planned.results()
    next(results)
    planned.stop()
    assert list(results) == []
    assert run_file.read(str(tmp_path / "photos-processed")).how == "interrupted"


def test_python_gets_the_results_that_the_command_gives(photos, tmp_path):
    results = list(imgpool.process(photos, filters=["gaussian:sigma=1"], output=tmp_path / "a", engine="serial"))
    run(photos, output=str(tmp_path / "b"))
    assert statuses(results) == ["done"] * 3
    for name in outputs(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_folder_in_the_place_of_a_target_fails_that_image_alone(photos, tmp_path):
    run(photos)
    target = tmp_path / "photos-processed" / "z.png"
    target.unlink()
    target.mkdir()
    results = run(photos)
    (failed,) = [result for result in results if result.status == "failed"]
    assert failed.failure.stage == "write"
    assert statuses(results).count("skipped") == 2


def test_the_engine_may_take_more_workers_only_where_their_number_is_left_to_it(photos):
    settings = RunSettings((str(photos),), BLUR)
    assert make_plan(settings).engine_options.max_workers == 4 * available_cpus()
    assert make_plan(replace(settings, workers=2)).engine_options.max_workers is None
    assert make_plan(replace(settings, engine="serial")).engine_options.max_workers is None


@pytest.mark.parametrize("engine", ["serial", "pool"])
def test_a_run_tells_its_pace(photos, engine):
    told = []
    run = Runner(make_plan(RunSettings((str(photos),), BLUR, engine=engine)))
    results = list(run.results(told.append))
    assert run.metrics == told[-1]
    assert run.metrics.tasks == len(results)
    assert run.metrics.reason
