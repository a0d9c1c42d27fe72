"""Links and special files where results go: no result is written through them unless that is asked for."""

import os
import shutil

import pytest

import imgpool
from imgpool.core.errors import RunError
from tests.support.hashes import output_hashes
from tests.support.serial_runs import process, verify
from tests.support.small_runs import write_png
from tests.support.special_files import ALL_KINDS, KINDS, WRONG_FILES, WRONG_FOLDERS, snapshot

pytestmark = pytest.mark.usefixtures("never_blocked", "ways_to_open")

LINKS = [each for each in ALL_KINDS if "link" in each.values[0]]
LINKS_TO_FOLDERS = ["link to a folder", "relative link", "link to a link"]


def results_of(photos, output, **options):
    """The results, by the name of the source relative to the input."""
    results = imgpool.process(photos, output=output, filters=["gaussian:sigma=1"], engine="serial", **options)
    return {os.path.relpath(result.task.source, photos): result for result in results}


@pytest.fixture
def photos(tmp_path):
    """Two photos in a folder two levels below, and one at the top."""
    for name in ("trip/day/0.png", "trip/day/1.png", "top.png"):
        write_png(tmp_path / "in" / name, 8)
    return tmp_path / "in"


@pytest.mark.parametrize("level", ["trip", "trip/day"])
@pytest.mark.parametrize("kind", WRONG_FOLDERS)
def test_no_result_goes_through_a_wrong_folder(photos, output, outside, kind, level):
    (output / level).parent.mkdir(exist_ok=True)
    KINDS[kind](output / level, outside)
    before = snapshot(outside)
    results = results_of(photos, output)
    assert results.pop("top.png").status == "done"
    for result in results.values():
        assert (result.status, result.failure.stage) == ("failed", "write")
        assert f"{output / level} is " in result.failure.message
        assert "remove it" in result.failure.hint or "move it away" in result.failure.hint
    assert snapshot(outside) == before


@pytest.mark.parametrize("kind", LINKS)
def test_links_to_folders_are_followed_if_asked_for(photos, output, outside, kind):
    KINDS[kind](output / "trip", outside)
    before = snapshot(outside)
    results = results_of(photos, output, follow_output_links=True)
    if kind in LINKS_TO_FOLDERS:
        assert {result.status for result in results.values()} == {"done"}
        assert sorted(os.listdir(outside / "folder" / "day")) == ["0.png", "1.png"]
        assert {result.status for result in results_of(photos, output, follow_output_links=True).values()} == {
            "skipped"
        }
    else:
        assert results.pop("top.png").status == "done"
        assert {result.status for result in results.values()} == {"failed"}
        assert snapshot(outside) == before


@pytest.mark.parametrize("if_exists", ["fail", "skip", "replace"])
@pytest.mark.parametrize("kind", WRONG_FILES)
def test_what_is_at_a_target_is_never_followed(photos, output, outside, kind, if_exists):
    KINDS[kind](output / "top.png", outside)
    before, mode = snapshot(outside), (output / "top.png").lstat().st_mode
    result = results_of(photos, output, if_exists=if_exists)["top.png"]
    assert result.status == {"fail": "failed", "skip": "skipped", "replace": "done"}[if_exists]
    assert snapshot(outside) == before
    if if_exists == "replace":
        (run,) = (output / ".imgpool" / "replaced").iterdir()
        assert (run / "top.png").lstat().st_mode == mode
        assert (output / "top.png").is_file()
        assert not (output / "top.png").is_symlink()
    else:
        assert (output / "top.png").lstat().st_mode == mode


def test_a_folder_that_becomes_a_link_is_not_written_through(photos, output, outside):
    """Between two runs, and in the middle of one."""
    assert set(process(photos, output)) == {"done"}
    hashes = output_hashes(output)
    shutil.move(output / "trip" / "day", outside / "moved")
    (output / "trip" / "day").symlink_to(outside / "moved")
    before = snapshot(outside)
    results = results_of(photos, output, fresh=True)
    assert sorted(result.status for result in results.values()) == ["done", "failed", "failed"]
    assert snapshot(outside) == before
    (output / "trip" / "day").unlink()
    shutil.move(outside / "moved", output / "trip" / "day")
    assert set(process(photos, output)) <= {"done", "skipped"}
    assert output_hashes(output) == hashes


@pytest.mark.parametrize("moved", ["trip", "trip/day"])
def test_a_folder_that_is_swapped_during_a_run(photos, output, outside, moved):
    """The open folder is known to the worker, but its path leads elsewhere now."""
    results = imgpool.process(photos, output=output, filters=["gaussian:sigma=1"], engine="serial")
    for result in results:
        assert result.status == "done"
        if "0.png" in result.task.source:
            break
    shutil.move(output / moved, outside / "moved")
    (output / moved).symlink_to(outside / "moved")
    before = snapshot(outside)
    assert "failed" in [result.status for result in results if "1.png" in result.task.source]
    assert snapshot(outside) == before


def test_a_state_folder_that_is_swapped_during_a_run(photos, output, outside):
    results = imgpool.process(photos, output=output, filters=["gaussian:sigma=1"], engine="serial")
    assert next(results).status == "done"
    shutil.move(output / ".imgpool", output / "moved")
    (output / ".imgpool").symlink_to(outside / "folder")
    before = snapshot(outside)
    with pytest.raises(RunError, match=r"\.imgpool is a symbolic link"):
        list(results)
    assert snapshot(outside) == before


def test_verification_reads_through_links_and_changes_nothing(photos, output, outside):
    process(photos, output)
    shutil.move(output / "trip" / "day", outside / "moved")
    (output / "trip" / "day").symlink_to(outside / "moved")
    before = snapshot(outside), snapshot(output)
    assert {file.state for file in verify(output)} == {"intact"}
    assert (snapshot(outside), snapshot(output)) == before
