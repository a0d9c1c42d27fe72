"""Names and paths by the rules of each system; most rules are parameters, so that all are tested everywhere."""

import ntpath
import os
import posixpath

import pytest

from imgpool.system import paths
from imgpool.system.paths import (
    compose,
    extended_path,
    fold,
    from_portable,
    ignores_case,
    lies_inside,
    name_folding,
    name_problem,
    nearest_existing,
    plain_path,
    to_portable,
)


def test_relative_paths_are_stored_with_slashes():
    assert to_portable("trip\\day 1\\a.png", ntpath) == "trip/day 1/a.png"
    assert from_portable("trip/day 1/a.png", ntpath) == "trip\\day 1\\a.png"


def test_backslash_in_a_name_stays_where_it_is_no_separator():
    assert to_portable("a\\b.png", posixpath) == from_portable("a\\b.png", posixpath) == "a\\b.png"


@pytest.mark.parametrize(
    "name",
    ["CON", "con.tif", "nul.tar.gz", "Aux .png", "COM1", "lpt9.png", "com².tif", "CONIN$", "prn."],
)
def test_reserved_names_are_found(name):
    assert "reserved name" in name_problem(f"trip\\{name}", ntpath)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("trip.\\a.png", "'trip.' ends with a dot"),
        ("a.png ", "ends with a dot or a space"),
        ("trip/a:b.png", "contains ':'"),
        ("what?.png", "contains '?'"),
        ("two\nlines.png", "contains '\\n'"),
        ("trip/con/a.png", "'con' is a reserved name"),
    ],
)
def test_names_that_windows_changes_or_forbids_are_found(path, problem):
    assert problem in name_problem(path, ntpath)


@pytest.mark.parametrize(
    "path",
    [
        "D:\\photos\\a.png",
        "\\\\server\\share\\a.png",
        "..\\a.png",
        ".\\a",
        "console.png",
        "com10.png",
        "com.png",
        "ä.b",
    ],
)
def test_names_that_windows_allows_are_accepted(path):
    assert name_problem(path, ntpath) == ""


@pytest.mark.parametrize("path", ["con", "a:b", "trip. /x?", "\\"])
def test_other_systems_allow_every_name(path):
    assert name_problem(path, posixpath) == ""


def test_only_long_paths_of_windows_are_extended():
    long = "\\".join(["D:", *["x" * 60] * 5, "a.png"])
    assert extended_path("D:\\photos\\a.png") == "D:\\photos\\a.png"
    assert extended_path(long) == f"\\\\?\\{long}"
    assert extended_path(extended_path(long)) == extended_path(long)
    assert extended_path(long.replace("\\", "/")) == f"\\\\?\\{long}"
    assert extended_path("\\".join(["x" * 60] * 5)).startswith("\\\\?\\")  # relative
    assert extended_path("..\\a.png") == "..\\a.png"
    assert extended_path(f"\\\\server\\share{long[2:]}") == f"\\\\?\\UNC\\server\\share{long[2:]}"


def test_long_paths_are_opened_as_they_are_elsewhere():
    long = "/" + "x" * 300
    assert paths.openable(long) == (extended_path(long) if os.name == "nt" else long)


def test_folding_respects_what_the_file_system_ignores(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ignores_case", lambda _: False)
    assert name_folding(str(tmp_path), "linux")("Café") == "Café"
    assert name_folding(str(tmp_path), "darwin") is compose
    assert compose("cafe\u0301") == compose("caf\u00e9") == "caf\u00e9"
    for unknown in (True, None):
        monkeypatch.setattr(paths, "ignores_case", lambda _, result=unknown: result)
        assert name_folding(str(tmp_path), "linux") is fold


def test_case_sensitive_file_system_is_recognised(tmp_path):
    (tmp_path / "Entry").touch()
    with_both = tmp_path / "both"
    with_both.mkdir()
    for name in ("a", "A"):
        (with_both / name).touch()
    assert ignores_case(str(tmp_path)) is False
    assert ignores_case(str(with_both)) is False


def test_file_system_that_ignores_case_is_recognised(tmp_path, monkeypatch):
    (tmp_path / "Entry").touch()
    lstat = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: lstat(str(path).replace("eNTRY", "Entry")))
    assert ignores_case(str(tmp_path)) is True


def test_empty_folder_is_judged_by_its_own_name(tmp_path):
    (tmp_path / "Folder").mkdir()
    (tmp_path / "1").mkdir()
    assert ignores_case(str(tmp_path / "Folder")) is False
    assert ignores_case(str(tmp_path / "1")) is None
    assert ignores_case(str(tmp_path / "missing")) is None


def test_nearest_existing_folder_is_found(tmp_path):
    assert nearest_existing(str(tmp_path / "a" / "b")) == str(tmp_path)
    assert nearest_existing(str(tmp_path)) == str(tmp_path)


def test_a_folder_contains_itself_and_what_is_below(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    for inside in (folder, folder / "new", folder / "a" / "b", tmp_path / "link" / "x"):
        assert lies_inside(str(inside), str(folder))
    for outside in (tmp_path, tmp_path / "in-processed", tmp_path / "out"):
        assert not lies_inside(str(outside), str(folder))


def test_folders_without_numbers_are_compared_by_name(tmp_path, monkeypatch):
    """As on some network shares of Windows."""
    monkeypatch.setattr(paths, "_identity", lambda _: None)
    assert lies_inside(str(tmp_path / "in" / "out"), str(tmp_path / "in"))
    assert not lies_inside(str(tmp_path / "out"), str(tmp_path / "in"))


def test_extended_paths_are_shown_as_people_write_them():
    for path in ("D:\\" + "x" * 300, "\\\\server\\share\\" + "x" * 300, "D:\\a.png"):
        assert plain_path(extended_path(path)) == path
