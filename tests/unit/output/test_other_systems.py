"""An output folder that was written on Windows and is read on another system, and the other way round."""

import json
import ntpath
from functools import partial

import pytest

from imgpool.core.task import Result, Task
from imgpool.output import journal, planned
from imgpool.output.journal import Journal, JournalEntry, parse_line
from imgpool.output.layout import journal_path
from imgpool.output.planned import target_hashes
from imgpool.system.paths import from_portable, to_portable
from imgpool.work import intents
from imgpool.work.intents import INTENTS_FOLDER, Intent, encode_intent, read_intents


@pytest.fixture
def on_windows(monkeypatch):
    """Switch to the rules of Windows for relative paths."""

    def switch():
        for module in (journal, planned, intents):
            monkeypatch.setattr(module, "USES_SLASHES", False)
            monkeypatch.setattr(module, "portable", partial(to_portable, rules=ntpath))
            monkeypatch.setattr(module, "native", partial(from_portable, rules=ntpath), raising=False)

    return switch


def lines(output):
    return journal_path(str(output)).read_bytes().splitlines()


def write_line(output, name):
    with Journal(str(output), "fingerprint") as written:
        written.append(Result(Task(f"/in/{name}", f"{output}/{name}", 1, 2), "done"))


def test_journal_of_windows_is_read_on_other_systems_and_there(tmp_path, on_windows, monkeypatch):
    with monkeypatch.context():
        on_windows()
        write_line(tmp_path, "trip\\day 1\\a.png")
        [line] = lines(tmp_path)
        assert json.loads(line)["target"] == "trip/day 1/a.png"
        assert parse_line(line, "journal", JournalEntry).target == "trip\\day 1\\a.png"
    monkeypatch.undo()
    assert parse_line(line, "journal", JournalEntry).target == "trip/day 1/a.png"


def test_names_that_are_not_unicode_are_translated_too(tmp_path, on_windows):
    write_line(tmp_path, "trip/\udcff.png")
    on_windows()
    assert parse_line(lines(tmp_path)[0], "journal", JournalEntry).target == "trip\\\udcff.png"


def test_backslash_in_a_name_stays_on_other_systems(tmp_path):
    write_line(tmp_path, "a\\b.png")
    assert parse_line(lines(tmp_path)[0], "journal", JournalEntry).target == "a\\b.png"


def test_planned_targets_have_one_hash_on_every_system(on_windows):
    expected = target_hashes(["trip/a.png"])
    on_windows()
    assert (target_hashes(["trip\\a.png"]) == expected).all()


def test_intents_are_stored_with_slashes(tmp_path, on_windows):
    on_windows()
    file = tmp_path / INTENTS_FOLDER
    file.write_bytes(encode_intent(Intent("trip\\a.png", "C:\\in\\a.png", "00", 3, "token")))
    assert b'"trip/a.png"' in file.read_bytes()
    assert [intent.target for intent in read_intents(file)] == ["trip\\a.png"]
