"""The lock: which run gets the folder, what the run file says, and what one run passes on to the next."""

import errno
import json
import os
from contextlib import ExitStack
from dataclasses import replace

import filelock
import pytest

from imgpool.core.errors import RunError
from imgpool.output import run_file
from imgpool.output.layout import run_path
from imgpool.output.lock import OutputLock
from imgpool.output.state_folder import open_state_folder
from imgpool.output.unsettled import PlannedRun, UnsettledTargets
from tests.support.disks import file_size_limit
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


def lock_of(output, key="key", timeout=5.0, sleep=lambda _seconds: None, **changes):
    targets = UnsettledTargets(output, PlannedRun(key))
    return OutputLock(output, run_of(**changes), targets, timeout=timeout, sleep=sleep)


def run_to_end(output, processed=2, **changes):
    """Take the lock, process some tasks and end; return the run file."""
    with lock_of(output, **changes) as held:
        held.processed = processed
    return run_file.read(output)


def leave_killed_run(output, **changes):
    """Write the run file of a killed run: it has no end, and its process does not exist; return its contents."""
    with lock_of(output, **changes) as held:
        left = replace(held.info, process_started=1.0)
    run_file.write(output, left)
    return left


def test_a_missing_output_folder_is_created(tmp_path):
    assert run_to_end(str(tmp_path / "new" / "folder")).how == "finished"


def test_the_run_file_shows_a_live_run(output):
    with lock_of(output, recipe="blur") as held:
        info = run_file.read(output)
        assert info == held.info
        assert (info.recipe, info.pid, info.ended) == ("blur", os.getpid(), None)
        assert run_file.is_alive(output, info)
    assert not run_file.is_alive(output, run_file.read(output))


def test_a_second_run_is_refused_and_changes_nothing(output):
    with lock_of(output, since="2026-11-22T21:03:11Z") as first:
        with pytest.raises(RunError, match=r"another run is writing into .*/out: pid \d+ on .*, since") as caught:
            lock_of(output).__enter__()
        assert "2026-11-22 21:03:11 UTC" in caught.value.message
        for word in (f"kill {os.getpid()}", first.info.host, "`output`"):
            assert word in caught.value.hint
        assert run_file.read(output) == first.info
        first.check()
    assert run_to_end(output).how == "finished"


def test_waiting_for_an_unknown_lock_holder_ends(output):
    leave_killed_run(output)
    with open(os.path.join(output, ".imgpool", "lock"), "w") as file:
        filelock.lock_descriptor(file.fileno(), blocking=False)
        with pytest.raises(RunError, match="another run is writing"):
            lock_of(output, timeout=0.2).__enter__()
    assert run_to_end(output).how == "finished"


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
def test_the_run_file_says_how_the_run_ended(output, error, processed, how):
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
    assert info.unsettled == ()  # the journal has all that was written


def test_the_run_file_holds_the_size_of_the_journal(output):
    assert run_to_end(output).journal == 0
    with open(os.path.join(output, ".imgpool", "journal.jsonl"), "w") as file:
        file.write("a line\n")
    assert run_to_end(output).journal == 7


def test_a_killed_run_does_not_block_the_next(output):
    leave_killed_run(output)
    assert run_to_end(output).how == "finished"


def test_a_live_run_on_another_machine_blocks_without_a_lock(output):
    there = write_elsewhere(output)
    with pytest.raises(RunError, match=f"pid 4711 on {ELSEWHERE}, since 2026-11-22 21:03:11 UTC"):
        lock_of(output).__enter__()
    assert run_file.read(output) == there


@pytest.mark.parametrize("changes", [{"seconds_ago": 70}, {"ended": "2026-11-22T21:03:11Z", "how": "finished"}])
def test_a_dead_run_on_another_machine_does_not_block(output, changes):
    write_elsewhere(output, **changes)
    assert run_to_end(output).how == "finished"


def test_a_free_lock_is_proof_within_one_kernel(output):
    """A killed container may be followed at once by one with another host name."""
    write_elsewhere(output, boot=run_of().boot or pytest.skip("this system has no name for a boot"))
    assert run_to_end(output).how == "finished"


@pytest.mark.usefixtures("_without_locks")
def test_without_locks_the_run_file_decides(output):
    with lock_of(output) as first:
        with pytest.raises(RunError, match="another run is writing"):
            lock_of(output).__enter__()
        first.check()
    assert run_to_end(output).how == "finished"
    leave_killed_run(output)
    assert run_to_end(output).how == "finished"
    write_elsewhere(output)
    with pytest.raises(RunError, match=ELSEWHERE):
        lock_of(output).__enter__()


@pytest.mark.usefixtures("_without_locks")
def test_without_locks_the_last_writer_of_the_run_file_wins(output):
    with pytest.raises(RunError, match=f"another run is writing into .*: pid 4711 on {ELSEWHERE}"):
        lock_of(output, sleep=lambda _seconds: write_elsewhere(output)).__enter__()
    assert run_file.read(output).ended is None


@pytest.mark.usefixtures("_without_locks")
def test_without_locks_a_run_loses_if_its_temporary_file_is_gone(output, monkeypatch):
    others = []

    def fsync(descriptor):
        if not others and "run-" in os.readlink(f"/proc/self/fd/{descriptor}"):
            others.append("the run on the other machine")
            for name in os.listdir(os.path.join(output, ".imgpool")):
                if name.endswith(".tmp"):
                    os.unlink(os.path.join(output, ".imgpool", name))
            write_elsewhere(output)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(RunError, match=f"another run is writing into .*: pid 4711 on {ELSEWHERE}"):
        lock_of(output).__enter__()


def test_a_run_that_lost_the_folder_says_so_and_changes_nothing(output):
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


def test_the_heartbeat_touches_the_run_file(output):
    with lock_of(output) as held:
        os.utime(run_path(output), (1, 1))
        held.heartbeat()
        assert os.stat(run_path(output)).st_mtime > 10**9


def test_a_folder_that_is_gone_is_not_created_again(output):
    with lock_of(output) as held:
        os.rename(output, f"{output}-elsewhere")
        with pytest.raises(RunError, match="is gone"):
            held.check()
    assert not os.path.exists(output)


def test_an_unwritable_end_never_hides_an_earlier_error(output):
    def run(error=None):
        with ExitStack() as limit, lock_of(output):
            limit.enter_context(file_size_limit(10))
            if error:
                raise error

    with pytest.raises(OSError, match="File too large"):
        run()
    with pytest.raises(RunError, match="worse"):
        run(RunError("worse"))


def write_leftovers(output, *tokens):
    """Write what runs leave in the state folder that are killed; return the paths, relative to it."""
    leftovers = [name.format(token) for token in tokens for name in ("tmp/{}/half.png", "run-{}.tmp")]
    for name in leftovers:
        path = os.path.join(output, ".imgpool", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb"):
            pass
    return leftovers


def state_files(output):
    """List the files in the state folder, relative to it."""
    state = os.path.join(output, ".imgpool")
    return sorted(
        os.path.relpath(os.path.join(root, name), state) for root, _, names in os.walk(state) for name in names
    )


def test_partial_files_of_a_killed_run_are_removed(output):
    """At the start, and again at the end: a worker may live a moment longer than its killed run."""
    killed = leave_killed_run(output)
    write_leftovers(output, killed.token)
    with lock_of(output) as held:
        assert state_files(output) == sorted(["lock", f"planned/{held.info.token}", "run.json"])
        write_leftovers(output, killed.token, held.info.token)
    assert sorted(os.listdir(os.path.join(output, ".imgpool"))) == ["lock", "run.json"]


def test_files_without_the_token_of_a_dead_run_stay(output):
    leave_killed_run(output)
    others = write_leftovers(output, "0123456789abcdef", "my pictures")
    run_to_end(output)
    assert set(others) < set(state_files(output))


FORGED_TOKENS = ["..", ".", "", "a/b", "../../outside", "/etc", "x" * 65, "a\nb", 7, None, ["tmp"], {}]


@pytest.mark.parametrize("token", FORGED_TOKENS)
def test_a_forged_token_removes_nothing(output, token):
    leave_killed_run(output)
    for name in ("tmp/kept/a.png", "../outside/a.png"):
        path = os.path.join(output, ".imgpool", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb"):
            pass
    with open(run_path(output)) as file:
        fields = json.load(file)
    with open(run_path(output), "w") as file:
        json.dump(fields | {"token": token}, file)
    assert run_file.read(output) is None
    assert run_to_end(output).how == "finished"
    assert os.path.exists(os.path.join(output, ".imgpool", "tmp/kept/a.png"))
    assert os.path.exists(os.path.join(output, "outside", "a.png"))


@pytest.mark.parametrize(
    ("changes", "waits"),
    [
        ({"engine": "pool"}, [0.5]),
        ({"engine": "serial"}, []),
        ({"engine": "pool", "ended": "2026-11-22T21:03:11Z"}, []),
    ],
)
def test_workers_of_a_killed_run_get_time_to_end(output, changes, waits):
    """They write for a moment after their main process was killed, and what they replace would be taken for checked."""
    open_state_folder(str(output), create=True).close()
    run_file.write(str(output), run_of(**changes, process_started=-1.0))
    slept = []
    with lock_of(output, sleep=slept.append):
        pass
    assert slept == waits
