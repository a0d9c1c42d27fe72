import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest

from imgpool.system import processes
from imgpool.system.processes import clean_start, exit_reason, kill_group, start
from imgpool.system.threads import ONE_THREAD
from tests.support import engine_tasks as tasks


def test_clean_start_hides_the_script_and_limits_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    main = sys.modules["__main__"]
    with clean_start(forked=False):
        assert not hasattr(sys.modules["__main__"], "__file__")
        assert all(os.environ[name] == "1" for name in ONE_THREAD)
        child = [sys.executable, "-c", "import os; print(os.environ['OMP_NUM_THREADS'])"]
        assert subprocess.run(child, capture_output=True, check=True).stdout.split() == [b"1"]
    assert sys.modules["__main__"] is main
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_clean_start_restores_everything_after_an_error():
    main, environment = sys.modules["__main__"], dict(os.environ)
    with pytest.raises(OSError, match="no more"), clean_start(forked=False):
        raise OSError("no more processes")
    assert sys.modules["__main__"] is main
    assert dict(os.environ) == environment


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_children_are_numbered_from_one_in_the_order_of_creation(method):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as host:
        assert host.submit(tasks.child_numbers, method).result() == [1, 2, 3]


@pytest.mark.parametrize(
    ("exitcode", "reason"),
    [(0, "exit code 0"), (3, "exit code 3"), (-9, "SIGKILL"), (-11, "SIGSEGV"), (-99, "signal 99")],
)
def test_exit_reason_names_the_signal_or_the_code(exitcode, reason):
    assert exit_reason(exitcode) == reason


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_reused_number_of_a_leader_is_not_killed(monkeypatch):
    times = iter([100.0, 200.0])  # of the leader, and of the process that has its number later
    monkeypatch.setattr(processes, "process_start_time", lambda _: next(times))
    leader = multiprocessing.get_context("fork").Process(target=tasks.hang)
    start(leader, "fork")
    kill_group(leader)
    assert leader.is_alive()
    monkeypatch.setattr(processes, "process_start_time", lambda _: 100.0)
    kill_group(leader)
    leader.join()
    assert exit_reason(leader.exitcode) == "SIGKILL"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a fork server")
def test_killed_resource_tracker_is_replaced_without_a_warning():
    program = """
import multiprocessing, os, signal, time
from multiprocessing import resource_tracker
from imgpool.system.processes import start
resource_tracker.ensure_running()
os.kill(resource_tracker._resource_tracker._pid, signal.SIGKILL)
time.sleep(0.1)
child = multiprocessing.get_context("forkserver").Process(target=int)
start(child, "forkserver")
child.join()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
