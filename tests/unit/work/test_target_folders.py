"""The folders of targets: opened once, kept open, and never through a link."""

import os

import pytest

from imgpool.core.errors import WriteError
from imgpool.system.rename import Entry
from imgpool.work.target_folders import MAX_OPEN_FOLDERS, TargetFolders


@pytest.fixture
def folders(tmp_path):
    (tmp_path / "out").mkdir()
    return TargetFolders(str(tmp_path / "out"), follow_links=False)


def open_descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_target_has_its_folder_and_name(folders, tmp_path):
    target = folders.target(str(tmp_path / "out" / "a" / "b" / "c.png"), create=True)
    assert (target.relative, target.name) == ("a/b/c.png", "c.png")
    assert target.folder.path == str(tmp_path / "out" / "a" / "b")
    assert target.entry == folders.entry("a/b/c.png") == Entry("c.png", target.folder.descriptor)


def test_folders_are_only_created_on_request(folders, tmp_path):
    with pytest.raises(FileNotFoundError):
        folders.folder("a/b")
    assert os.listdir(tmp_path / "out") == []
    folders.folder("a/b", create=True)
    assert (tmp_path / "out" / "a" / "b").is_dir()


def test_output_folder_is_never_created(tmp_path):
    with pytest.raises(FileNotFoundError):
        TargetFolders(str(tmp_path / "out"), follow_links=False).folder("a", create=True)
    assert os.listdir(tmp_path) == []


def test_output_folder_may_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    TargetFolders(str(tmp_path / "out"), follow_links=False).folder("a", create=True)
    assert os.listdir(tmp_path / "real") == ["a"]


def test_folders_stay_open(folders):
    first = folders.folder("a", create=True)
    assert folders.folder("a") is first


def test_few_folders_stay_open(folders):
    before = open_descriptors()
    for number in range(3 * MAX_OPEN_FOLDERS):
        folders.folder(str(number), create=True)
    assert open_descriptors() - before <= MAX_OPEN_FOLDERS
    assert folders.folder("0").path.endswith("/0")


def test_all_folders_are_closed_at_the_end(tmp_path):
    before = open_descriptors()
    folders = TargetFolders(str(tmp_path), follow_links=False)
    folders.folder("a", create=True)
    assert open_descriptors() == before + 2
    del folders
    assert open_descriptors() == before


@pytest.mark.parametrize("change", ["moved", "removed", "moved and created again"])
def test_folder_that_has_changed_is_opened_again(folders, tmp_path, change):
    path = tmp_path / "out" / "a" / "b"
    first = os.fstat(folders.folder("a/b", create=True).descriptor)
    if change == "removed":
        path.rmdir()
    else:
        path.parent.rename(tmp_path / "moved")
    if change == "moved and created again":
        path.mkdir(parents=True)
    else:
        with pytest.raises(FileNotFoundError):
            folders.folder("a/b")
    second = os.fstat(folders.folder("a/b", create=True).descriptor)
    assert os.path.samestat(second, os.stat(path))
    assert change == "removed" or not os.path.samestat(first, second)


@pytest.mark.parametrize("known", [False, True], ids=["at first", "later"])
@pytest.mark.parametrize("level", ["a", "a/b"])
def test_links_are_refused(folders, tmp_path, known, level):
    if known:
        folders.folder("a/b", create=True)
        (tmp_path / "out" / level).rename(tmp_path / "moved")
    else:
        (tmp_path / "moved" / "b").mkdir(parents=True)
        (tmp_path / "out" / level).parent.mkdir(exist_ok=True)
    (tmp_path / "out" / level).symlink_to(tmp_path / "moved")
    with pytest.raises(WriteError, match=f"out/{level} is a symbolic link, and could lead out of the output folder"):
        folders.folder("a/b", create=True)


def test_systems_without_folder_descriptors_use_paths(tmp_path, monkeypatch):
    monkeypatch.setattr("imgpool.system.folder._has_descriptors", lambda: False)
    folders = TargetFolders(str(tmp_path), follow_links=False)
    path = str(tmp_path / "a" / "b.png")
    assert folders.target(path, create=True).entry == Entry(path)
    assert folders.folder("a") is folders.folder("a")
    (tmp_path / "a").rename(tmp_path / "moved")
    (tmp_path / "a").symlink_to(tmp_path / "moved")
    with pytest.raises(WriteError, match="could lead out of the output folder"):
        folders.folder("a", create=True)


def test_target_outside_is_refused(folders, tmp_path):
    for path in (tmp_path / "a.png", f"{tmp_path}/output/a.png"):
        with pytest.raises(WriteError, match="is not in the output folder"):
            folders.target(str(path))
