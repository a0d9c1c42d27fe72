"""What a run refuses before it starts, and what stops it: bad usage, a run at work, a full disk."""

import os
from dataclasses import replace

import numpy as np
import pytest

import imgpool
from imgpool.batch.plan import make_plan
from imgpool.batch.settings import RunSettings
from imgpool.core.catalogue import FORMATS
from imgpool.core.errors import RunError, UsageError
from imgpool.core.image import Properties
from imgpool.core.recipe import Output, Recipe
from imgpool.output import run_file
from imgpool.output.layout import journal_path
from tests.support.disks import disk, remount
from tests.support.small_runs import BLUR, outputs, prepare, run, statuses, write_png

GREY = Properties((512, 512), np.dtype("uint8"), "YX")


def test_no_image_is_bad_usage_and_says_what_was_there(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"no image found in .*photos among 1 file") as caught:
        prepare(tmp_path / "photos")
    assert ".png" in caught.value.hint


def test_no_input_at_all_is_bad_usage():
    with pytest.raises(UsageError):
        prepare()


def test_foreign_files_in_the_output_are_refused_until_a_run_has_written_there(photos, tmp_path):
    write_png(tmp_path / "out" / "z.png", 4)
    before = (tmp_path / "out" / "z.png").read_bytes()
    with pytest.raises(UsageError, match=r"z\.png exists and was not"):
        prepare(photos, output=str(tmp_path / "out"))
    with pytest.raises(UsageError, match=r"z\.png exists and was not"):
        prepare(photos, output=str(tmp_path / "out"), fresh=True)
    assert (tmp_path / "out" / "z.png").read_bytes() == before


@pytest.mark.parametrize("fresh", [False, True])
def test_a_foreign_file_at_a_new_target_is_refused_also_where_runs_have_written(photos, tmp_path, fresh):
    run(photos)
    write_png(photos / "new.png")
    foreign = write_png(tmp_path / "photos-processed" / "new.png", 4)
    before = foreign.read_bytes()
    with pytest.raises(UsageError, match=r"photos-processed/new\.png exists and was not written by imgpool"):
        prepare(photos, fresh=fresh)
    assert foreign.read_bytes() == before
    foreign.unlink()
    assert statuses(run(photos)).count("done") == 1


def leave_as_if_killed(photos, output):
    """Run until there is one output that the journal does not know, and no end in the run file."""
    results = prepare(photos).results()
    next(results)
    info = run_file.read(str(output))
    results.close()
    journal_path(str(output)).unlink()
    run_file.write(str(output), replace(info, process_started=1.0))


def test_what_a_killed_run_left_unjournalled_is_made_again(photos, tmp_path):
    output = tmp_path / "photos-processed"
    leave_as_if_killed(photos, output)
    assert outputs(output) == ["trip/a.png"]
    assert statuses(run(photos)) == ["done"] * 3
    info = run_file.read(str(output))
    assert (info.how, info.unsettled_since_ns, info.unsettled) == ("finished", None, ())


def test_a_run_of_other_images_in_between_does_not_make_it_foreign(photos, tmp_path):
    output = tmp_path / "photos-processed"
    leave_as_if_killed(photos, output)
    write_png(tmp_path / "more" / "b.png")
    for _ in range(2):
        run(tmp_path / "more", output=str(output), fresh=True)
    assert statuses(run(photos)) == ["done"] * 3


def test_what_stood_there_before_the_killed_run_is_still_foreign(photos, tmp_path):
    output = tmp_path / "photos-processed"
    foreign = write_png(output / "z.png", 4)
    os.utime(foreign, (1, 1))
    os.rename(photos / "z.png", tmp_path / "z.png")
    leave_as_if_killed(photos, output)
    os.rename(tmp_path / "z.png", photos / "z.png")
    with pytest.raises(UsageError, match=r"z\.png exists and was not"):
        prepare(photos)


def test_a_run_that_begins_while_another_is_planned_is_no_foreigner(photos, monkeypatch):
    """Its outputs are there before its journal; so it is told as what it is, not as files of somebody else."""
    first = prepare(photos).results()
    real, looks = run_file.read, []

    def read(output):
        info = real(output)
        if not looks:
            looks.append(info)
            next(first)  # makes an output that is not committed yet
        return info

    monkeypatch.setattr(run_file, "read", read)
    second = prepare(photos)
    with pytest.raises(RunError, match="another run is writing"):
        list(second.results())
    assert statuses(first) == ["done"] * 2


def test_a_run_with_nothing_to_do_tidies_up_after_one_that_was_killed(photos, tmp_path):
    output = tmp_path / "photos-processed"
    run(photos)
    litter = output / ".imgpool" / "tmp" / "0123" / "half.png"
    litter.parent.mkdir(parents=True)
    litter.touch()
    assert statuses(run(photos)) == ["skipped"] * 3
    assert litter.exists()  # a run that finished leaves none: nobody looks
    info = run_file.read(str(output))
    run_file.write(str(output), replace(info, ended=None, how=None, process_started=1.0))
    assert statuses(run(photos)) == ["skipped"] * 3
    assert not litter.exists()
    assert run_file.read(str(output)).how == "finished"


@pytest.mark.parametrize("fresh", [False, True])
def test_a_journal_of_a_newer_imgpool_is_refused_also_when_all_is_run_fresh(photos, tmp_path, fresh):
    run(photos)
    with journal_path(str(tmp_path / "photos-processed")).open("ab") as file:
        file.write(b'{"v": 99}\n')
    with pytest.raises(UsageError, match="newer imgpool"):
        prepare(photos, fresh=fresh)


def test_an_unknown_engine_is_bad_usage(photos):
    with pytest.raises(UsageError, match="no engine is called 'seriel'") as caught:
        make_plan(RunSettings((str(photos),), BLUR, engine="seriel"))
    assert caught.value.hint == "did you mean serial?"


@pytest.mark.parametrize(
    "bad", [{"workers": 0}, {"workers": -1}, {"chunksize": 0}, {"retries": -1}, {"timeout": -1.0}, {"max_pixels": 0}]
)
def test_a_senseless_number_is_bad_usage(photos, bad):
    with pytest.raises(UsageError):
        make_plan(replace(RunSettings((str(photos),), BLUR), **bad))


def test_a_senseless_size_is_bad_usage_from_python_too(photos):
    with pytest.raises(UsageError):
        imgpool.process(photos, filters=["gaussian"], engine="serial", max_memory="much")


def test_a_second_run_into_the_same_output_is_refused_while_the_first_is_at_work(photos):
    """It would clear the first one's half-written files away, and both would write the journal."""
    first = prepare(photos).results()
    next(first)
    with pytest.raises(RunError):
        list(prepare(photos).results())
    assert statuses(first) == ["done"] * 2
    assert statuses(run(photos)) == ["skipped"] * 3


@pytest.mark.parametrize("name", [format_.name for format_ in FORMATS if format_.can_hold(GREY)])
def test_a_full_disk_stops_the_run_and_making_space_continues_it(tmp_path, name):
    """Whatever the writer raises: some libraries give an OSError without an errno, or a RuntimeError."""
    for number in range(3):
        write_png(tmp_path / "photos" / f"{number}.png", 512)
    with disk(tmp_path / "disk", "128k") as folder:
        settings = {"recipe": Recipe("keep").with_output(Output.parse(name)), "output": str(folder / "out")}
        results = prepare(tmp_path / "photos", **settings).results()
        seen = []
        with pytest.raises(RunError, match="the disk is full") as caught:
            seen.extend(results)
        assert "free some space" in caught.value.hint
        assert (seen, outputs(folder / "out")) == ([], [])
        remount(folder, "size=16m")
        assert statuses(run(tmp_path / "photos", **settings)) == ["done"] * 3
