"""Renaming: a name in use is never given to another file, whatever the file system offers."""

import errno
import os

import pytest

from imgpool.system import rename as rename_module
from imgpool.system.rename import Entry, Placing, exchange, probe, rename_new

WAYS = ["rename", "link", "create"]


@pytest.fixture
def source(tmp_path):
    (tmp_path / "source").write_bytes(b"new")
    return Entry(str(tmp_path / "source"))


@pytest.fixture(params=["path", "descriptor"])
def target(request, tmp_path):
    """A name that is not in use, given as a path or relative to an open folder."""
    folder = tmp_path / "folder"
    folder.mkdir()
    if request.param == "path":
        yield Entry(str(folder / "target"))
    else:
        descriptor = os.open(folder, os.O_RDONLY)
        yield Entry("target", descriptor)
        os.close(descriptor)


def refuse(number):
    def refusing(*_args, **_kwargs):
        raise OSError(number, os.strerror(number))

    return refusing


def replace_way(monkeypatch, way, function):
    monkeypatch.setitem(rename_module._WAYS, way, function)


def names_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.parametrize("way", WAYS)
def test_file_gets_a_new_name(tmp_path, source, target, way):
    rename_new(source, target, way)
    assert names_in(tmp_path) == ["folder/target"]
    assert (tmp_path / "folder" / "target").read_bytes() == b"new"


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link", "pipe"])
@pytest.mark.parametrize("way", WAYS)
def test_name_in_use_is_refused(tmp_path, source, target, way, kind):
    path = tmp_path / "folder" / "target"
    make = {
        "file": lambda: path.write_bytes(b"old"),
        "folder": path.mkdir,
        "link": lambda: path.symlink_to(tmp_path),
        "dangling link": lambda: path.symlink_to("nowhere"),
        "pipe": lambda: os.mkfifo(path),
    }
    make[kind]()
    before = os.lstat(path)
    with pytest.raises(FileExistsError):
        rename_new(source, target, way)
    after = os.lstat(path)
    assert (before.st_ino, before.st_mtime_ns, before.st_size) == (after.st_ino, after.st_mtime_ns, after.st_size)
    assert (tmp_path / "source").read_bytes() == b"new"


@pytest.mark.parametrize("number", sorted({errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP}))
@pytest.mark.parametrize("working", ["link", "create"])
def test_next_way_is_taken_where_one_is_not_offered(tmp_path, monkeypatch, source, target, working, number):
    for way in WAYS[: WAYS.index(working)]:
        replace_way(monkeypatch, way, refuse(number))
    rename_new(source, target, "rename")
    assert names_in(tmp_path) == ["folder/target"]
    assert (tmp_path / "folder" / "target").read_bytes() == b"new"
    (tmp_path / "source").write_bytes(b"newer")
    with pytest.raises(FileExistsError):
        rename_new(source, target, "rename")
    assert (tmp_path / "folder" / "target").read_bytes() == b"new"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_real_errors_take_no_other_way(monkeypatch, source, target, way, number):
    replace_way(monkeypatch, way, refuse(number))
    with pytest.raises(OSError, match=os.strerror(number)):
        rename_new(source, target, way)


def test_no_empty_file_stays_if_renaming_over_it_fails(tmp_path, monkeypatch, source, target):
    monkeypatch.setattr(rename_module.os, "replace", refuse(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        rename_new(source, target, "create")
    assert names_in(tmp_path) == ["source"]


@pytest.mark.parametrize("way", ["rename", "link"])
def test_missing_folder_of_the_target_is_an_error(source, tmp_path, way):
    with pytest.raises(FileNotFoundError):
        rename_new(source, Entry(str(tmp_path / "missing" / "target")), way)


def test_names_that_are_not_utf_8_are_renamed(source, target):
    unusual = target._replace(path=target.path + "\udcff\n")
    rename_new(source, unusual, "rename")
    assert unusual.status().st_size == 3


def test_exchange_swaps_two_names(tmp_path, source, target):
    target.create()
    exchange(source, target)
    assert (tmp_path / "folder" / "target").read_bytes() == b"new"
    assert (tmp_path / "source").read_bytes() == b""


def test_probe_finds_what_this_file_system_offers(tmp_path):
    assert probe(str(tmp_path)) == Placing("rename", exchange=True)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ENOTSUP])
@pytest.mark.parametrize("working", ["link", "create"])
def test_probe_finds_the_next_way(tmp_path, monkeypatch, working, number):
    for way in WAYS[: WAYS.index(working)]:
        replace_way(monkeypatch, way, refuse(number))
    monkeypatch.setattr(rename_module, "exchange", refuse(number))
    assert probe(str(tmp_path)) == Placing(working, exchange=False)
    assert os.listdir(tmp_path) == []


def test_probe_rejects_a_rename_that_replaces_all_the_same(tmp_path, monkeypatch):
    replace_way(monkeypatch, "rename", lambda source, target: os.replace(source.path, target.path))
    assert probe(str(tmp_path)).new == "link"


def test_probe_rejects_a_rename_that_does_nothing(tmp_path, monkeypatch):
    def pretend(_source, target):
        if os.path.lexists(target.path):
            raise FileExistsError(errno.EEXIST, "File exists")

    replace_way(monkeypatch, "rename", pretend)
    assert probe(str(tmp_path)).new == "link"


def test_probe_reports_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError):
        probe(str(tmp_path / "missing"))


@pytest.fixture
def foreign_system(monkeypatch):
    """Return a function that lets the module see another system, whose rename with flags does not exist here."""
    rename_module._system_call.cache_clear()
    yield lambda platform: monkeypatch.setattr(rename_module.sys, "platform", platform)
    monkeypatch.undo()
    rename_module._system_call.cache_clear()


def test_system_without_the_call_uses_links(tmp_path, foreign_system):
    foreign_system("darwin")
    assert probe(str(tmp_path)) == Placing("link", exchange=False)


def test_system_without_links_creates_the_file_first(tmp_path, monkeypatch, foreign_system):
    foreign_system("darwin")
    monkeypatch.delattr(rename_module.os, "link")
    assert probe(str(tmp_path)) == Placing("create", exchange=False)


def test_windows_uses_its_own_rename(tmp_path, monkeypatch, foreign_system):
    def rename_on_windows(source, target):
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "File exists")
        os.replace(source, target)

    foreign_system("win32")
    monkeypatch.setattr(rename_module.os, "rename", rename_on_windows)
    monkeypatch.setattr(rename_module.os, "name", "nt")
    found = probe(str(tmp_path))
    monkeypatch.undo()
    assert found == Placing("rename", exchange=False)
