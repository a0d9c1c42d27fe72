"""Open folders: everything in them is named by descriptor, and no link or special file is followed or opened."""

import errno
import os
import pickle
import stat

import pytest

from imgpool.core.errors import RunError
from imgpool.system import folder as module
from imgpool.system.file_kinds import JUNCTION, kind_of
from imgpool.system.folder import MAX_DEPTH, Folder, UnexpectedFileError
from tests.support.special_files import bind_socket

WINDOWS_LACKS = ("O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_PATH")


@pytest.fixture(params=["descriptors", "paths"])
def opened(request, tmp_path, monkeypatch):
    """A folder, opened as on Linux and as on Windows; beside it is a folder that nothing may touch."""
    if request.param == "paths":
        for name in WINDOWS_LACKS:
            monkeypatch.delattr(os, name, raising=False)
        monkeypatch.setattr(os, "supports_dir_fd", set())
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept.txt").write_text("kept")
    (tmp_path / "out").mkdir()
    with Folder.open(tmp_path / "out") as folder:
        assert (folder.descriptor is None) == (request.param == "paths")
        yield folder
    kept = tmp_path / "outside" / "kept.txt"
    assert (kept.read_text(), os.listdir(tmp_path / "outside"), kept.stat().st_nlink) == ("kept", ["kept.txt"], 1)


def write_file(folder, name, text="text"):
    descriptor = folder.open_file(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def read_file(folder, name):
    with os.fdopen(folder.open_file(name)) as file:
        return file.read()


def touch(path):
    os.close(os.open(path, os.O_CREAT | os.O_EXCL))


def link_to(target):
    return lambda path: os.symlink(target, path)


LINKS = {
    "link to a file": link_to("../outside/kept.txt"),
    "link to a folder": link_to("../outside"),
    "link to a device": link_to("/dev/zero"),
    "broken link": link_to("../outside/new.txt"),
    "link to itself": lambda path: os.symlink(os.path.basename(path), path),
}
SPECIAL = {"pipe": os.mkfifo, "socket": bind_socket}
WRITING = os.O_RDWR | os.O_CREAT | os.O_APPEND


@pytest.mark.parametrize("flags", [os.O_RDONLY, WRITING], ids=["reading", "writing"])
@pytest.mark.parametrize("kind", [*LINKS, *SPECIAL, "folder"])
def test_only_regular_files_are_opened(opened, kind, flags):
    make = {**LINKS, **SPECIAL, "folder": os.mkdir}[kind]
    make(os.path.join(opened.path, "x"))
    with pytest.raises(UnexpectedFileError, match=r"out/x is a .*, where imgpool needs a file of its own") as caught:
        opened.open_file("x", flags)
    assert "move it away" in caught.value.hint
    assert opened.names() == ["x"]


@pytest.mark.parametrize("create", [False, True], ids=["existing", "create"])
@pytest.mark.parametrize("kind", [*LINKS, *SPECIAL, "file"])
def test_only_folders_are_opened_as_folders(opened, kind, create):
    make = {**LINKS, **SPECIAL, "file": touch}[kind]
    make(os.path.join(opened.path, "x"))
    with pytest.raises(UnexpectedFileError, match="where imgpool needs a folder of its own"):
        opened.subfolder("x", create=create)


def test_new_files_never_go_through_a_link(opened):
    os.symlink("../outside/new.txt", os.path.join(opened.path, "x"))
    with pytest.raises(FileExistsError):
        opened.open_file("x", os.O_WRONLY | os.O_CREAT | os.O_EXCL)


def test_what_is_missing_is_not_there(opened):
    with pytest.raises(FileNotFoundError):
        opened.open_file("x")
    with pytest.raises(FileNotFoundError):
        opened.subfolder("x")
    with pytest.raises(FileNotFoundError):
        opened.unlink("x")
    opened.unlink("x", missing_ok=True)
    assert not opened.exists("x")
    with pytest.raises(FileNotFoundError):
        Folder.open(os.path.join(opened.path, "x"))


def test_a_file_is_no_folder_to_open(opened):
    write_file(opened, "x")
    with pytest.raises(NotADirectoryError):
        Folder.open(os.path.join(opened.path, "x"))


def test_the_folder_itself_may_be_a_link(opened, tmp_path):
    write_file(opened, "x", "through a link")
    os.symlink(opened.path, tmp_path / "link")
    with Folder.open(tmp_path / "link") as folder:
        assert read_file(folder, "x") == "through a link"


def test_links_to_folders_are_followed_on_request(opened):
    os.mkdir(os.path.join(opened.path, "real"))
    os.symlink("real", os.path.join(opened.path, "link"))
    with opened.subfolder("link", follow_links=True) as folder:
        write_file(folder, "x")
    with opened.descend("link", create=True, follow_links=True) as folder:
        assert folder.names() == ["x"]
    assert os.listdir(os.path.join(opened.path, "real")) == ["x"]


def test_folders_below_are_opened_one_by_one(opened):
    with opened.descend("a/b/c", create=True) as folder:
        write_file(folder, "x")
        assert folder.path == os.path.join(opened.path, "a/b/c")
    with opened.descend("") as folder:
        assert folder.names() == ["a"]
    os.rename(os.path.join(opened.path, "a/b"), os.path.join(opened.path, "b"))
    os.symlink("../b", os.path.join(opened.path, "a/b"))
    with pytest.raises(UnexpectedFileError, match="a/b is a symbolic link"):
        opened.descend("a/b/c")
    with pytest.raises(ValueError, match="not the name"):
        opened.descend("a/../..", create=True)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc", "x\0"])
def test_names_never_lead_out_of_the_folder(opened, name):
    for act in (opened.at, opened.open_file, opened.subfolder, opened.unlink, opened.remove_tree, opened.create_folder):
        with pytest.raises(ValueError, match="not the name of an entry"):
            act(name)


def test_entries_are_renamed_between_folders(opened):
    write_file(opened, "x", "new")
    with opened.subfolder("sub", create=True) as folder:
        write_file(folder, "y", "old")
        opened.replace("x", folder, "y")
        assert (read_file(folder, "y"), opened.names()) == ("new", ["sub"])
        folder.sync()


def test_touch_sets_the_time_of_a_file(opened):
    write_file(opened, "x")
    os.utime(os.path.join(opened.path, "x"), (1, 1))
    opened.touch("x")
    assert opened.status("x").st_mtime > 1
    os.symlink("../outside/kept.txt", os.path.join(opened.path, "y"))
    with pytest.raises(UnexpectedFileError):
        opened.touch("y")


def test_a_tree_is_removed_without_following_links(opened):
    with opened.descend("tree/sub", create=True) as folder:
        for number, make in enumerate([*LINKS.values(), *SPECIAL.values()]):
            make(os.path.join(folder.path, str(number)))
        write_file(folder, "file")
    opened.remove_tree("tree")
    write_file(opened, "file")
    opened.remove_tree("file")
    os.symlink("../outside", os.path.join(opened.path, "link"))
    opened.remove_tree("link")
    assert opened.names() == []


def test_an_absurdly_deep_tree_stays_without_a_crash(opened):
    with opened.descend("/".join(["a"] * (MAX_DEPTH + 2)), create=True):
        write_file(opened, "kept")
    with pytest.raises(OSError, match="not empty"):
        opened.remove_tree("a")


def test_another_file_system_in_a_tree_is_left_alone(opened, monkeypatch):
    with opened.descend("tree/mounted", create=True) as folder:
        write_file(folder, "kept")
        write_file(folder, "also kept")
    own = opened.status("tree").st_dev
    monkeypatch.setattr(Folder, "_device", lambda self: own if self.path == opened.path else own + 1)
    with pytest.raises(OSError, match="not empty"):
        opened.remove_tree("tree")
    assert len(os.listdir(os.path.join(opened.path, "tree/mounted"))) == 2


def test_a_closed_folder_is_refused_by_the_system(tmp_path):
    folder = Folder.open(tmp_path)
    folder.close()
    folder.close()
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        folder.status("x")


def test_a_descriptor_means_the_same_folder_after_a_swap(tmp_path):
    (tmp_path / "out" / "sub").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    with Folder.open(tmp_path / "out") as out, out.subfolder("sub") as folder:
        os.rename(tmp_path / "out" / "sub", tmp_path / "out" / "moved")
        os.symlink("../outside", tmp_path / "out" / "sub")
        write_file(folder, "x")
    assert os.listdir(tmp_path / "outside") == []
    assert os.listdir(tmp_path / "out" / "moved") == ["x"]


def test_a_link_that_replaces_a_file_meanwhile_is_refused(opened, monkeypatch):
    write_file(opened, "x")
    path, open_ = os.path.join(opened.path, "x"), os.open

    def swap_and_open(name, *arguments, **options):
        os.unlink(path)
        os.symlink("../outside/kept.txt", path)
        return open_(name, *arguments, **options)

    monkeypatch.setattr(os, "open", swap_and_open)
    with pytest.raises(UnexpectedFileError, match="x is a symbolic link"):
        opened.open_file("x", os.O_RDWR)


def test_a_folder_that_is_not_readable_can_be_used(opened):
    """As with an output that others may write to, but not list."""
    os.chmod(opened.path, stat.S_IWUSR | stat.S_IXUSR)
    with Folder.open(opened.path) as folder:
        write_file(folder, "x")
    os.chmod(opened.path, stat.S_IRWXU)
    assert opened.names() == ["x"]


def test_children_do_not_inherit_descriptors(tmp_path):
    with Folder.open(tmp_path) as folder:
        assert not os.get_inheritable(folder.descriptor)
        descriptor = folder.open_file("x", os.O_CREAT | os.O_RDWR)
        assert not os.get_inheritable(descriptor)
        os.close(descriptor)


def test_a_junction_is_a_link():
    class Junction:
        st_mode = stat.S_IFDIR
        st_reparse_tag = JUNCTION

    assert kind_of(Junction()) == "a symbolic link"


def test_the_error_crosses_processes():
    error = pickle.loads(pickle.dumps(module._unexpected_file_error("/out/x", "a folder", "a file")))
    assert isinstance(error, RunError)
    assert error.message == "/out/x is a folder, where imgpool needs a file of its own"
