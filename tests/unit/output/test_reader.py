"""Reading from outside: a growing journal, and the state of the last run."""

import os

import pytest

from imgpool.core.errors import RunError, UsageError
from imgpool.output.journal import JournalEntry
from imgpool.output.layout import journal_path, run_path
from imgpool.output.reader import JournalReader, last_run, not_an_output_error
from imgpool.output.run_file import describe_run, readable_time
from tests.support.past_runs import ENDED, KILLED, done, write_journal, write_run
from tests.support.run_files import write_elsewhere


@pytest.fixture
def output(tmp_path):
    return str(tmp_path / "out")


def targets(reader):
    return [entry.target for entry in reader.entries()]


def add(output, data):
    with journal_path(output).open("ab") as file:
        file.write(data)


def test_each_line_is_read_once(output):
    write_journal(output, done(output))
    reader = JournalReader(output, JournalEntry)
    assert targets(reader) == ["a.png"]
    assert targets(reader) == []
    write_journal(output, done(output, "b.png"))
    assert targets(reader) == ["b.png"]


def test_reading_can_start_at_an_offset(output):
    write_journal(output, done(output))
    start = journal_path(output).stat().st_size
    write_journal(output, done(output, "b.png"))
    assert targets(JournalReader(output, JournalEntry, start=start)) == ["b.png"]


def test_an_incomplete_line_is_read_when_complete(output):
    write_journal(output, done(output))
    line = journal_path(output).read_bytes()
    for cut in range(len(line)):
        journal_path(output).write_bytes(line + line[:cut])
        reader = JournalReader(output, JournalEntry)
        first = targets(reader)
        add(output, line[cut:])
        assert first + targets(reader) == ["a.png", "a.png"]


def test_lines_after_a_damaged_line_are_read(output):
    write_journal(output, done(output))
    add(output, b'{"v": 1, "targ')
    reader = JournalReader(output, JournalEntry)
    assert targets(reader) == ["a.png"]
    write_journal(output, done(output, "b.png"))
    assert targets(reader) == ["b.png"]


def test_a_missing_journal_has_no_entries(output):
    reader = JournalReader(output, JournalEntry)
    assert targets(reader) == []
    assert not reader.is_truncated()
    write_journal(output, done(output))
    assert targets(reader) == ["a.png"]


def test_a_shortened_journal_is_detected(output):
    write_journal(output, done(output), done(output, "b.png"))
    reader = JournalReader(output, JournalEntry)
    list(reader.entries())
    assert not reader.is_truncated()
    os.truncate(journal_path(output), 10)
    assert reader.is_truncated()


def test_a_newer_journal_is_refused(output):
    write_journal(output, done(output))
    add(output, b'{"v": 3}\n')
    with pytest.raises(UsageError, match="newer imgpool"):
        list(JournalReader(output, JournalEntry).entries())


def test_an_unreadable_journal_is_a_run_error(output):
    journal_path(output).mkdir(parents=True)
    with pytest.raises(RunError, match=r"journal\.jsonl is a folder"):
        list(JournalReader(output, JournalEntry).entries())


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "running"),
        (KILLED, "killed"),
        (ENDED, "finished"),
        ({**ENDED, "how": "interrupted"}, "interrupted"),
        ({**ENDED, "how": "stopped: the disk is full"}, "stopped"),
    ],
)
def test_the_run_file_determines_the_state(output, changes, state):
    info = write_run(output, **changes)
    assert last_run(output) == (info, state)


@pytest.mark.parametrize(("seconds_ago", "state"), [(0, "running"), (600, "killed")])
def test_a_remote_run_is_alive_while_its_heartbeat_is_recent(output, seconds_ago, state):
    write_journal(output)
    write_elsewhere(output, seconds_ago)
    assert last_run(output)[1] == state


def test_without_a_run_file_the_state_is_unknown(output):
    assert last_run(output) == (None, "unknown")


def test_a_run_that_ends_during_the_check_was_not_killed(output):
    begun = write_run(output)

    def ends_now(_output, _info):
        write_run(output, token=begun.token, **ENDED)
        return False

    assert last_run(output, is_alive=ends_now)[1] == "finished"


def test_an_unreadable_run_file_is_a_run_error(output):
    run_path(output).mkdir(parents=True)
    with pytest.raises(RunError, match=r"run\.json is a folder"):
        last_run(output)


def test_a_run_is_described_by_process_machine_and_start(output):
    assert readable_time("2026-11-22T21:03:11Z") == "2026-11-22 21:03:11 UTC"
    assert describe_run(write_run(output, pid=4711, host="labpc")) == "pid 4711 on labpc, since 2026-11-22 21:03:11 UTC"


def test_the_output_beside_an_input_is_suggested(tmp_path):
    (tmp_path / "photos").mkdir()
    write_journal(str(tmp_path / "photos-processed"))
    error = not_an_output_error(str(tmp_path / "photos"))
    assert error.message.endswith("photos was not written by imgpool")
    assert error.hint == f"did you mean {tmp_path / 'photos-processed'}?"


def test_a_missing_or_foreign_folder_is_named(tmp_path):
    assert not_an_output_error(str(tmp_path)).hint == "give the output of `imgpool process`"
    assert "does not exist" in not_an_output_error(str(tmp_path / "absent")).message
