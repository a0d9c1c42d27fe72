"""Runs from the inputs to the last result, on real files, with the serial engine."""

import os
from dataclasses import replace

import numpy as np
import pytest

import imgpool
from imgpool.batch.plan import make_plan
from imgpool.batch.run import Runner
from imgpool.batch.settings import RunSettings
from imgpool.core.catalogue import FORMATS
from imgpool.core.errors import RunError
from imgpool.core.image import Properties
from imgpool.core.recipe import Output, Recipe
from imgpool.output import run_file
from imgpool.output.layout import journal_path
from imgpool.work.files import size_and_hash, source_hash
from tests.support.disks import disk, remount
from tests.support.heavy_filter import installed
from tests.support.permissions import unreadable
from tests.support.small_runs import (
    BLUR,
    leave_as_if_killed,
    outputs,
    run,
    runner_for,
    statuses,
    write_png,
)

GREY = Properties((512, 512), np.dtype("uint8"), "YX")


def reasons(runner):
    return [planned.reason for planned in runner.plan.images]


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


def test_large_files_are_processed_first(photos):
    results = list(runner_for(photos).results())
    assert [os.path.basename(result.task.source) for result in results] == ["a.png", "z.png", "b.png"]


def test_only_results_and_state_are_left_in_the_output(photos, tmp_path):
    run(photos)
    assert set(os.listdir(tmp_path / "photos-processed" / ".imgpool")) == {"journal.jsonl", "lock", "run.json"}


def test_nothing_is_written_before_the_first_result(photos, tmp_path):
    runner = runner_for(photos)
    runner.results()
    assert os.listdir(tmp_path) == ["photos"]


def test_second_run_skips_what_is_done(photos):
    run(photos)
    again = runner_for(photos)
    assert reasons(again) == [""] * 3
    assert (again.plan.tasks, len(again.plan.done)) == ((), 3)
    assert statuses(again.results()) == ["skipped"] * 3


def test_skipped_images_are_yielded_before_a_new_one(photos):
    run(photos)
    write_png(photos / "new.png", 128)
    again = runner_for(photos)
    assert reasons(again) == ["", "new", "", ""]
    results = list(again.results())
    assert statuses(results) == ["skipped"] * 3 + ["done"]
    assert results[-1].task.source.endswith("new.png")


def test_changed_parameter_reprocesses_everything(photos, tmp_path):
    run(photos)
    before = size_and_hash(tmp_path / "photos-processed" / "z.png")[1]
    again = runner_for(photos, recipe=Recipe.from_specs(["gaussian:sigma=2"]))
    assert reasons(again) == ["the recipe changed"] * 3
    assert statuses(again.results()) == ["done"] * 3
    assert size_and_hash(tmp_path / "photos-processed" / "z.png")[1] != before


def test_fresh_reprocesses_everything(photos):
    run(photos)
    assert statuses(run(photos, fresh=True)) == ["done"] * 3


def test_missing_output_is_made_again_with_the_same_bytes(photos, tmp_path):
    run(photos)
    target = tmp_path / "photos-processed" / "b.png"
    before = target.read_bytes()
    target.unlink()
    assert reasons(runner_for(photos)) == ["the output is missing", "", ""]
    run(photos)
    assert target.read_bytes() == before


def test_interrupted_run_continues_where_it_stopped(photos):
    results = runner_for(photos).results()
    assert next(results).status == "done"
    results.close()
    again = runner_for(photos)
    assert [os.path.basename(task.source) for task in again.plan.done] == ["a.png"]
    assert sorted(statuses(again.results())) == ["done", "done", "skipped"]


def test_scratch_files_of_a_killed_run_are_removed(photos, tmp_path):
    leave_as_if_killed(photos)
    scratch = tmp_path / "photos-processed" / ".imgpool" / "tmp"
    assert list(scratch.iterdir())
    run(photos)
    assert not scratch.exists()


def test_bad_image_fails_alone_and_is_retried_next_time(photos, tmp_path):
    (photos / "bad.png").write_bytes((photos / "z.png").read_bytes()[:200])
    results = run(photos)
    (failed,) = [result for result in results if result.status == "failed"]
    assert statuses(results).count("done") == 3
    assert failed.task.source.endswith("bad.png")
    assert (failed.failure.stage, failed.failure.error) == ("read", "ReadError")
    assert failed.failure.hint
    assert outputs(tmp_path / "photos-processed") == ["b.png", "trip/a.png", "z.png"]
    again = runner_for(photos)
    assert reasons(again) == ["", "failed before", "", ""]
    write_png(photos / "bad.png")
    assert "failed" not in statuses(run(photos))


def test_failed_image_keeps_its_earlier_output(photos, tmp_path):
    run(photos)
    before = (tmp_path / "photos-processed" / "z.png").read_bytes()
    (photos / "z.png").write_bytes(b"no picture any more")
    assert statuses(run(photos)).count("failed") == 1
    assert (tmp_path / "photos-processed" / "z.png").read_bytes() == before


def test_image_deleted_after_planning_fails(photos):
    runner = runner_for(photos)
    (photos / "z.png").unlink()
    (failed,) = [result for result in runner.results() if result.status == "failed"]
    assert failed.task.source.endswith("z.png")
    assert failed.failure.stage == "read"
    assert "no longer exists" in failed.failure.message


def test_unreadable_folder_is_a_failure(photos):
    with unreadable(photos / "trip"):
        results = run(photos)
    (failed,) = [result for result in results if result.status == "failed"]
    assert failed.task.source == str(photos / "trip")
    assert "permission denied" in failed.failure.message
    assert statuses(results).count("done") == 2


def test_image_whose_filter_exits_fails_alone(photos, monkeypatch):
    with installed(monkeypatch):
        results = run(photos, recipe=Recipe.from_specs(["exit_if_small"]))
    (failed,) = [result for result in results if result.status == "failed"]
    assert failed.task.source.endswith("b.png")
    assert failed.failure.error == "SystemExit"
    assert statuses(results).count("done") == 2


def test_filter_that_does_not_load_stops_the_run(photos, tmp_path, monkeypatch):
    with installed(monkeypatch), pytest.raises(RunError, match="the weights are damaged"):
        run(photos, recipe=Recipe.from_specs(["unloadable"]))
    assert outputs(tmp_path / "photos-processed") == []


@pytest.mark.parametrize(
    "name",
    ["new\nline.png", "-dash.png", "🔬 µ.png", "x" * 240 + ".png", "x" * 251 + ".png", "\udcff\udcfe.png", "a b.PNG"],
)
def test_odd_names_are_processed_and_then_skipped(tmp_path, name):
    write_png(tmp_path / "photos" / name)
    assert statuses(run(tmp_path / "photos")) == ["done"]
    assert set(os.listdir(tmp_path / "photos-processed")) == {".imgpool", name}
    assert statuses(run(tmp_path / "photos")) == ["skipped"]


def test_several_inputs_keep_their_names_in_the_output(photos, tmp_path, monkeypatch):
    write_png(tmp_path / "more" / "b.png")
    monkeypatch.chdir(tmp_path)
    run(photos.name, "more", output="results")
    assert outputs(tmp_path / "results") == ["more/b.png", "photos/b.png", "photos/trip/a.png", "photos/z.png"]


def test_other_output_format_is_not_done_yet(photos, tmp_path):
    run(photos)
    to_jpeg = runner_for(photos, recipe=BLUR.with_output(Output.parse("jpeg")))
    assert reasons(to_jpeg) == ["new"] * 3
    assert statuses(to_jpeg.results()) == ["done"] * 3
    assert len(outputs(tmp_path / "photos-processed")) == 6


def test_running_a_plan_does_not_change_it(photos):
    runner = runner_for(photos)
    before = (runner.plan.images, runner.plan.tasks, runner.plan.done, runner.plan.reasons)
    assert statuses(runner.results()) == ["done"] * 3
    assert (runner.plan.images, runner.plan.tasks, runner.plan.done, runner.plan.reasons) == before
    with pytest.raises(RunError, match=r"another run wrote into .* after this one was planned"):
        list(Runner(runner.plan).results())


def test_run_file_describes_the_run(photos, tmp_path):
    run(photos)
    write_png(photos / "new.png")
    before = journal_path(str(tmp_path / "photos-processed")).stat().st_size
    results = list(runner_for(photos, recipe=BLUR).results())
    info = run_file.read(str(tmp_path / "photos-processed"))
    assert info.inputs == (str(photos),)
    assert (info.recipe, info.fingerprint, info.engine, info.workers) == ("gaussian", BLUR.fingerprint(), "serial", 1)
    assert (info.found, info.skipped, info.to_do, info.journal) == (len(results), 3, 1, before)
    assert (info.how, info.pid) == ("finished", os.getpid())


def test_run_file_of_a_stopped_run_says_interrupted(photos, tmp_path):
    runner = runner_for(photos)
    results = runner.results()
    next(results)
    runner.stop()
    assert list(results) == []
    assert run_file.read(str(tmp_path / "photos-processed")).how == "interrupted"


def test_api_gives_the_same_outputs_as_a_runner(photos, tmp_path):
    results = list(imgpool.process(photos, filters=["gaussian:sigma=1"], output=tmp_path / "a", engine="serial"))
    run(photos, output=str(tmp_path / "b"))
    assert statuses(results) == ["done"] * 3
    for name in outputs(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_folder_at_a_target_fails_that_image_alone(photos, tmp_path):
    run(photos)
    target = tmp_path / "photos-processed" / "z.png"
    target.unlink()
    target.mkdir()
    results = run(photos)
    (failed,) = [result for result in results if result.status == "failed"]
    assert failed.failure.stage == "write"
    assert statuses(results).count("skipped") == 2


@pytest.mark.parametrize("engine", ["serial", "pool"])
def test_latest_metrics_are_kept(photos, engine):
    reported = []
    run = Runner(make_plan(RunSettings((str(photos),), BLUR, engine=engine)))
    results = list(run.results(reported.append))
    assert run.metrics == reported[-1]
    assert run.metrics.tasks == len(results)
    assert run.metrics.reason


def test_outputs_missing_in_the_journal_are_made_again(photos, tmp_path):
    output = tmp_path / "photos-processed"
    leave_as_if_killed(photos)
    assert outputs(output) == ["trip/a.png"]
    assert statuses(run(photos)) == ["done"] * 3
    info = run_file.read(str(output))
    assert (info.how, info.unsettled) == ("finished", ())


def test_output_of_a_killed_run_stays_known_after_other_runs(photos, tmp_path):
    output = tmp_path / "photos-processed"
    leave_as_if_killed(photos)
    write_png(tmp_path / "more" / "c.png")
    for _ in range(2):
        run(tmp_path / "more", output=str(output), fresh=True)
    assert statuses(run(photos)) == ["done"] * 3


def test_output_of_a_run_started_meanwhile_is_not_foreign(photos, monkeypatch):
    """Its outputs exist before they are in the journal; the error must name the run, not foreign files."""
    first = runner_for(photos).results()
    real, calls = run_file.read, []

    def read(output):
        info = real(output)
        if not calls:
            calls.append(output)
            next(first)  # makes an output that is not committed yet
        return info

    monkeypatch.setattr(run_file, "read", read)
    second = runner_for(photos)
    with pytest.raises(RunError, match="another run is writing"):
        list(second.results())
    assert statuses(first) == ["done"] * 2


def test_run_without_tasks_cleans_up_after_a_killed_run(photos, tmp_path):
    output = tmp_path / "photos-processed"
    run(photos)
    killed = run_file.read(str(output)).token
    leftover = output / ".imgpool" / "tmp" / killed / "half.png"
    leftover.parent.mkdir(parents=True)
    leftover.touch()
    assert statuses(run(photos)) == ["skipped"] * 3
    assert leftover.exists()  # after a run that finished, nothing is looked for
    info = run_file.read(str(output))
    run_file.write(str(output), replace(info, ended=None, how=None, process_started=1.0))
    assert statuses(run(photos)) == ["skipped"] * 3
    assert not leftover.exists()
    assert run_file.read(str(output)).how == "finished"


def test_second_run_into_the_same_output_is_refused(photos):
    """It would remove the partial files of the first run, and both would write the journal."""
    first = runner_for(photos).results()
    next(first)
    with pytest.raises(RunError):
        list(runner_for(photos).results())
    assert statuses(first) == ["done"] * 2
    assert statuses(run(photos)) == ["skipped"] * 3


@pytest.mark.parametrize("name", [format_.name for format_ in FORMATS if format_.can_hold(GREY)])
def test_full_disk_stops_the_run_and_space_continues_it(tmp_path, name):
    """Whatever the writer raises: some libraries give an OSError without an errno, or a RuntimeError."""
    for number in range(3):
        write_png(tmp_path / "photos" / f"{number}.png", 512)
    with disk(tmp_path / "disk", "128k") as folder:
        settings = {"recipe": Recipe("keep").with_output(Output.parse(name)), "output": str(folder / "out")}
        results = runner_for(tmp_path / "photos", **settings).results()
        seen = []
        with pytest.raises(RunError, match="the disk is full") as caught:
            seen.extend(results)
        assert "free some space" in caught.value.hint
        assert (seen, outputs(folder / "out")) == ([], [])
        remount(folder, "size=16m")
        assert statuses(run(tmp_path / "photos", **settings)) == ["done"] * 3
