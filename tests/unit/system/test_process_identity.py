"""Start times of processes, from /proc and from psutil."""

import os
import subprocess
import sys

import psutil
import pytest

from imgpool.system.process_identity import PROC, boot_id, kill_command, own_start_time, process_start_time


@pytest.fixture(params=["proc", "psutil"])
def proc(request, tmp_path):
    """The folder with a description of each process, or an empty one, as on other systems than Linux."""
    return PROC if request.param == "proc" else tmp_path


def test_start_time_is_in_seconds_after_the_boot(proc):
    process = psutil.Process()
    assert process_start_time(process.pid, proc) == pytest.approx(process.create_time() - psutil.boot_time(), abs=0.02)
    assert process_start_time(process.pid, proc) == own_start_time(proc)


def test_process_that_does_not_exist_has_no_start_time(proc):
    assert process_start_time(2**22 + 1, proc) is None


def test_zombie_has_no_start_time(proc):
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended and is not collected yet
    assert process_start_time(process.pid, proc) is None
    process.wait()


def test_setting_the_clock_does_not_change_the_start_time(monkeypatch, proc):
    """A new clock shifts the times of the boot and of the start of every process alike."""
    before = own_start_time(proc)
    boot_time, create_time = psutil.boot_time, psutil.Process.create_time
    monkeypatch.setattr(psutil, "boot_time", lambda: boot_time() + 86400)
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: create_time(process) + 86400)
    assert own_start_time(proc) == pytest.approx(before, abs=0.02)


def test_boot_id_stays_the_same():
    assert boot_id() == boot_id()


def test_command_that_ends_a_process_is_the_one_of_the_system():
    assert [kill_command(42, platform) for platform in ("linux", "darwin", "win32")] == [
        "kill 42", "kill 42", "taskkill /F /PID 42",
    ]  # fmt: skip
