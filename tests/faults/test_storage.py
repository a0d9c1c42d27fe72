"""Storage that fails: the run stops with a message and a remedy, records nothing false, and can be continued."""

import os
import shutil
import subprocess
import sys
import traceback

import numpy as np
import pytest

from imgpool import Image, write
from imgpool.batch.plan import make_plan
from imgpool.batch.run import Runner
from imgpool.batch.settings import RunSettings
from imgpool.core.errors import RunError
from imgpool.core.recipe import Output, Recipe
from imgpool.core.task import Task
from imgpool.output import run_file
from imgpool.system.rename import Placing
from imgpool.work.existing_file import Content
from imgpool.work.placing import Destination, Placer
from tests.support.disks import disk, file_size_limit, remount, shown_at, unmount
from tests.support.hashes import output_hashes
from tests.support.runs import command, records
from tests.support.small_runs import BLUR, run, runner_for, statuses, write_png

PAGE = 4096
IMAGES = [*(f"plate{number % 2}/{number}.png" for number in range(6)), "top.png"]


@pytest.fixture
def photos(tmp_path):
    for number, name in enumerate(IMAGES):
        write_png(tmp_path / "photos" / name, 60 + number)
    return tmp_path / "photos"


@pytest.fixture
def expected(photos, tmp_path):
    """The outputs of an undisturbed run."""
    run(photos, output=str(tmp_path / "expected"))
    return output_hashes(tmp_path / "expected")


def assert_stops(results, sentence):
    """Consume results until the run stops; return its error."""
    seen = []
    with pytest.raises(RunError, match=sentence) as caught:
        seen.extend(results)
    assert "then run the same command again" in caught.value.hint or "`output`" in caught.value.hint
    assert "failed" not in statuses(seen)
    return caught.value


def assert_intact(output, expected):
    """Check that there are only complete outputs, and that the journal lists no others."""
    there = output_hashes(output)
    assert there.items() <= expected.items()
    assert {record["target"] for record in records(output)} <= there.keys()
    assert not (output / ".imgpool" / "tmp").exists()


def assert_finishes(photos, output, expected):
    done = statuses(run(photos, output=str(output)))
    assert set(done) <= {"done", "skipped"}
    assert output_hashes(output) == expected
    assert {record["target"] for record in records(output)} == expected.keys()
    assert "done" not in done or run_file.read(str(output)).how == "finished"


def failing_function(error):
    """Name the function of the parent that raised the error; "worker" if a worker did."""
    names = [frame.name for frame in traceback.extract_tb(error.__cause__.__traceback__)] if error.__cause__ else []
    ours = [name for name in names if name in {"write", "_write", "_scratch_folder", "__init__", "__enter__"}]
    return ours[-1] if ours else "worker"


def run_until_full(photos, output):
    """Run; return the function that met the full disk, or None if there was enough space."""
    try:
        run(photos, output=str(output))
    except RunError as error:
        stopped = error
    else:
        return None
    assert stopped.message.endswith("the disk is full")
    assert "free some space" in stopped.hint
    return failing_function(stopped)


def test_a_run_continues_after_a_disk_was_full_at_any_point(photos, tmp_path, expected):
    stopped_in = set()
    limits = [{"size": pages * PAGE} for pages in range(1, 30)]
    limits += [{"size": "16m", "nr_inodes": inodes} for inodes in range(1, 16)]
    for limit in limits:
        with disk(tmp_path / "disk", **limit) as folder:
            stopped_in.add(run_until_full(photos, folder / "out"))
            assert_intact(folder / "out", expected)
            remount(folder, "size=16m,nr_inodes=1000")
            assert_finishes(photos, folder / "out", expected)
    # the lock, the run file, the scratch folder, the journal, an image, and none
    assert stopped_in >= {"__enter__", "write", "_scratch_folder", "_write", "worker", None}


def test_a_run_continues_on_a_disk_that_fills_up_repeatedly(photos, tmp_path, expected):
    with disk(tmp_path / "disk", 4 * PAGE) as folder:
        for pages in range(4, 60, 4):
            remount(folder, f"size={pages * PAGE}")
            run_until_full(photos, folder / "out")
            assert_intact(folder / "out", expected)
        assert_finishes(photos, folder / "out", expected)


def test_the_command_exits_with_3_on_a_full_disk(photos, tmp_path, expected):
    def process():
        words = command("process", photos, "-o", folder / "out", "-f", "gaussian:sigma=1", "-j", "2")
        return subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)

    with disk(tmp_path / "disk", 10 * PAGE) as folder:
        full = process()
        assert full.returncode == 3
        assert full.stderr.count("the disk is full") == 1
        assert "free some space, then run the same command again" in full.stderr
        assert_intact(folder / "out", expected)
        remount(folder, "size=16m")
        assert process().returncode == 0
        assert output_hashes(folder / "out") == expected


@pytest.mark.parametrize("again", [False, True])
def test_a_read_only_output_stops_the_run_at_the_start(photos, tmp_path, expected, again):
    with disk(tmp_path / "disk", "16m") as folder:
        if again:
            stopped = runner_for(photos, output=str(folder / "out")).results()
            next(stopped)
            stopped.close()
        remount(folder, "ro")
        assert_stops(
            runner_for(photos, output=str(folder / "out")).results(), "the output is on a read-only file system"
        )
        remount(folder, "rw")
        assert_finishes(photos, folder / "out", expected)


def test_an_unmounted_output_stops_the_run(photos, tmp_path, expected):
    (tmp_path / "share").mkdir()
    with shown_at(tmp_path / "mount", tmp_path / "share") as folder:
        for taken in (1, 4):
            results = runner_for(photos, output=str(folder / "out"), fresh=True).results()
            for _ in range(taken):
                assert next(results).status == "done"
            unmount(folder)
            assert_stops(results, f"the output folder {folder}/out is gone")
            assert list(folder.iterdir()) == []
            subprocess.run(["mount", "--bind", tmp_path / "share", folder], check=True)
            assert {record["target"] for record in records(folder / "out")} <= expected.keys()
        assert_finishes(photos, folder / "out", expected)


@pytest.mark.parametrize("left", ["nothing", "the mount point", "the folder of its own files"])
def test_placing_a_missing_output_creates_no_folders(tmp_path, left):
    """After the disk was unmounted, new folders would be created in the empty mount point."""
    state = tmp_path / "out" / ".imgpool"
    if left != "nothing":
        (state if left == "the folder of its own files" else state.parent).mkdir(parents=True)
    before = [path for path in tmp_path.rglob("*") if path.name != "intents"]
    placer = Placer(Destination(str(state.parent), str(state), "token", Placing()))
    task = Task(str(tmp_path / "a.png"), str(tmp_path / "out" / "plate" / "a.png"), 1, 1)
    with pytest.raises(FileNotFoundError):
        placer.place(str(state / "tmp" / "a.png"), task, Content(0, ""))
    assert [path for path in tmp_path.rglob("*") if "intents" not in path.parts] == before


def test_a_removed_output_stops_the_run(photos, tmp_path, expected):
    output = tmp_path / "out"
    results = runner_for(photos, output=str(output)).results()
    next(results)
    os.rename(output, tmp_path / "away")
    assert_stops(results, f"the output folder {output} is gone")
    assert not output.exists()
    os.rename(tmp_path / "away", output)
    assert_finishes(photos, output, expected)


@pytest.mark.parametrize(("engine", "taken"), [("serial", 0), ("serial", 3), ("pool", 0)])
def test_an_unmounted_input_stops_the_run(photos, tmp_path, engine, taken):
    with shown_at(tmp_path / "mount", photos) as folder:
        settings = RunSettings((str(folder),), BLUR, str(tmp_path / "out"), engine, workers=2)
        results = Runner(make_plan(settings)).results()
        for _ in range(taken):
            assert next(results).status == "done"
        unmount(folder)
        assert_stops(results, f"the input folder {folder} is gone")
    assert len(list(records(tmp_path / "out"))) == taken


def test_a_single_missing_file_fails_alone(photos, tmp_path):
    planned = runner_for(photos, output=str(tmp_path / "out"))
    (photos / IMAGES[0]).unlink()
    assert sorted(statuses(planned.results())) == ["done"] * 6 + ["failed"]


def test_a_file_above_the_size_limit_fails_alone(photos, tmp_path):
    write_png(photos / "large.png", 400)
    with file_size_limit(20_000):
        results = run(photos, output=str(tmp_path / "out"))
    (failed,) = [result for result in results if result.failure]
    assert failed.task.source.endswith("large.png")
    assert "larger than the file system" in failed.failure.message
    assert len(output_hashes(tmp_path / "out")) == len(IMAGES)


def test_a_name_that_is_too_long_fails_alone(tmp_path):
    for name in ("short.bmp", "x" * 251 + ".bmp"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(exist_ok=True)
        write(Image.from_array(np.zeros((9, 9, 3), np.uint8)), path)
    to_webp = Recipe("keep").with_output(Output.parse("webp"))
    failed, done = sorted(run(tmp_path / "photos", recipe=to_webp), key=lambda result: result.status == "done")
    assert (failed.failure.message, failed.failure.hint) == (
        "the file name of the output is too long",
        "shorten the name of the source",
    )
    assert done.status == "done"


def test_images_of_a_folder_on_another_disk_fail_alone(photos, tmp_path):
    (tmp_path / "out").mkdir()
    with disk(tmp_path / "out" / "plate0", "1m"):
        results = run(photos, output=str(tmp_path / "out"))
    assert statuses(results).count("failed") == 3
    assert {result.failure.message for result in results if result.failure} == {
        "its target is on a different file system than the output folder"
    }


SCRIPT = """
import pathlib, sys, imgpool
from imgpool.core.errors import RunError
close_after = int(sys.argv[3])
try:
    for result in imgpool.process(sys.argv[1], output=sys.argv[2], filters=["gaussian:sigma=1"], engine="serial"):
        print(result.status, result.failure.message if result.failure else "")
        close_after -= 1
        if not close_after:
            for folder in pathlib.Path(sys.argv[2], ".imgpool", "tmp").iterdir():
                folder.chmod(0o555)
except RunError as error:
    print("stopped", error)
"""


def with_permissions(photos, output, *, close_after=0):
    """Process without root's power to ignore permissions; return the lines printed."""
    words = [sys.executable, "-c", SCRIPT, photos, output, str(close_after)]
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root cannot give up its privileges here")
        words = ["setpriv", "--bounding-set=-dac_override", *words]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_images_of_a_read_only_folder_fail_alone(photos, tmp_path):
    (tmp_path / "out" / "plate0").mkdir(parents=True)
    (tmp_path / "out" / "plate0").chmod(0o555)
    lines = with_permissions(photos, tmp_path / "out")
    assert lines.count("done ") == 4
    assert lines.count("failed it cannot be written (permission denied)") == 3


def test_an_output_without_write_permission_stops_the_run(photos, tmp_path):
    (tmp_path / "closed").mkdir(0o555)
    (line,) = with_permissions(photos, tmp_path / "closed" / "out")
    assert line.startswith(f"stopped {tmp_path}/closed/out: it cannot be written (permission denied)")
    assert "`output`" in line


def test_losing_the_write_permission_stops_the_run(photos, tmp_path, expected):
    """As on a share whose login expires at night."""
    *done, last = with_permissions(photos, tmp_path / "out", close_after=2)
    assert done == ["done ", "done "]
    assert last.startswith(f"stopped {tmp_path}/out: it cannot be written (permission denied)")
    assert_intact(tmp_path / "out", expected)
    assert_finishes(photos, tmp_path / "out", expected)
