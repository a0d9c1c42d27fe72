"""The run file: atomic writes, tolerant reads, and the check whether its run is alive."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from imgpool.core.errors import UsageError
from imgpool.output.layout import run_path
from imgpool.output.run_file import InterruptedRun, RunInfo, interrupted_runs, is_alive, output_clock_ns, read, write
from imgpool.system.process_identity import process_start_time
from tests.support.disks import disk, file_size_limit, remount
from tests.support.run_files import run_of, write_elsewhere

HOUR = 3600 * 10**9
KILLED_RUN = InterruptedRun("0123456789abcdef", "photos", 2**64 - 2)


@pytest.fixture
def output(tmp_path):
    (tmp_path / ".imgpool").mkdir()
    return str(tmp_path)


def entry_of(info):
    return {name: getattr(info, name) for name in RunInfo.__slots__}


def test_a_missing_run_file_is_none(output):
    assert read(output) is None
    assert read(os.path.join(output, "absent")) is None


def test_default_fields_describe_this_process():
    info = run_of()
    assert info.pid == os.getpid()
    assert info.since == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    assert (info.ended, info.how) == (None, None)
    assert run_of().token != info.token


@pytest.mark.parametrize("path", ["/photos", "/\udcff\udcfe", "/new\nline", '/quo"te\\', "/🔬 µ"])
def test_a_written_run_file_is_read_back(output, path):
    info = run_of(inputs=(path, "/more"), checksum=2**64 - 1, unsettled=(KILLED_RUN,))
    write(output, run_of())
    write(output, info)
    assert read(output) == info
    assert os.listdir(os.path.join(output, ".imgpool")) == ["run.json"]


@pytest.mark.parametrize("bad", [b"", b"{", b"[]", b"5", b"null", b"\0" * 300, b"\xff", b'{"v": 1}', b'{"v": "one"}'])
def test_invalid_contents_are_none(output, bad):
    run_path(output).write_bytes(bad)
    assert read(output) is None


def test_unknown_fields_are_ignored_and_missing_ones_are_not(output):
    entry = entry_of(run_of())
    run_path(output).write_text(json.dumps({**entry, "colour": "blue"}))
    assert read(output) is not None
    del entry["token"]
    run_path(output).write_text(json.dumps(entry))
    assert read(output) is None


def test_a_newer_run_file_is_refused(output):
    run_path(output).write_bytes(b'{"v": 3, "of": "things to come"}')
    with pytest.raises(UsageError, match="newer imgpool") as caught:
        read(output)
    assert "upgrade" in caught.value.hint


def test_a_failed_write_keeps_the_old_run_file(output):
    first = run_of()
    write(output, first)
    with file_size_limit(10), pytest.raises(OSError, match="File too large"):
        write(output, run_of())
    assert read(output) == first
    assert os.listdir(os.path.join(output, ".imgpool")) == ["run.json"]


def test_the_end_of_a_run_leaves_what_is_unsettled():
    ended = run_of(unsettled=(KILLED_RUN,)).ended_now("interrupted", ())
    assert (ended.how, ended.unsettled) == ("interrupted", ())
    assert ended.ended


def test_a_run_file_of_version_1_is_read(output):
    """It has no checksum, and the keys of interrupted runs only."""
    entry = {**entry_of(run_of()), "v": 1, "unsettled_since_ns": 5, "unsettled": ["photos"]}
    for name in ("checksum", "placing"):
        del entry[name]
    run_path(output).write_text(json.dumps(entry))
    info = read(output)
    assert (info.checksum, info.unsettled) == (0, (InterruptedRun("", "photos", None),))
    assert interrupted_runs(output, info) == info.unsettled


def test_a_run_file_with_invalid_contents_may_hide_any_run(output):
    assert interrupted_runs(output, None) == ()
    run_path(output).write_bytes(b"\0" * 300)
    assert interrupted_runs(output, read(output)) == (InterruptedRun("", "", None),)


def test_this_process_is_alive_until_its_run_ends(output):
    info = run_of()
    assert is_alive(output, info)
    assert not is_alive(output, info.ended_now("finished", ()))


@pytest.mark.parametrize("changes", [{"process_started": 1.0}, {"boot": "an earlier one"}])
def test_a_reused_process_number_is_not_the_run(output, changes):
    """The process has ended, or the machine was started again."""
    assert not is_alive(output, replace(run_of(), **changes))


def test_dead_and_zombie_processes_are_not_alive(output):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    info = replace(run_of(), pid=process.pid, process_started=process_start_time(process.pid))
    assert is_alive(output, info)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie
    assert not is_alive(output, info)
    process.communicate()
    assert not is_alive(output, info)


def test_a_remote_run_is_alive_while_its_heartbeat_is_recent(output):
    assert is_alive(output, write_elsewhere(output, seconds_ago=50))
    assert not is_alive(output, write_elsewhere(output, seconds_ago=70))


@pytest.mark.parametrize("ahead", [-HOUR, HOUR])
def test_the_clock_of_the_share_measures_the_heartbeat(output, ahead):
    info = write_elsewhere(output)
    assert is_alive(output, info, local_clock_ns=lambda: time.time_ns() + ahead)


def test_without_write_access_the_local_clock_decides(tmp_path):
    with disk(tmp_path / "share", "1m") as share:
        (share / ".imgpool").mkdir()
        info = write_elsewhere(share)
        remount(share, "ro")
        assert is_alive(str(share), info)
        assert not is_alive(str(share), info, local_clock_ns=lambda: time.time_ns() + HOUR)


def test_a_remote_run_without_a_run_file_is_not_alive(output):
    info = write_elsewhere(output)
    run_path(output).unlink()
    assert not is_alive(output, info)


def test_reading_the_clock_leaves_no_file(output):
    before = output_clock_ns(output)
    with open(os.path.join(output, "file"), "wb") as file:
        written = os.fstat(file.fileno()).st_mtime_ns
    assert before <= written <= output_clock_ns(output)
    assert os.listdir(os.path.join(output, ".imgpool")) == []


def test_provenance_is_read_back(output):
    info = run_of(provenance=({"model": {"path": {"model": "unet", "sha256": "h"}}},))
    write(output, info)
    assert read(output) == info


def test_a_run_file_without_provenance_is_read(output):
    write(output, run_of())
    entry = json.loads(run_path(output).read_bytes())
    del entry["provenance"]
    run_path(output).write_text(json.dumps(entry))
    assert read(output).provenance == ()
