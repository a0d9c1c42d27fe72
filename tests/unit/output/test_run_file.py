"""The run file: written whole, read with care, and the question whether its run still lives."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace

import pytest

from imgpool.core.errors import UsageError
from imgpool.output.layout import run_path
from imgpool.output.run_file import RunInfo, is_alive, output_clock_ns, read, write
from imgpool.system import process_identity
from imgpool.system.process_identity import process_start_time
from tests.support.run_files import run_of, write_elsewhere

HOUR = 3600 * 10**9


@pytest.fixture
def output(tmp_path):
    (tmp_path / ".imgpool").mkdir()
    return str(tmp_path)


def entry_of(info):
    return {name: getattr(info, name) for name in RunInfo.__slots__}


def test_without_a_run_file_there_is_no_run(output):
    assert read(output) is None
    assert read(os.path.join(output, "absent")) is None


def test_by_default_it_tells_of_this_process_now():
    info = run_of()
    assert info.pid == os.getpid()
    assert info.since == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    assert (info.ended, info.how) == (None, None)
    assert run_of().token != info.token


@pytest.mark.parametrize("path", ["/photos", "/\udcff\udcfe", "/new\nline", '/quo"te\\', "/🔬 µ"])
def test_what_is_written_is_read_and_nothing_else_is_left(output, path):
    info = run_of(inputs=(path, "/more"), unsettled_since_ns=5, unsettled=("x",))
    write(output, run_of())
    write(output, info)
    assert read(output) == info
    assert os.listdir(os.path.join(output, ".imgpool")) == ["run.json"]


@pytest.mark.parametrize("bad", [b"", b"{", b"[]", b"5", b"null", b"\0" * 300, b"\xff", b'{"v": 1}', b'{"v": "one"}'])
def test_garbage_is_no_run_file(output, bad):
    run_path(output).write_bytes(bad)
    assert read(output) is None


def test_a_field_that_is_not_known_is_passed_over_and_one_that_is_missing_is_not(output):
    entry = entry_of(run_of())
    run_path(output).write_text(json.dumps({**entry, "colour": "blue"}))
    assert read(output) is not None
    del entry["token"]
    run_path(output).write_text(json.dumps(entry))
    assert read(output) is None


def test_a_newer_run_file_is_refused(output):
    run_path(output).write_bytes(b'{"v": 2, "of": "things to come"}')
    with pytest.raises(UsageError, match="newer imgpool") as caught:
        read(output)
    assert "upgrade" in caught.value.hint


def test_a_write_that_fails_leaves_the_old_one_and_no_litter(output, monkeypatch):
    first = run_of()
    write(output, first)

    def fsync(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="No space"):
        write(output, run_of())
    assert read(output) == first
    assert os.listdir(os.path.join(output, ".imgpool")) == ["run.json"]


def test_the_end_settles_what_is_not_left():
    info = run_of(unsettled_since_ns=5, unsettled=("a", "b"))
    left = info.ended_now("interrupted", ("a",))
    assert (left.how, left.unsettled, left.unsettled_since_ns) == ("interrupted", ("a",), 5)
    assert left.ended
    assert info.ended_now("finished", ()).unsettled_since_ns is None


def test_this_process_is_alive_until_its_run_has_ended(output):
    info = run_of()
    assert is_alive(output, info)
    assert not is_alive(output, info.ended_now("finished", ()))


@pytest.mark.parametrize("changes", [{"process_started": 1.0}, {"boot": "an earlier one"}])
def test_a_number_that_another_process_has_now_is_not_the_run(output, changes):
    """The process that had it is gone, or the whole machine has been started anew since."""
    assert not is_alive(output, replace(run_of(), **changes))


@pytest.fixture(params=["by the system itself", "by psutil"])
def _told(request, monkeypatch, tmp_path):
    if request.param == "by psutil":
        monkeypatch.setattr(process_identity, "_PROC", tmp_path)


@pytest.mark.usefixtures("_told")
def test_a_clock_that_was_set_does_not_make_it_another_process(output, monkeypatch):
    """The boot, and with it the start of every process, is then told for another time."""
    import psutil

    info = run_of()
    boot, create_time = psutil.boot_time, psutil.Process.create_time
    monkeypatch.setattr(psutil, "boot_time", lambda: boot() + 86400)
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: create_time(process) + 86400)
    assert is_alive(output, info)


@pytest.mark.usefixtures("_told")
def test_a_process_that_is_gone_or_of_which_only_the_remains_are_there_is_not_alive(output):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    info = replace(run_of(), pid=process.pid, process_started=process_start_time(process.pid))
    assert is_alive(output, info)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and not waited for
    assert not is_alive(output, info)
    process.communicate()
    assert not is_alive(output, info)


def test_a_run_elsewhere_is_alive_as_long_as_it_touches_its_run_file(output):
    assert is_alive(output, write_elsewhere(output, seconds_ago=50))
    assert not is_alive(output, write_elsewhere(output, seconds_ago=70))


@pytest.mark.parametrize("ahead", [-HOUR, HOUR])
def test_its_age_is_told_by_the_clock_of_the_share(output, monkeypatch, ahead):
    here = time.time_ns
    info = write_elsewhere(output)
    monkeypatch.setattr(time, "time_ns", lambda: here() + ahead)
    assert is_alive(output, info)

    def refuse(**_options):
        raise PermissionError

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert not is_alive(output, info)  # nothing can be written there: this machine's clock is all there is


def test_a_run_elsewhere_whose_run_file_is_gone_is_not_alive(output):
    info = write_elsewhere(output)
    run_path(output).unlink()
    assert not is_alive(output, info)


def test_the_clock_is_that_of_files_and_leaves_none(output):
    before = output_clock_ns(output)
    with open(os.path.join(output, "file"), "wb") as file:
        written = os.fstat(file.fileno()).st_mtime_ns
    assert before <= written <= output_clock_ns(output)
    assert os.listdir(os.path.join(output, ".imgpool")) == []


def test_a_run_file_tells_what_models_and_files_its_recipe_has(output):
    info = run_of(provenance=({"model": {"path": {"model": "unet", "sha256": "h"}}},))
    write(output, info)
    assert read(output) == info


def test_a_run_file_of_before_there_were_models_is_still_one(output):
    write(output, run_of())
    entry = json.loads(run_path(output).read_bytes())
    del entry["provenance"]
    run_path(output).write_text(json.dumps(entry))
    assert read(output).provenance == ()
