import importlib
import multiprocessing
import sys

import pytest

from imgpool.system.import_note import MAX_NAME_BYTES, ImportNote


@pytest.fixture
def note(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    return ImportNote(multiprocessing.get_context("spawn"))


def test_note_names_the_latest_import(note, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("noted_first", "noted_last"):
        (tmp_path / f"{name}.py").touch()
    assert note.read() == ""
    note.follow_imports()
    importlib.import_module("noted_first")
    importlib.import_module("noted_last")
    assert note.read() == "noted_last"
    importlib.import_module("noted_first")  # loaded already
    assert note.read() == "noted_last"


def test_imports_are_followed_only_once(note):
    finders = len(sys.meta_path)
    note.follow_imports()
    note.follow_imports()
    assert len(sys.meta_path) == finders + 1


def test_note_is_seen_by_the_parent(note):
    process = multiprocessing.get_context("spawn").Process(target=ImportNote.write, args=(note, "library"))
    process.start()
    process.join()
    assert note.read() == "library"


def test_long_name_is_cut(note):
    note.write("é" * MAX_NAME_BYTES)
    assert note.read().startswith("é" * (MAX_NAME_BYTES // 2))
