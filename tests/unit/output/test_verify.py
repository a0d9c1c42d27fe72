"""Outputs compared with the journal: missing, changed, outdated, extra or unreadable."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from imgpool.core.errors import RunError, UsageError
from imgpool.output.layout import journal_path
from imgpool.output.run_file import InterruptedRun
from imgpool.output.verify import MAX_QUEUED_FILES, CheckedFile, Verification
from imgpool.system.resources import available_cpus
from tests.support.past_runs import ENDED, KILLED, done, failed, write_journal, write_run
from tests.support.permissions import unreadable
from tests.support.run_files import write_elsewhere
from tests.support.small_runs import outputs, run


@pytest.fixture
def output(photos, tmp_path):
    """The output of a run over b.png, trip/a.png and z.png."""
    run(photos, output=str(tmp_path / "out"))
    return tmp_path / "out"


def check_files(output):
    return list(Verification(str(output)).check_files())


def problems(output):
    """Return the state of each file that is not as it should be, by its path."""
    return {each.path: each.state for each in check_files(output) if each.state != "intact"}


def only_problem(output):
    """Return the only file that is not as it should be."""
    (found,) = [each for each in check_files(output) if each.state != "intact"]
    return found


def overwrite(path, change):
    path.write_bytes(change(path.read_bytes()))


def flipped(data):
    return data[:-1] + bytes([data[-1] ^ 1])


def test_unchanged_outputs_are_intact(output):
    found = check_files(output)
    assert sorted(each.path for each in found) == outputs(output) == ["b.png", "trip/a.png", "z.png"]
    assert {each.state for each in found} == {"intact"}


def test_a_missing_output_is_restored_by_a_rerun(output):
    (output / "b.png").unlink()
    assert only_problem(output) == CheckedFile("missing", "b.png", "it no longer exists", rerun_restores=True)


def test_outputs_in_a_missing_folder_are_missing(output):
    shutil.rmtree(output / "trip")
    assert problems(output) == {"trip/a.png": "missing"}
    (output / "trip").touch()
    assert problems(output) == {"trip/a.png": "missing", "trip": "extra"}


def test_a_changed_size_is_kept_by_a_rerun(output, photos):
    overwrite(output / "b.png", lambda data: data + b"!")
    size = (output / "b.png").stat().st_size
    reason = f"{size} bytes instead of {size - 1}"
    assert only_problem(output) == CheckedFile("changed", "b.png", reason)
    run(photos, output=str(output))
    assert problems(output) == {"b.png": "changed"}
    run(photos, output=str(output), if_exists="replace")
    assert problems(output) == {}


def test_one_changed_bit_is_not_restored_by_a_rerun(output, photos):
    overwrite(output / "b.png", flipped)
    assert only_problem(output) == CheckedFile("changed", "b.png", "same size, different content")
    run(photos, output=str(output))
    assert problems(output) == {"b.png": "changed"}


def test_an_old_output_is_outdated_if_the_last_run_failed(output, photos):
    (photos / "b.png").write_bytes(b"no picture")
    run(photos, output=str(output))
    assert only_problem(output).state == "outdated"
    overwrite(output / "b.png", flipped)
    assert only_problem(output) == CheckedFile("changed", "b.png", "same size, different content")
    (output / "b.png").unlink()
    assert only_problem(output).state == "absent"


def test_a_failed_image_has_no_output(photos, tmp_path):
    output = tmp_path / "out"
    (photos / "b.png").write_bytes(b"no picture")
    run(photos, output=str(output))
    assert only_problem(output) == CheckedFile("absent", "b.png")
    (output / "b.png").touch()
    assert problems(output) == {"b.png": "extra"}


def test_an_output_made_after_a_failure_is_intact(output, photos):
    picture = (photos / "b.png").read_bytes()
    for content in (b"no picture", picture):
        (photos / "b.png").write_bytes(content)
        run(photos, output=str(output))
    assert problems(output) == {}


def test_unrecorded_files_are_extra(output):
    for name in ("notes.txt", ".hidden.png", "trip/new\nline.png"):
        (output / name).touch()
    (output / "trip" / "deep").mkdir()
    os.mkfifo(output / "trip" / "deep" / "pipe.png")
    assert problems(output) == dict.fromkeys(
        ("notes.txt", ".hidden.png", "trip/new\nline.png", "trip/deep/pipe.png"), "extra"
    )


def test_state_and_system_files_are_not_extra(output):
    (output / ".imgpool" / "anything").touch()
    (output / "trip" / ".DS_Store").touch()
    (output / "__MACOSX").mkdir()
    (output / "__MACOSX" / "b.png").touch()
    assert problems(output) == {}


def test_a_nested_output_folder_is_not_checked(output, photos):
    run(photos, output=str(output / "again"))
    verification = Verification(str(output))
    assert {each.state for each in verification.check_files()} == {"intact"}
    assert verification.other_outputs == ["again"]
    assert problems(output / "again") == {}


@pytest.mark.parametrize("same_bytes", [True, False])
def test_a_link_in_place_of_an_output_is_a_change(output, tmp_path, same_bytes):
    other = tmp_path / "other.png"
    shutil.move(output / "b.png", other)
    (output / "b.png").symlink_to(other if same_bytes else tmp_path / "absent")
    assert only_problem(output) == CheckedFile("changed", "b.png", "replaced by a link")


def test_links_to_folders_are_not_followed(output, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.png").touch()
    (output / "elsewhere").symlink_to(tmp_path / "elsewhere")
    (output / "loop").symlink_to(output)
    assert problems(output) == {"elsewhere": "extra", "loop": "extra"}


def test_a_linked_folder_of_outputs_is_checked(output, tmp_path):
    shutil.move(output / "trip", tmp_path / "trip")
    (output / "trip").symlink_to(tmp_path / "trip")
    assert problems(output) == {}
    overwrite(tmp_path / "trip" / "a.png", flipped)
    assert problems(output) == {"trip/a.png": "changed"}


@pytest.mark.parametrize(("make", "what"), [(os.mkdir, "a folder"), (os.mkfifo, "a special file")])
def test_folders_and_pipes_are_not_read(output, make, what):
    (output / "b.png").unlink()
    make(output / "b.png")
    assert only_problem(output) == CheckedFile("changed", "b.png", f"replaced by {what}")


def test_an_unreadable_output_is_reported(output):
    with unreadable(output / "b.png"):
        assert only_problem(output) == CheckedFile("unreadable", "b.png", "it cannot be read (permission denied)")


def test_an_unlisted_folder_is_reported(output):
    (output / "new").mkdir()
    with unreadable(output / "new"):
        found = only_problem(output)
    assert (found.state, found.path) == ("unreadable", "new")
    assert "permission denied" in found.reason


def test_an_output_in_an_unreadable_folder_is_unreadable_too(output):
    with unreadable(output / "trip"):
        assert problems(output) == {"trip/a.png": "unreadable", "trip": "unreadable"}


def test_unusual_names_are_checked(photos, tmp_path):
    names = ["new\nline.png", os.fsdecode(b"not-utf8-\xff.png"), "[bold].png", "-f.png"]
    for name in names:
        shutil.copy(photos / "b.png", photos / name)
    run(photos, output=str(tmp_path / "out"))
    assert problems(tmp_path / "out") == {}
    for name in names:
        (tmp_path / "out" / name).unlink()
    assert problems(tmp_path / "out") == dict.fromkeys(names, "missing")


def test_files_come_in_the_order_of_the_journal(tmp_path):
    output, more_than_queued = str(tmp_path / "out"), MAX_QUEUED_FILES * available_cpus() + 20
    names = [f"{number}.png" for number in range(more_than_queued)]
    write_journal(output, *(done(output, name) for name in names))
    for name in names[::2]:
        Path(output, name).touch()
    assert [each.path for each in check_files(output)] == names


def test_a_cancelled_verification_stops_reading(tmp_path):
    """The second output is a sparse file of 1 TiB, which would take many minutes to read."""
    output, size = str(tmp_path / "out"), 2**40
    write_journal(output, done(output, "a.png"), done(output, "b.png", written=size))
    for name, length in (("a.png", 3), ("b.png", size)):
        with open(os.path.join(output, name), "wb") as file:
            file.truncate(length)
    before = threading.active_count()
    files = Verification(output).check_files()
    assert next(files).path == "a.png"
    files.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("changes", "expected"), [(ENDED, False), ({"unsettled": (InterruptedRun("0123", "key", 0),)} | KILLED, True)]
)
def test_a_killed_run_may_have_left_unrecorded_outputs(output, changes, expected):
    write_run(output, **changes)
    assert Verification(str(output)).may_have_unrecorded_outputs is expected


def test_verification_during_a_run_is_refused(output):
    write_elsewhere(output)
    with pytest.raises(RunError, match="pid 4711 on a-host-that-is-not-this-one, since 2026-11-22 21:03:11 UTC"):
        Verification(str(output))


def test_a_run_during_the_verification_is_an_error(output, photos):
    (photos / "b.png").unlink()
    found = Verification(str(output)).check_files()
    next(found)
    run(photos, output=str(output), fresh=True)
    with pytest.raises(RunError, match="during the verification"):
        list(found)


def test_a_folder_without_a_journal_is_refused(photos, tmp_path):
    with pytest.raises(UsageError, match="not written by imgpool"):
        Verification(str(photos))
    with pytest.raises(UsageError, match="does not exist"):
        Verification(str(tmp_path / "absent"))


def test_damaged_journal_lines_are_skipped(output):
    with journal_path(str(output)).open("ab") as file:
        file.write(b'{"v": 1, "status": "done", "target": "x", "written": 1, "sha256": "no hash"}\n{"v": 1}\n\0\0')
    assert problems(output) == {}


def test_a_journal_without_a_run_file_is_enough(tmp_path):
    output = str(tmp_path / "out")
    write_journal(output, failed(output))
    assert problems(output) == {"a.png": "absent"}
