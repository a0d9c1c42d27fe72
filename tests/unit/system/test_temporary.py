"""Temporary folders of killed processes: removed if their owner is proved dead, and in no other case."""

import multiprocessing
import os
import signal
import tempfile

import pytest

from imgpool.system import temporary
from imgpool.system.temporary import MARKER, marked_socket_folder, remove_abandoned_folders, temporary_folder

FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def parent(tmp_path, monkeypatch):
    """The folder for temporary files, and beside it a file that nothing may touch."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept.txt").write_text("kept")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(temporary, "_marked", {})
    yield tmp_path / "tmp"
    assert (tmp_path / "outside" / "kept.txt").read_text() == "kept"


def hold_a_folder(connection):
    """Make a temporary folder with a file, say where it is, and wait to be killed."""
    with temporary_folder() as folder:
        os.makedirs(os.path.join(folder, "weights"))
        with open(os.path.join(folder, "weights", "model.onnx"), "wb"):
            pass
        os.symlink("../../outside", os.path.join(folder, "link"))
        connection.send(folder)
        signal.pause()


@pytest.fixture
def owner():
    """Another process that holds a temporary folder; the process and the folder."""
    receiver, sender = FORK.Pipe(duplex=False)
    process = FORK.Process(target=hold_a_folder, args=(sender,), daemon=True)
    process.start()
    yield process, receiver.recv()
    process.kill()
    process.join()


def kill(process):
    process.kill()
    process.join()


def mark(folder, *, owner_is_dead=True):
    """Mark a folder as its owner would; return it."""
    folder.mkdir()
    if owner_is_dead:
        (folder / MARKER).touch()
    return folder


def test_a_folder_is_removed_at_the_end(parent):
    with temporary_folder() as folder:
        assert os.listdir(parent) == [os.path.basename(folder)]
        assert os.listdir(folder) == [MARKER]
    assert os.listdir(parent) == []


def test_a_folder_stays_while_its_owner_lives(owner):
    remove_abandoned_folders()
    assert os.path.exists(os.path.join(owner[1], "weights", "model.onnx"))


def test_the_folder_of_a_killed_owner_is_removed(owner, parent):
    kill(owner[0])
    remove_abandoned_folders()
    assert os.listdir(parent) == []


def test_the_own_folder_of_a_process_stays():
    with temporary_folder() as folder:
        remove_abandoned_folders()
        assert os.listdir(folder) == [MARKER]


def test_a_folder_stays_while_a_child_of_its_owner_lives(parent):
    """Workers that were forked use the sockets of their parent, which may be killed first."""
    with temporary_folder() as folder:
        child = FORK.Process(target=signal.pause, daemon=True)
        child.start()
        os.close(temporary._marked.pop(folder))  # as if the owner were dead
        remove_abandoned_folders()
        assert os.listdir(folder) == [MARKER]
        kill(child)
        remove_abandoned_folders()
        assert os.listdir(parent) == []


@pytest.mark.parametrize("name", ["pymp-1", "imgpool-1"])
def test_folders_without_a_marker_stay(parent, name):
    mark(parent / name, owner_is_dead=False)
    remove_abandoned_folders()
    assert os.listdir(parent) == [name]


def test_folders_of_other_names_stay(parent):
    mark(parent / "photos-1")
    remove_abandoned_folders()
    assert os.listdir(parent) == ["photos-1"]


def test_folders_of_other_users_stay(parent, monkeypatch):
    mark(parent / "pymp-1")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    remove_abandoned_folders()
    assert os.listdir(parent) == ["pymp-1"]


def test_links_in_the_place_of_folders_and_markers_stay(parent):
    mark(parent.parent / "pymp-real")
    (parent / "pymp-1").symlink_to(parent.parent / "pymp-real")
    (parent / "pymp-2").symlink_to(parent.parent / "outside")
    (parent / "pymp-3").mkdir()
    (parent / "pymp-3" / MARKER).symlink_to(parent.parent / "outside" / "kept.txt")
    (parent / "pymp-4").touch()
    (parent / "pymp-5").mkdir()
    os.mkfifo(parent / "pymp-5" / MARKER)
    remove_abandoned_folders()
    assert len(os.listdir(parent)) == 5
    assert os.listdir(parent.parent / "pymp-real") == [MARKER]


def test_sockets_of_multiprocessing_are_marked_once(parent, monkeypatch):
    folder = str(mark(parent / "pymp-1", owner_is_dead=False))
    monkeypatch.setattr(temporary, "get_temp_dir", lambda: folder)
    assert marked_socket_folder() == marked_socket_folder() == folder
    assert os.listdir(folder) == [MARKER]
    remove_abandoned_folders()
    assert os.path.exists(folder)


@pytest.mark.parametrize("attribute", ["fcntl.flock", "os.geteuid"])
def test_systems_without_locks_or_users_leave_no_trace(parent, monkeypatch, attribute):
    """Windows."""
    mark(parent / "imgpool-1")
    monkeypatch.delattr(attribute)
    remove_abandoned_folders()
    if attribute == "fcntl.flock":
        with temporary_folder() as folder:
            assert os.listdir(folder) == []
    assert os.listdir(parent) == ["imgpool-1"]


def test_a_missing_folder_for_temporary_files_is_no_error(parent, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(parent / "missing"))
    remove_abandoned_folders()
