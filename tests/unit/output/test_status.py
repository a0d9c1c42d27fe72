"""The status of a run from its run file and journal."""

import json
import os

import pytest

from imgpool.core.errors import UsageError
from imgpool.output.layout import journal_path
from imgpool.output.status import Status
from tests.support.past_runs import ENDED, KILLED, done, failed, write_journal, write_run
from tests.support.permissions import unreadable
from tests.support.small_runs import run, runner_for, write_png


@pytest.fixture
def output(tmp_path):
    return str(tmp_path / "out")


def counts(status):
    return status.done, status.failed, status.skipped, status.left


def add_line(output, line):
    with journal_path(output).open("a") as file:
        file.write(line + "\n")


def test_earlier_runs_are_not_counted(output):
    write_journal(output, done(output), failed(output, "b.png"))
    write_run(output, found=12, skipped=2)
    write_journal(output, done(output, "c.png"), failed(output, "d.png"), done(output, "e.png"))
    status = Status(output)
    assert status.state == "running"
    assert counts(status) == (2, 1, 2, 7)
    assert [result.task.source for result in status.failures] == ["/photos/d.png"]


def test_status_agrees_with_the_results_of_the_run(photos, tmp_path):
    output = str(tmp_path / "out")
    (photos / "cut.png").write_bytes(b"no picture")
    first = run(photos, output=output)
    assert counts(Status(output)) == (3, 1, 0, 0)
    (failure,) = [result for result in first if result.failure]
    (recorded,) = Status(output, tracebacks=True).failures
    assert (recorded.task, recorded.failure) == (failure.task, failure.failure)
    write_png(photos / "new.png")
    run(photos, output=output)
    status = Status(output)
    assert counts(status) == (1, 1, 3, 0)
    assert status.state == "finished"


def test_an_abandoned_run_is_interrupted(photos, tmp_path):
    output = str(tmp_path / "out")
    results = runner_for(photos, output=output).results()
    next(results)
    assert Status(output).state == "running"
    results.close()
    status = Status(output)
    assert status.state == "interrupted"
    assert counts(status) == (1, 0, 0, 2)


def test_an_unlisted_folder_is_a_failure_but_not_an_image(photos, tmp_path):
    output = str(tmp_path / "out")
    with unreadable(photos / "trip"):
        results = run(photos, output=output)
    status = Status(output)
    assert status.unlisted_folders == 1
    assert status.failed == sum(result.status == "failed" for result in results) == 1
    assert counts(status) == (2, 1, 0, 0)


def test_without_a_run_file_totals_are_counted(output):
    write_journal(output, failed(output), done(output, "b.png"))
    write_journal(output, done(output))
    status = Status(output)
    assert (status.run, status.state) == (None, "unknown")
    assert counts(status) == (2, 0, 0, 0)
    assert (status.seconds, status.rate) == (0.0, 0.0)


def test_a_replaced_journal_is_counted_as_a_whole(output):
    write_journal(output, done(output))
    write_run(output, journal=10**6, **ENDED)
    status = Status(output)
    assert status.state == "unknown"
    assert status.done == 1


def test_the_last_line_about_a_target_counts(output):
    write_journal(output, done(output, lost=("exif",)), failed(output), done(output, "b.png", lost=("exif", "icc")))
    status = Status(output)
    assert (status.done, status.failed) == (1, 1)
    assert status.lost == {"exif": 1, "icc": 1}
    write_journal(output, done(output))
    status.refresh()
    assert (status.done, status.failed) == (2, 0)


def test_refresh_reads_new_lines(output):
    write_run(output)
    status = Status(output)
    assert counts(status) == (0, 0, 0, 10)
    write_journal(output, done(output), failed(output, "b.png"))
    assert counts(status) == (0, 0, 0, 10)
    status.refresh()
    assert counts(status) == (1, 1, 0, 8)
    assert status.processed == 2


def test_refresh_starts_again_with_a_new_run(output):
    write_run(output)
    write_journal(output, done(output))
    status = Status(output)
    write_run(output, skipped=1, to_do=9)
    write_journal(output, done(output, "b.png"), failed(output, "c.png"))
    status.refresh()
    assert counts(status) == (1, 1, 1, 7)


def test_lines_of_an_undone_commit_do_not_count(output):
    """A commit that fails on a full disk is removed from the journal again."""
    write_run(output)
    write_journal(output, done(output))
    size = journal_path(output).stat().st_size
    write_journal(output, done(output, "b.png"))
    status = Status(output)
    os.truncate(journal_path(output), size)
    status.refresh()
    assert counts(status) == (1, 0, 0, 9)


def test_the_most_frequent_cause_comes_first(output):
    write_journal(
        output,
        failed(output, "a.png", "OSError"),
        failed(output, "b.png"),
        failed(output, "c.png", message="another message"),
        failed(output, "d.png", "MemoryError"),
    )
    assert Status(output).causes == [("read", "ReadError", 2), ("read", "MemoryError", 1), ("read", "OSError", 1)]


def test_the_rate_of_an_ended_run_covers_all_its_time(output):
    write_run(output, **ENDED)
    write_journal(output, done(output), failed(output, "b.png"))
    status = Status(output)
    assert (status.seconds, status.rate) == (10.0, 0.2)


@pytest.mark.parametrize("changes", [{}, KILLED])
def test_the_rate_without_an_end_uses_the_last_result(output, changes):
    write_run(output, **changes)
    write_journal(output, done(output))
    entry = json.loads(journal_path(output).read_text())
    for name, time in (("b.png", "2026-11-22T21:03:31Z"), ("c.png", "2026-11-22T21:03:41Z")):
        add_line(output, json.dumps({**entry, "target": name, "time": time}))
    status = Status(output)
    assert (status.seconds, status.rate) == (30.0, 0.1)


def test_the_rate_is_zero_before_the_first_result(output):
    write_run(output)
    status = Status(output)
    assert (status.seconds, status.rate) == (0.0, 0.0)


@pytest.mark.parametrize(
    "line",
    [
        '{"v": 1}',
        '{"v": 1, "target": "x.png", "status": "done"}',
        '{"v": 1, "target": "x.png", "time": "yesterday", "lost": [], "status": "done"}',
        '{"v": 1, "target": "x.png", "time": "2026-11-22T21:03:31Z", "lost": [], "status": "failed", "failure": null}',
        "\0\0\0\0",
    ],
)
def test_damaged_lines_are_skipped(output, line):
    write_journal(output, done(output))
    add_line(output, line)
    write_journal(output, done(output, "b.png"))
    status = Status(output)
    assert counts(status) == (2, 0, 0, 0)


def test_tracebacks_are_kept_on_request(output):
    write_journal(output, failed(output))
    assert Status(output).failures[0].failure.traceback == ""
    assert Status(output, tracebacks=True).failures[0].failure.traceback == "Traceback …"


def test_a_foreign_or_missing_folder_is_refused(tmp_path):
    with pytest.raises(UsageError, match="not written by imgpool"):
        Status(str(tmp_path))
    with pytest.raises(UsageError, match="does not exist"):
        Status(str(tmp_path / "absent"))
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="not written by imgpool"):
        Status(str(tmp_path / "file"))


def test_a_run_without_a_journal_is_running(output):
    write_run(output)
    assert Status(output).state == "running"
