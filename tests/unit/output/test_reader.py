"""Runs seen from the outside: the journal as it grows, and what has become of the last run."""

import os

import pytest

from imgpool.core.errors import RunError, UsageError
from imgpool.output import reader, run_file
from imgpool.output.journal import Entry
from imgpool.output.layout import journal_path, run_path
from imgpool.output.reader import JournalReader, last_run, not_an_output_error
from imgpool.output.run_file import describe_run, readable_time
from tests.support.past_runs import ENDED, KILLED, done, write_journal, write_run
from tests.support.run_files import write_elsewhere


@pytest.fixture
def output(tmp_path):
    return str(tmp_path / "out")


def targets(follower):
    return [entry.target for entry in follower.entries()]


def add(output, data):
    with journal_path(output).open("ab") as file:
        file.write(data)


def test_what_was_read_is_not_read_again(output):
    write_journal(output, done(output))
    follower = JournalReader(output, Entry)
    assert targets(follower) == ["a.png"]
    assert targets(follower) == []
    write_journal(output, done(output, "b.png"))
    assert targets(follower) == ["b.png"]


def test_a_run_can_be_read_without_those_before_it(output):
    write_journal(output, done(output))
    start = journal_path(output).stat().st_size
    write_journal(output, done(output, "b.png"))
    assert targets(JournalReader(output, Entry, start)) == ["b.png"]


def test_a_line_is_read_once_it_is_whole_wherever_it_was_cut(output):
    write_journal(output, done(output))
    line = journal_path(output).read_bytes()
    for cut in range(len(line)):
        journal_path(output).write_bytes(line + line[:cut])
        follower = JournalReader(output, Entry)
        first = targets(follower)
        add(output, line[cut:])
        assert first + targets(follower) == ["a.png", "a.png"]


def test_a_torn_line_costs_none_of_those_after_it(output):
    write_journal(output, done(output))
    add(output, b'{"v": 1, "targ')
    follower = JournalReader(output, Entry)
    assert targets(follower) == ["a.png"]
    write_journal(output, done(output, "b.png"))
    assert targets(follower) == ["b.png"]


def test_without_a_journal_there_is_nothing_to_read(output):
    follower = JournalReader(output, Entry)
    assert targets(follower) == []
    assert not follower.is_truncated()
    write_journal(output, done(output))
    assert targets(follower) == ["a.png"]


def test_a_journal_that_became_shorter_is_noticed(output):
    write_journal(output, done(output), done(output, "b.png"))
    follower = JournalReader(output, Entry)
    list(follower.entries())
    assert not follower.is_truncated()
    os.truncate(journal_path(output), 10)
    assert follower.is_truncated()


def test_a_newer_journal_is_refused(output):
    write_journal(output, done(output))
    add(output, b'{"v": 2}\n')
    with pytest.raises(UsageError, match="newer imgpool"):
        list(JournalReader(output, Entry).entries())


def test_a_journal_that_cannot_be_read_is_a_sentence(output):
    journal_path(output).mkdir(parents=True)
    with pytest.raises(RunError, match=r"journal\.jsonl: is a directory"):
        list(JournalReader(output, Entry).entries())


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
def test_the_run_file_tells_what_became_of_the_last_run(output, changes, state):
    info = write_run(output, **changes)
    assert last_run(output) == (info, state)


@pytest.mark.parametrize(("seconds_ago", "state"), [(0, "running"), (600, "killed")])
def test_a_run_on_another_machine_lives_as_long_as_it_shows(output, seconds_ago, state):
    write_journal(output)
    write_elsewhere(output, seconds_ago)
    assert last_run(output)[1] == state


def test_without_a_run_file_nothing_is_known_of_the_last_run(output):
    assert last_run(output) == (None, "unknown")


def test_a_run_that_ends_while_one_looks_was_not_killed(output, monkeypatch):
    begun = write_run(output)

    def ends_now(_output, _info):
        write_run(output, token=begun.token, **ENDED)
        return False

    monkeypatch.setattr(run_file, "is_alive", ends_now)
    assert last_run(output)[1] == "finished"


def test_a_run_file_that_cannot_be_read_is_a_sentence(output):
    run_path(output).mkdir(parents=True)
    with pytest.raises(RunError, match=r"run\.json: is a directory"):
        last_run(output)


def test_a_run_in_a_few_words(output):
    assert readable_time("2026-11-22T21:03:11Z") == "2026-11-22 21:03:11 UTC"
    assert describe_run(write_run(output, pid=4711, host="labpc")) == "pid 4711 on labpc, since 2026-11-22 21:03:11 UTC"


def test_the_output_beside_an_input_is_what_was_meant(tmp_path):
    (tmp_path / "photos").mkdir()
    write_journal(str(tmp_path / "photos-processed"))
    error = not_an_output_error(str(tmp_path / "photos"))
    assert error.message.endswith("photos was not written by imgpool")
    assert error.hint == f"did you mean {tmp_path / 'photos-processed'}?"


def test_a_folder_that_is_none_or_not_there_is_named(tmp_path):
    assert not_an_output_error(str(tmp_path)).hint == "give the output of `imgpool process`"
    assert "does not exist" in reader.not_an_output_error(str(tmp_path / "absent")).message
