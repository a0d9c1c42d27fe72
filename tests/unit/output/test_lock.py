"""One run per output: who gets the folder, what the run file tells, and what is carried on from run to run."""

import errno
import os
from dataclasses import replace

import filelock
import pytest

from imgpool.core.errors import RunError
from imgpool.output import lock, run_file
from imgpool.output.layout import run_path
from imgpool.output.lock import OutputLock
from tests.support.run_files import ELSEWHERE, run_of, write_elsewhere


@pytest.fixture
def output(tmp_path):
    (tmp_path / "out" / ".imgpool").mkdir(parents=True)
    return str(tmp_path / "out")


@pytest.fixture
def _without_locks(monkeypatch):
    """A file system that has no locks."""

    def lock_descriptor(_descriptor, *, blocking):
        assert not blocking
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(filelock, "lock_descriptor", lock_descriptor)
    monkeypatch.setattr(lock, "RACE_DELAY_S", 0.01)


def lock_of(output, key="key", **changes):
    return OutputLock(output, run_of(**changes), key)


def live(output, processed=2, **changes):
    """A run from its start to its end."""
    with lock_of(output, **changes) as held:
        held.processed = processed
    return run_file.read(output)


def killed(output, **changes):
    """What a run leaves that is killed: its run file as it was at the start, with a process that is gone."""
    with lock_of(output, **changes) as held:
        left = replace(held.info, process_started=1.0)
    run_file.write(output, left)
    return left


def test_a_folder_that_is_not_there_is_made(tmp_path):
    assert live(str(tmp_path / "new" / "folder")).how == "finished"


def test_while_it_runs_the_run_file_tells_so(output):
    with lock_of(output, recipe="blur") as held:
        info = run_file.read(output)
        assert info == held.info
        assert (info.recipe, info.pid, info.ended) == ("blur", os.getpid(), None)
        assert run_file.is_alive(output, info)
    assert not run_file.is_alive(output, run_file.read(output))


def test_a_second_run_is_refused_by_the_name_of_the_first_and_changes_nothing(output):
    with lock_of(output, since="2026-11-22T21:03:11Z") as first:
        with pytest.raises(RunError, match=r"another run is writing into .*/out: pid \d+ on .*, since") as caught:
            lock_of(output).__enter__()
        assert "2026-11-22 21:03:11 UTC" in caught.value.message
        for word in (f"kill {os.getpid()}", first.info.host, "`output`"):
            assert word in caught.value.hint
        assert run_file.read(output) == first.info
        first.check()
    assert live(output).how == "finished"


def test_a_run_that_has_the_lock_and_does_not_say_who_it_is_is_waited_for_not_for_ever(output, monkeypatch):
    monkeypatch.setattr(lock, "LOCK_TIMEOUT_S", 0.2)
    killed(output)
    with open(os.path.join(output, ".imgpool", "lock"), "w") as file:
        filelock.lock_descriptor(file.fileno(), blocking=False)
        with pytest.raises(RunError, match="another run is writing"):
            lock_of(output).__enter__()
    assert live(output).how == "finished"


@pytest.mark.parametrize(
    ("error", "processed", "how"),
    [
        (None, 2, "finished"),
        (None, 1, "interrupted"),
        (KeyboardInterrupt(), 1, "interrupted"),
        (GeneratorExit(), 2, "interrupted"),
        (RunError("the model does not load", "get it again"), 0, "stopped: the model does not load"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "stopped: the disk is full"),
    ],
)
def test_the_run_file_tells_how_the_run_ended(output, error, processed, how):
    def run():
        with lock_of(output) as held:
            held.processed = processed
            if error:
                raise error

    if error:
        with pytest.raises(type(error)):
            run()
    else:
        run()
    info = run_file.read(output)
    assert info.how == how
    assert info.ended
    assert (info.unsettled_since_ns is None) == (how == "finished")


def test_the_journal_before_the_run_is_told_by_its_bytes(output):
    assert live(output).journal == 0
    with open(os.path.join(output, ".imgpool", "journal.jsonl"), "w") as file:
        file.write("a line\n")
    assert live(output).journal == 7


def test_the_first_run_that_did_not_settle_is_carried_on_until_one_like_it_finishes(output):
    first = killed(output, key="photos")
    assert first.unsettled_since_ns is not None
    for processed, key in ((1, "photos"), (2, "other photos"), (1, "other photos")):
        assert live(output, processed, key=key).unsettled_since_ns == first.unsettled_since_ns
    assert killed(output, key="photos").unsettled_since_ns == first.unsettled_since_ns
    assert live(output, key="photos").unsettled_since_ns == first.unsettled_since_ns
    assert live(output, key="other photos").unsettled_since_ns is None


def test_what_a_run_writes_is_never_older_than_its_start(output):
    with lock_of(output) as held:
        path = os.path.join(output, "a.png")
        with open(path, "wb"):
            pass
        assert os.stat(path).st_mtime_ns >= held.info.unsettled_since_ns


def test_a_killed_run_is_no_obstacle(output):
    killed(output)
    assert live(output).how == "finished"


def test_a_run_elsewhere_that_shows_that_it_lives_is_not_disturbed_though_the_lock_is_free(output):
    there = write_elsewhere(output)
    with pytest.raises(RunError, match=f"pid 4711 on {ELSEWHERE}, since 2026-11-22 21:03:11 UTC"):
        lock_of(output).__enter__()
    assert run_file.read(output) == there


@pytest.mark.parametrize("changes", [{"seconds_ago": 70}, {"ended": "2026-11-22T21:03:11Z", "how": "finished"}])
def test_a_run_elsewhere_that_is_silent_or_over_is_no_obstacle(output, changes):
    write_elsewhere(output, **changes)
    assert live(output).how == "finished"


def test_the_lock_speaks_for_all_that_share_a_kernel(output):
    """A container that was killed is followed by one of another name at once."""
    write_elsewhere(output, boot=run_of().boot or pytest.skip("this system has no name for a boot"))
    assert live(output).how == "finished"


@pytest.mark.usefixtures("_without_locks")
def test_without_locks_the_run_file_decides(output):
    with lock_of(output) as first:
        with pytest.raises(RunError, match="another run is writing"):
            lock_of(output).__enter__()
        first.check()
    assert live(output).how == "finished"
    killed(output)
    assert live(output).how == "finished"
    write_elsewhere(output)
    with pytest.raises(RunError, match=ELSEWHERE):
        lock_of(output).__enter__()


@pytest.mark.usefixtures("_without_locks")
def test_without_locks_whoever_wrote_the_run_file_last_has_won(output, monkeypatch):
    monkeypatch.setattr(lock.time, "sleep", lambda _seconds: write_elsewhere(output))
    with pytest.raises(RunError, match=f"another run is writing into .*: pid 4711 on {ELSEWHERE}"):
        lock_of(output).__enter__()
    assert run_file.read(output).ended is None


@pytest.mark.usefixtures("_without_locks")
def test_without_locks_a_run_whose_half_written_run_file_another_one_cleared_away_has_lost(output, monkeypatch):
    def fsync(_descriptor):
        monkeypatch.setattr(os, "fsync", bool)
        run_file.remove_temporary_files(output)
        write_elsewhere(output)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(RunError, match=f"another run is writing into .*: pid 4711 on {ELSEWHERE}"):
        lock_of(output).__enter__()


def test_a_run_that_was_taken_over_says_so_and_leaves_the_run_file_and_the_scratch_folder_alone(output):
    held = lock_of(output).__enter__()
    other = write_elsewhere(output)
    before = os.stat(run_path(output)).st_mtime_ns
    for act in (held.check, held.heartbeat):
        with pytest.raises(RunError, match=f"another run took over .*: pid 4711 on {ELSEWHERE}, since 2026") as error:
            act()
        assert "kill 4711" in error.value.hint
    held.__exit__(None, None, None)
    assert run_file.read(output) == other
    assert os.stat(run_path(output)).st_mtime_ns == before


def test_a_run_shows_that_it_lives(output):
    with lock_of(output) as held:
        os.utime(run_path(output), (1, 1))
        held.heartbeat()
        assert os.stat(run_path(output)).st_mtime_ns >= held.info.unsettled_since_ns


def test_a_folder_that_is_gone_is_told_and_not_made_again(output):
    with lock_of(output) as held:
        os.rename(output, f"{output}-elsewhere")
        with pytest.raises(RunError, match="is gone"):
            held.check()
    assert not os.path.exists(output)


def test_an_end_that_cannot_be_written_is_an_error_unless_there_is_a_worse_one(output, monkeypatch):
    def write(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    def run(error=None):
        with monkeypatch.context() as patched, lock_of(output):
            patched.setattr(run_file, "write", write)
            if error:
                raise error

    with pytest.raises(OSError, match="No space left"):
        run()
    with pytest.raises(RunError, match="worse"):
        run(RunError("worse"))


def leave_litter(output):
    litter = [os.path.join(output, ".imgpool", name) for name in ("tmp/0123/half.png", "run-0123.tmp")]
    os.makedirs(os.path.dirname(litter[0]))
    for path in litter:
        with open(path, "wb"):
            pass


def test_what_killed_runs_left_half_written_goes_at_the_start_and_what_comes_later_at_the_end(output):
    """A worker may outlive its killed run for a moment."""
    leave_litter(output)
    with lock_of(output):
        assert sorted(os.listdir(os.path.join(output, ".imgpool"))) == ["lock", "run.json"]
        leave_litter(output)
    assert sorted(os.listdir(os.path.join(output, ".imgpool"))) == ["lock", "run.json"]


def test_the_sockets_of_a_killed_run_go_and_nothing_else_whatever_its_run_file_says(output, tmp_path, monkeypatch):
    own = lock.get_temp_dir()
    monkeypatch.setattr(lock.tempfile, "tempdir", str(tmp_path))
    names = ("pymp-killed", "photos", "elsewhere/pymp-mine")
    for name in names:
        (tmp_path / name).mkdir(parents=True)
        run_file.write(output, replace(killed(output), sockets=str(tmp_path / name)))
        assert live(output).sockets == own
    assert [name for name in names if (tmp_path / name).exists()] == ["photos", "elsewhere/pymp-mine"]
