"""The file at a target: its hash, its owner, and how messages describe it."""

import os
from hashlib import sha256

import pytest

from imgpool.core.task import ExistingTarget, Task
from imgpool.system.folder import Folder
from imgpool.work import existing_file
from imgpool.work.existing_file import Content, find_file

BLOCK = existing_file.HASH_BLOCK_BYTES
NEW = Content(3, sha256(b"new").hexdigest())


@pytest.fixture
def folder(tmp_path):
    with Folder.open(tmp_path) as opened:
        yield opened


def task_with(**existing):
    return Task("in/a.png", "out/a.png", 1, 1, ExistingTarget(**existing))


def test_nothing_is_found_where_nothing_is(folder):
    assert find_file(folder, "a.png") is None


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_file_is_hashed(folder, tmp_path, size):
    content = os.urandom(size)
    (tmp_path / "a.png").write_bytes(content)
    assert find_file(folder, "a.png").sha256 == sha256(content).hexdigest()


@pytest.mark.parametrize("size", [0, 1, BLOCK, BLOCK + 1])
def test_zero_bytes_are_blank(folder, tmp_path, size):
    (tmp_path / "a.png").write_bytes(bytes(size))
    assert find_file(folder, "a.png").blank
    for position in {0, size // 2, size - 1} if size else ():
        content = bytearray(size)
        content[position] = 1
        (tmp_path / "a.png").write_bytes(content)
        assert not find_file(folder, "a.png").blank


def test_file_need_not_be_read(folder, tmp_path):
    (tmp_path / "a.png").write_bytes(b"new")
    found = find_file(folder, "a.png", read=False)
    assert (found.sha256, found.blank, found.status.st_size) == ("", False, 3)


def test_file_that_changes_while_it_is_hashed_has_no_hash(folder, tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"new")
    read = os.read

    def read_and_append(descriptor, count):
        with (tmp_path / "a.png").open("ab") as file:
            file.write(b"more" * (count == BLOCK and file.tell() < 10))
        return read(descriptor, count)

    monkeypatch.setattr("imgpool.work.existing_file.os.read", read_and_append)
    assert find_file(folder, "a.png").sha256 == ""


def test_owner_follows_from_the_hash(folder, tmp_path):
    (tmp_path / "a.png").write_bytes(b"old")
    old = sha256(b"old").hexdigest()
    found = find_file(folder, "a.png")
    assert found.owner(task_with(), Content(3, old)) == "this result"
    assert found.owner(task_with(sources={old: "in/a.png"}), NEW) == "own"
    assert found.owner(task_with(sources={old: "in/b.png"}), NEW) == "other"
    assert found.owner(task_with(sources={NEW.sha256: "in/a.png"}), NEW) == "other"
    assert found.owner(task_with(interrupted=True), NEW) == "other"
    assert found.owner(Task("in/a.png", "out/a.png", 1, 1), NEW) == "other"


@pytest.mark.parametrize("content", [b"", bytes(9)])
def test_blank_file_is_replaced_only_after_an_interrupted_run(folder, tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    found = find_file(folder, "a.png")
    assert found.owner(task_with(interrupted=True), NEW) == "blank"
    assert found.owner(task_with(), NEW) == "other"


def test_link_to_an_equal_file_is_not_this_result(folder, tmp_path):
    (tmp_path / "b.png").write_bytes(b"new")
    (tmp_path / "a.png").symlink_to("b.png")
    assert find_file(folder, "a.png").owner(task_with(), NEW) == "other"
