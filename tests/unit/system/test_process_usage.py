import contextlib
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from imgpool.system.process_usage import usage_below

WAIT = "import sys; print('ready', flush=True); sys.stdin.read()"
WORK = """
import sys, time
print("ready", flush=True)
sys.stdin.readline()
end = time.process_time() + 0.05
while time.process_time() < end:
    pass
print("done", flush=True)
"""
WITH_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WAIT!r}])"


@contextlib.contextmanager
def child(source):
    command = [sys.executable, "-c", source]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        process.stdout.readline()
        yield process
        process.stdin.close()


@pytest.mark.parametrize("proc", ["/proc", "/nowhere"])
def test_usage_grows_with_cpu_time_and_with_io(proc):
    with child(WORK) as process:
        before = usage_below([process.pid], Path(proc))[process.pid]
        process.stdin.write(b"go\n")
        process.stdin.flush()
        process.stdout.readline()
        after = usage_below([process.pid], Path(proc))[process.pid]
    assert after.cpu_seconds > before.cpu_seconds
    assert after.io != before.io
    assert not after.stopped


def test_descendants_count_instead_of_their_parent():
    with child(WITH_CHILD) as process:
        [below] = psutil.Process(process.pid).children()
        assert usage_below([process.pid]).keys() == {below.pid}
    with child(WAIT) as process:
        assert usage_below([process.pid]).keys() == {process.pid}


@pytest.mark.parametrize("proc", ["/proc", "/nowhere"])
def test_stopped_process_is_recognised(proc):
    with child(WAIT) as process:
        stopped = psutil.Process(process.pid)
        stopped.suspend()
        while stopped.status() != psutil.STATUS_STOPPED:
            time.sleep(0.01)
        assert usage_below([process.pid], Path(proc))[process.pid].stopped
        stopped.resume()


@pytest.mark.parametrize("proc", ["/proc", "/nowhere"])
def test_process_that_has_ended_is_left_out(proc):
    with child(WAIT) as process:
        pass
    assert usage_below([process.pid], Path(proc)) == {}


def test_system_that_counts_no_io_is_measured_by_cpu_time(monkeypatch):
    """As macOS."""
    times = SimpleNamespace(user=1.0, system=0.5)
    process = SimpleNamespace(cpu_times=lambda: times, status=lambda: psutil.STATUS_RUNNING, children=lambda **_: [])
    monkeypatch.setattr(psutil, "Process", lambda _: process)
    assert usage_below([7], Path("/nowhere")) == {7: (1.5, (), False)}
