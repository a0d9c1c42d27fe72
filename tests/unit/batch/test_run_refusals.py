"""What a run refuses before it starts, and what stops it: bad usage, a run at work, a full disk."""

import contextlib
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from small_runs import BLUR, outputs, prepare, run, statuses, write_png

import imgpool
from imgpool.batch.journal import journal_path
from imgpool.batch.run import Run, Settings
from imgpool.core.catalogue import FORMATS
from imgpool.core.errors import RunError, UsageError
from imgpool.core.image import Properties
from imgpool.core.recipe import Output, Recipe

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
    with pytest.raises(UsageError, match=r"z\.png is already there"):
        prepare(photos, output=str(tmp_path / "out"))
    with pytest.raises(UsageError, match=r"z\.png is already there"):
        prepare(photos, output=str(tmp_path / "out"), fresh=True)
    assert (tmp_path / "out" / "z.png").read_bytes() == before


@pytest.mark.parametrize("fresh", [False, True])
def test_a_journal_of_a_newer_imgpool_is_refused_also_when_all_is_run_fresh(photos, tmp_path, fresh):
    run(photos)
    with journal_path(str(tmp_path / "photos-processed")).open("ab") as file:
        file.write(b'{"v": 99}\n')
    with pytest.raises(UsageError, match="newer imgpool"):
        prepare(photos, fresh=fresh)


def test_an_unknown_engine_is_bad_usage(photos):
    with pytest.raises(UsageError, match="no engine is called 'seriel'") as caught:
        Run(Settings((str(photos),), BLUR, engine="seriel"))
    assert caught.value.hint == "did you mean serial?"


@pytest.mark.parametrize(
    "bad", [{"workers": 0}, {"workers": -1}, {"chunksize": 0}, {"retries": -1}, {"timeout": -1.0}, {"max_pixels": 0}]
)
def test_a_senseless_number_is_bad_usage(photos, bad):
    with pytest.raises(UsageError):
        Run(replace(Settings((str(photos),), BLUR), **bad))


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


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 128 KiB, and what makes it larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("mounting is not permitted here")
    try:
        yield folder, lambda: subprocess.run(["mount", "-o", "remount,size=16m", str(folder)], check=True)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("name", [format_.name for format_ in FORMATS if format_.can_hold(GREY)])
def test_a_full_disk_stops_the_run_and_making_space_continues_it(tmp_path, small_disk, name):
    """Whatever the writer raises: some libraries give an OSError without an errno, or a RuntimeError."""
    disk, enlarge = small_disk
    for number in range(3):
        write_png(tmp_path / "photos" / f"{number}.png", 512)
    settings = {"recipe": Recipe("keep").with_output(Output.parse(name)), "output": str(disk / "out")}
    results = prepare(tmp_path / "photos", **settings).results()
    seen = []
    with pytest.raises(RunError, match="the disk is full") as caught:
        seen.extend(results)
    assert "make space" in caught.value.hint
    assert outputs(disk / "out") == []
    enlarge()
    assert statuses(run(tmp_path / "photos", **settings)) == ["done"] * 3


def test_a_disk_without_a_byte_left_for_the_journal_stops_the_run_too(tmp_path, small_disk):
    disk, enlarge = small_disk
    write_png(tmp_path / "photos" / "a.png", 512)
    planned = prepare(tmp_path / "photos", output=str(disk / "out"))
    with contextlib.suppress(OSError):
        (disk / "filling").write_bytes(b"\0" * 2**18)
    with pytest.raises(RunError, match="disk is full"):
        list(planned.results())
    enlarge()
    assert statuses(run(tmp_path / "photos", output=str(disk / "out"))) == ["done"]
