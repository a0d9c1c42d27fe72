"""A session: results become durable during the run, and errors of the commit thread are never lost."""

import errno
import os
import shutil
import threading
import time
from dataclasses import replace
from functools import partial

import pytest

from imgpool.core.errors import RunError
from imgpool.core.task import Failure, Result, Task
from imgpool.output import run_file
from imgpool.output.layout import file_id, journal_path, run_path
from imgpool.output.session import CommitOptions, OutputSession
from imgpool.output.unsettled import PlannedRun
from tests.support.past_runs import read_journal
from tests.support.run_files import run_of, write_elsewhere
from tests.support.small_runs import runner_for, statuses


@pytest.fixture
def output(tmp_path):
    return str(tmp_path / "out")


QUICK = CommitOptions(interval=0.01, heartbeat_interval=0.02)


def start(output, input_folders=None, stop=lambda: None, **options):
    return OutputSession(output, run_of(), PlannedRun("key"), input_folders or {}, stop, **options)


def done(output, name="a.png"):
    return Result(Task(f"/photos/{name}", os.path.join(output, name), 1, 2), "done")


def failed(output, stage, message="", source="/photos/a.png"):
    return Result(Task(source, os.path.join(output, "a.png"), 1, 2), "failed", Failure(stage, "OSError", message))


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_results_are_durable_before_the_next_image_is_finished(photos, output):
    results = runner_for(photos, output=output, open_session=partial(OutputSession, commits=QUICK)).results()
    next(results)
    wait_for(lambda: len(read_journal(output)) == 1)
    assert statuses(results) == ["done"] * 2


def test_commits_and_heartbeats_need_no_further_result(output):
    with start(output, commits=QUICK) as held:
        held.record(done(output))
        wait_for(lambda: list(read_journal(output)) == ["a.png"])
        os.utime(run_path(output), (1, 1))
        wait_for(lambda: run_path(output).stat().st_mtime_ns > 10**18)


def test_the_commit_thread_ends_with_the_session(output):
    before = threading.enumerate()
    with start(output):
        (commit_thread,) = set(threading.enumerate()) - set(before)
        assert commit_thread.daemon
    assert not commit_thread.is_alive()


@pytest.fixture
def repaired():
    """Set when the disk can be synced again."""
    return threading.Event()


@pytest.fixture
def broken_disk(repaired):
    """Options for a disk that cannot be synced until it is repaired."""

    def sync(_descriptor):
        if not repaired.is_set():
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    return replace(QUICK, sync=sync)


def test_a_failed_background_commit_stops_the_run(output, broken_disk):
    stopped, recorded = threading.Event(), []

    def run():
        with start(output, stop=stopped.set, commits=broken_disk) as held:
            held.record(done(output))
            assert stopped.wait(30)
            recorded.append(held.record(done(output, "b.png")))

    with pytest.raises(RunError, match="input/output error") as caught:
        run()
    assert caught.value.hint
    assert not recorded
    assert read_journal(output) == {}
    assert run_file.read(output).how.startswith("stopped: the disk or share of the output has an error")


def test_a_failed_commit_is_retried_and_reported_at_the_end(output, broken_disk, repaired):
    stopped = threading.Event()

    def run():
        with start(output, stop=stopped.set, commits=broken_disk) as held:
            held.record(done(output))
            assert stopped.wait(30)
            repaired.set()

    with pytest.raises(RunError, match="input/output error"):
        run()
    assert list(read_journal(output)) == ["a.png"]


def test_no_image_is_started_after_a_storage_error(photos, broken_disk):
    planned = runner_for(photos, open_session=partial(OutputSession, commits=broken_disk))
    results = planned.results()
    seen = [next(results)]
    wait_for(planned.options.should_stop)
    with pytest.raises(RunError, match="input/output error"):
        seen.extend(results)
    assert len(seen) == 1


def test_a_run_that_lost_the_folder_writes_no_lines(output):
    stopped = threading.Event()

    def run():
        with start(output, stop=stopped.set, commits=QUICK) as held:
            write_elsewhere(output, token="0123456789abcdef")
            held.record(done(output))
            assert stopped.wait(30)

    with pytest.raises(RunError, match="took over"):
        run()
    assert (run_file.read(output).token, run_file.read(output).ended) == ("0123456789abcdef", None)
    assert read_journal(output) == {}


def test_each_run_has_an_empty_scratch_folder_until_its_end(output):
    with start(output) as first:
        assert os.listdir(first.scratch) == []
        open(os.path.join(first.scratch, "half.png"), "wb").close()
    assert sorted(os.listdir(os.path.join(output, ".imgpool"))) == ["journal.jsonl", "lock", "run.json"]
    with start(output) as second:
        assert second.scratch != first.scratch


def test_partial_files_of_a_killed_run_are_removed_first(photos, output):
    """On a full disk, they may take the very space that the next run needs."""
    os.makedirs(os.path.join(output, ".imgpool"))
    killed = write_elsewhere(output, seconds_ago=1000).token
    scratch = os.path.join(output, ".imgpool", "tmp")
    os.makedirs(os.path.join(scratch, killed))
    leftovers = [
        os.path.join(scratch, killed, ".imgpool-1-1.png"),
        os.path.join(output, ".imgpool", f"run-{killed}.tmp"),
    ]
    for path in leftovers:
        open(path, "wb").close()
    results = runner_for(photos, output=output).results()
    assert next(results).status == "done"
    assert not any(map(os.path.exists, leftovers))
    assert statuses(results) == ["done"] * 2
    assert not os.path.exists(scratch)


def test_the_scratch_folder_of_another_run_stays(output):
    with start(output) as held:
        other = os.path.join(os.path.dirname(held.scratch), "another")
        os.mkdir(other)
        write_elsewhere(output)
    assert os.path.isdir(other)
    assert not os.path.exists(held.scratch)


def test_a_missing_output_folder_stops_the_run_at_a_failed_write(output):
    with start(output) as held:
        shutil.rmtree(held.scratch)
        with pytest.raises(RunError, match=r"the output folder .* is gone") as caught:
            held.record(failed(output, "write", "no such file or directory"))
    assert "bring it back" in caught.value.hint
    assert read_journal(output) == {}


def test_a_failed_write_names_the_run_that_took_the_folder(output):
    with start(output) as held:
        write_elsewhere(output)
        shutil.rmtree(held.scratch)
        with pytest.raises(RunError, match="another run took over"):
            held.record(failed(output, "write", "no such file or directory"))


def test_a_write_error_of_a_single_image_does_not_stop_the_run(output):
    with start(output) as held:
        held.record(failed(output, "write", "is a directory"))
        held.record(failed(output, "worker", "killed"))
    assert read_journal(output)["a.png"].status == "failed"


@pytest.mark.parametrize("back", [False, True])
def test_a_missing_or_replaced_input_folder_stops_the_run(photos, output, back):
    planned = runner_for(photos, output=output)
    os.rename(photos, f"{photos}-gone")
    if back:  # as the empty folder that a share was mounted on
        photos.mkdir()
    with pytest.raises(RunError, match=f"the input folder {photos} is gone"):
        list(planned.results())
    assert read_journal(output) == {}
    shutil.rmtree(photos, ignore_errors=True)
    os.rename(f"{photos}-gone", photos)
    assert statuses(runner_for(photos, output=output).results()) == ["done"] * 3


def test_only_the_input_folder_of_a_failed_image_is_checked(tmp_path, output):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos-2").mkdir()
    there = file_id(str(tmp_path / "photos"))
    with start(output, {str(tmp_path / "photos"): there, str(tmp_path / "gone"): (1, 1)}) as held:
        held.record(failed(output, "read", source=str(tmp_path / "photos" / "a.png")))
        held.record(failed(output, "read", source=str(tmp_path / "gone-too.png")))


def test_forking_during_commits_is_safe(photos, output):
    settings = {"output": output, "engine": "pool", "fresh": True, "workers": 2, "start_method": "fork"}
    always = partial(OutputSession, commits=CommitOptions(interval=0.0, heartbeat_interval=0.0))
    for _ in range(3):
        assert statuses(runner_for(photos, open_session=always, **settings).results()) == ["done"] * 3


def test_a_run_that_cannot_open_its_journal_frees_the_lock(output):
    journal_path(output).mkdir(parents=True)
    with pytest.raises(RunError, match="is a folder"):
        start(output).__enter__()
    assert run_file.read(output) is None
    journal_path(output).rmdir()
    with start(output):
        assert run_file.read(output).ended is None
