"""``imgpool verify``: outputs compared with the journal."""

import os
import shutil

import pytest

from tests.support.run_files import write_elsewhere


@pytest.fixture(scope="module")
def done(imgpool, sample_images, tmp_path_factory):
    """The sample images, one of them with a line break in its name, and their outputs."""
    folder = tmp_path_factory.mktemp("verify")
    shutil.copytree(sample_images, folder / "in")
    shutil.copy(folder / "in" / "icon.png", folder / "in" / os.fsdecode(b"new\nline-\xff.png"))
    assert imgpool("process", folder / "in", "-o", folder / "out", "-r", "convert").code == 0
    return folder


@pytest.fixture
def output(done, tmp_path):
    """A copy of the outputs, for tests that damage them."""
    return shutil.copytree(done / "out", tmp_path / "out")


@pytest.fixture
def photo(sample_images, tmp_path):
    return shutil.copy(sample_images / "icon.png", tmp_path / "icon.png")


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_outputs_of_a_run_are_intact(imgpool, done):
    verified = imgpool("verify", done / "out")
    assert (verified.code, verified.stderr) == (0, "")
    count = len([path for path in (done / "out").rglob("*.*") if path.is_file() and ".imgpool" not in path.parts])
    assert verified.stdout.startswith(f"✓ {count} outputs checked · {count} intact · ")
    as_json = imgpool("verify", done / "out", "--json")
    assert (as_json.code, as_json.json["checked"], as_json.json["intact"]) == (0, count, count)
    assert imgpool("verify", done / "out", "-q").stdout == ""
    assert r"✓ new\nline-\udcff.png · intact" in imgpool("verify", done / "out", "-v").stdout


def test_each_problem_is_named_and_its_advice_is_right(imgpool, done, output):
    (output / os.fsdecode(b"new\nline-\xff.png")).unlink()
    with (output / "galaxy.png").open("ab") as file:
        file.write(b"!")
    flip(output / "pollen.jpg")
    (output / "plate" / "notes.txt").touch()
    (output / "usr").symlink_to("/usr")
    verified = imgpool("verify", output)
    assert verified.code == 1
    assert {line for line in verified.stdout.splitlines() if line.startswith("✗")} >= {
        r"✗ new\nline-\udcff.png · missing · it no longer exists",
        "✗ pollen.jpg · changed · same size, different content",
        "✗ plate/notes.txt · extra · not in the journal",
        "✗ usr · extra · not in the journal",
    }
    as_json = imgpool("verify", output, "--json")
    assert as_json.code == 1
    found = {kind: len(as_json.json[kind]) for kind in ("missing", "changed", "outdated", "extra", "unreadable")}
    assert found == {"missing": 1, "changed": 2, "outdated": 0, "extra": 2, "unreadable": 0}
    assert as_json.json["checked"] == as_json.json["intact"] + 3

    command = ["process", done / "in", "-o", output, "-r", "convert", "--serial", "--json"]
    again = imgpool(*command)
    assert (again.code, again.json["done"], again.json["failed"]) == (1, 1, 1)
    assert "galaxy.png was changed since imgpool wrote it" in again.json["failures"][0]["message"]
    assert imgpool(*command, "--if-exists", "replace").json["done"] == 1
    assert [each["path"] for each in imgpool("verify", output, "--json").json["changed"]] == ["pollen.jpg"]
    for path in ("pollen.jpg", "plate/notes.txt", "usr"):
        (output / path).unlink()
    assert imgpool(*command).json["done"] == 1
    assert imgpool("verify", output).code == 0


def test_an_edited_output_is_not_called_interrupted(imgpool, photo, tmp_path):
    command = ["process", photo, "-o", tmp_path / "out", "-f", "invert", "--serial"]
    assert imgpool(*command).code == 0
    (tmp_path / "out" / "icon.png").write_bytes(b"edited")
    assert [imgpool(*command).code for _ in range(2)] == [1, 1]
    verified = imgpool("verify", tmp_path / "out")
    assert verified.code == 1
    assert "interrupted" not in verified.stdout
    assert "Move links, folders and changed outputs away first" in verified.stdout


def test_a_file_of_the_user_is_named_as_such_in_each_run(imgpool, photo, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "icon.png").write_bytes(b"mine")
    for _ in range(3):
        done = imgpool("process", photo, "-o", tmp_path / "out", "-f", "invert", "--serial")
        assert (done.code, "icon.png exists and was not written by imgpool" in done.stderr) == (1, True)
    assert "did not finish" not in imgpool("verify", tmp_path / "out").stdout


def test_an_output_of_an_earlier_run_is_outdated(imgpool, photo, tmp_path):
    command = ["process", photo, "-o", tmp_path / "out", "-f", "invert", "--serial"]
    assert imgpool(*command).code == 0
    photo.write_bytes(b"no picture")
    assert imgpool(*command).code == 1
    verified = imgpool("verify", tmp_path / "out", "--json")
    assert (verified.code, verified.json["checked"], verified.json["intact"]) == (1, 1, 0)
    assert [each["path"] for each in verified.json["outdated"]] == ["icon.png"]
    assert "its output is still that of an earlier run" in imgpool("status", tmp_path / "out").stdout


def test_verification_during_a_run_names_it(imgpool, photo, tmp_path):
    output = tmp_path / "out"
    assert imgpool("process", photo, "-o", output, "-f", "invert", "--serial").code == 0
    info = write_elsewhere(output)
    verified = imgpool("verify", output, "--json")
    assert (verified.code, verified.stdout) == (3, "")
    assert f"pid {info.pid} on {info.host}, since 2026-11-22 21:03:11 UTC" in verified.stderr


def test_a_folder_without_a_journal_is_refused(imgpool, sample_images, tmp_path):
    verified = imgpool("verify", sample_images)
    assert (verified.code, verified.stdout) == (2, "")
    assert "sample_images was not written by imgpool" in verified.stderr
    assert imgpool("verify", tmp_path / "absent").code == 2
    (tmp_path / "file").touch()
    assert imgpool("verify", tmp_path / "file").code == 2
