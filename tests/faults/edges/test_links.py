"""Links and special files in an output folder: refused in one sentence; nothing outside is read, changed or deleted."""

import os
import shutil
from dataclasses import replace

import pytest

from imgpool.core.errors import RunError, UsageError
from imgpool.output import run_file
from imgpool.output.run_file import InterruptedRun
from imgpool.output.status import Status
from tests.support.hashes import output_hashes
from tests.support.run_files import run_of
from tests.support.serial_runs import process, verify
from tests.support.special_files import ALL_KINDS, KINDS, WRONG_FILES, WRONG_FOLDERS, snapshot

pytestmark = pytest.mark.usefixtures("never_blocked", "ways_to_open")

STATE = ".imgpool"
FILES = ("journal.jsonl", "run.json", "lock")
FOLDERS = ("tmp", "planned", "intents", "replaced")
TOKEN = "0123456789abcdef"


def assert_refused(act, path):
    with pytest.raises(RunError) as caught:
        act()
    assert f"{path} is " in caught.value.message
    assert "where imgpool needs" in caught.value.message
    assert "move it away" in caught.value.hint


@pytest.mark.parametrize("kind", WRONG_FOLDERS)
def test_a_wrong_state_folder_is_refused(photos, output, outside, kind):
    (output / STATE).rmdir()
    KINDS[kind](output / STATE, outside)
    before = snapshot(outside), snapshot(output)
    assert_refused(lambda: process(photos, output), output / STATE)
    assert_refused(lambda: verify(output), output / STATE)
    assert (snapshot(outside), snapshot(output)) == before


@pytest.mark.parametrize("kind", WRONG_FILES)
@pytest.mark.parametrize("name", FILES)
def test_wrong_files_in_the_state_folder_are_refused(photos, output, outside, name, kind):
    KINDS[kind](output / STATE / name, outside)
    before = snapshot(outside), snapshot(output)
    assert_refused(lambda: process(photos, output), output / STATE / name)
    if name != "lock":  # readers do not need it
        assert_refused(lambda: Status(str(output)), output / STATE / name)
        assert_refused(lambda: verify(output), output / STATE / name)
    assert (snapshot(outside), snapshot(output)) == before


@pytest.mark.parametrize("kind", WRONG_FOLDERS)
@pytest.mark.parametrize("name", FOLDERS)
def test_wrong_folders_in_the_state_folder_are_refused(photos, output, outside, name, kind):
    KINDS[kind](output / STATE / name, outside)
    before = snapshot(outside), snapshot(output)
    assert_refused(lambda: process(photos, output), output / STATE / name)
    assert (snapshot(outside), snapshot(output)) == before


@pytest.mark.parametrize("kind", WRONG_FILES)
@pytest.mark.parametrize("name", [f"planned/{TOKEN}", f"intents/{TOKEN}-1.jsonl"])
def test_wrong_files_of_a_dead_run_are_refused(photos, output, outside, name, kind):
    dead = run_of(token=TOKEN, process_started=1.0)
    run_file.write(str(output), replace(dead, unsettled=(InterruptedRun(TOKEN, "key", 0),)))
    path = output / STATE / name
    path.parent.mkdir()
    KINDS[kind](path, outside)
    before = snapshot(outside), snapshot(output)
    assert_refused(lambda: process(photos, output), path)
    assert (snapshot(outside), snapshot(output)) == before


def test_the_output_itself_may_be_a_link(photos, output, tmp_path):
    (tmp_path / "link").symlink_to("out")
    assert process(photos, tmp_path / "link") == ["done"] * 2
    assert process(photos, tmp_path / "link") == ["skipped"] * 2
    assert Status(str(tmp_path / "link")).state == "finished"
    assert [file.state for file in verify(tmp_path / "link")] == ["intact"] * 2
    assert sorted(output_hashes(output)) == ["trip/0.png", "trip/1.png"]


def test_an_output_that_is_a_broken_link_is_named(photos, tmp_path):
    (tmp_path / "link").symlink_to("missing")
    with pytest.raises(UsageError, match="link is a link that leads to no folder"):
        process(photos, tmp_path / "link")
    assert not (tmp_path / "missing").exists()


def test_a_journal_with_another_name_is_not_appended_to(photos, output, outside):
    """What is appended would be run by the next shell, if a source has a crafted name."""
    os.link(outside / "file", output / STATE / "journal.jsonl")
    before = snapshot(outside)
    with pytest.raises(RunError, match="hard link") as caught:
        process(photos, output)
    assert "copy" in caught.value.hint
    assert snapshot(outside) == before
    shutil.copy(output / STATE / "journal.jsonl", output / STATE / "copy")
    (output / STATE / "copy").rename(output / STATE / "journal.jsonl")
    assert process(photos, output) == ["done"] * 2
    assert (outside / "file").read_text() == "# start of a shell\n"


def test_a_run_file_with_another_name_is_replaced_not_changed(photos, output, outside):
    os.link(outside / "file", output / STATE / "run.json")
    assert process(photos, output) == ["done"] * 2
    assert (outside / "file").read_text() == "# start of a shell\n"


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_leftovers_of_a_dead_run_are_removed_not_followed(photos, output, outside, kind):
    """Whatever has the name of its scratch folder, or is in it."""
    run_file.write(str(output), run_of(token=TOKEN, process_started=1.0))
    scratch = output / STATE / "tmp"
    scratch.mkdir()
    KINDS[kind](scratch / TOKEN, outside)
    if kind == "folder":
        for number, make in enumerate(KINDS.values()):
            make(scratch / TOKEN / str(number), outside)
    else:
        KINDS[kind](output / STATE / f"run-{TOKEN}.tmp", outside)
    before = snapshot(outside)
    assert process(photos, output) == ["done"] * 2
    assert sorted(os.listdir(output / STATE)) == ["journal.jsonl", "lock", "run.json"]
    assert snapshot(outside) == before
