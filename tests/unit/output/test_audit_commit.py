"""What a crash of the machine leaves: the journal's own bytes are durable, and old litter is gone."""

import ctypes
import errno
import os
from types import SimpleNamespace

import numpy as np
import pytest

import imgpool
from imgpool.core.image import Image
from imgpool.core.task import Result, Task
from imgpool.output import journal as journal_module
from imgpool.output.journal import Journal
from imgpool.output.layout import journal_path


def test_a_commit_ends_with_the_journal_itself_made_durable(tmp_path, monkeypatch):
    happened = []
    monkeypatch.setattr(journal_module, "sync_file_system", lambda _file: happened.append("outputs"))

    def fsync(descriptor):
        happened.append((os.readlink(f"/proc/self/fd/{descriptor}"), journal_path(str(tmp_path)).read_bytes() != b""))

    monkeypatch.setattr(os, "fsync", fsync)
    with Journal(str(tmp_path), "recipe") as journal:
        journal.append(Result(Task("/in/a.png", str(tmp_path / "a.png"), 1, 2), "done"))
    assert happened == ["outputs", (str(journal_path(str(tmp_path))), True)]


def test_what_a_killed_run_was_writing_is_gone_before_the_first_image(tmp_path):
    """Its bytes may be the very ones that a full disk lacks."""
    folder, scratch = tmp_path / "in", tmp_path / "out" / ".imgpool" / "tmp"
    folder.mkdir()
    (scratch / "0123").mkdir(parents=True)
    (scratch / "0123" / ".imgpool-1-1.png").write_bytes(b"half an image")
    (scratch.parent / "run-0123.tmp").write_bytes(b"half a run file")
    imgpool.write(Image(np.zeros((5, 6), np.uint8), "YX"), folder / "a.png")
    results = imgpool.process(folder, output=tmp_path / "out", filters=["invert"], engine="serial")
    assert next(results).status == "done"
    assert sorted(tmp_path.rglob("*.png")) == [folder / "a.png", tmp_path / "out" / "a.png"]
    assert list(tmp_path.rglob("*.tmp")) == []
    assert list(results) == []
    assert not scratch.exists()


def test_a_sync_that_fails_is_an_error_of_the_system(monkeypatch):
    """The disk may be gone by then; what was written to it must not be called done."""

    def syncfs(_descriptor):
        ctypes.set_errno(errno.EIO)
        return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_name, **_options: SimpleNamespace(syncfs=syncfs))
    with pytest.raises(OSError, match="Input/output") as caught:
        journal_module.sync_file_system(0)
    assert caught.value.errno == errno.EIO
