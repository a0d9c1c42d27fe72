import subprocess
import sys
import threading

import pytest

from imgpool.system import start_limit
from imgpool.system.process_usage import ProcessUsage
from imgpool.system.start_limit import StartLimit, StartMonitor, describe_start, monitored

INTERVAL_S = 1.0  # of a limit of 60 s


class Processes:
    """What processes use, and a clock; both as the test wants."""

    def __init__(self):
        self.now = 100.0
        self.usage = {1: ProcessUsage(0.0, (0,), stopped=False)}
        self.limit = StartLimit(60.0, 1000.0, clock=lambda: self.now, measure=lambda _: dict(self.usage))
        self.check()  # the first look always finds something new

    def set(self, pid=1, cpu=0.0, io=0, *, stopped=False):
        self.usage[pid] = ProcessUsage(cpu, (io,), stopped=stopped)

    def check(self, seconds=INTERVAL_S):
        self.now += seconds
        return self.limit.check([1])

    def idle(self, seconds):
        return [self.check() for _ in range(seconds)]


@pytest.fixture
def processes():
    return Processes()


def test_start_without_progress_is_ended(processes):
    assert set(processes.idle(60)) == {""}
    assert processes.check() == "no activity for 1 minutes"


def test_reason_names_the_time_in_a_suitable_unit(processes):
    processes.limit = StartLimit(300.0, 1e6, clock=lambda: processes.now, measure=lambda _: processes.usage)
    assert "no activity for 5 minutes" in processes.idle(400)
    processes.limit = StartLimit(0.5, 1e6, clock=lambda: processes.now, measure=lambda _: processes.usage)
    assert any("no activity for 0.5 s" in reason for reason in processes.idle(100))


@pytest.mark.parametrize(
    "change",
    [
        {"cpu": 10.0},
        {"io": 1},
        {"pid": 2},
        {"stopped": True},
    ],
)
def test_progress_in_time_keeps_the_start_going(processes, change):
    processes.idle(59)
    processes.set(**change)
    assert processes.check() == ""
    processes.usage = {pid: used._replace(stopped=False) for pid, used in processes.usage.items()}
    assert set(processes.idle(60)) == {""}
    assert processes.check()


def test_tiny_cpu_time_is_no_progress(processes):
    """A thread that waits for the GIL wakes up 200 times a second."""
    reasons = []
    for second in range(70):
        processes.set(cpu=0.003 * second)
        reasons.append(processes.check())
    assert "no activity for 1 minutes" in reasons


def test_little_cpu_time_is_progress(processes):
    for second in range(200):
        processes.set(cpu=0.03 * second)
        assert processes.check() == ""


def test_time_in_which_this_process_is_suspended_does_not_count(processes):
    processes.idle(30)
    assert processes.check(3600.0) == ""
    assert set(processes.idle(20)) == {""}


def test_unknown_usage_is_no_reason_to_end_the_start(processes):
    processes.usage = {}
    assert set(processes.idle(500)) == {""}


def test_total_time_is_limited_whatever_the_processes_do(processes):
    reasons = []
    for second in range(1001):
        processes.set(cpu=float(second))
        reasons.append(processes.check())
    assert reasons[-3] == ""
    assert reasons[-1] == "not ready after 16.6667 minutes"


def test_processes_are_not_looked_at_more_often_than_needed(processes):
    looks = []
    limit = StartLimit(60.0, 1000.0, clock=lambda: processes.now, measure=lambda _: looks.append(1) or {})
    for _ in range(100):
        processes.now += 0.1
        limit.check([1])
    assert len(looks) <= 10


def test_monitor_ends_a_start_once(monkeypatch):
    monkeypatch.setattr(start_limit, "START_IDLE_TIMEOUT_S", 0.05)
    kills = []
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        monitor = StartMonitor(lambda: [process.pid], lambda: kills.append(1))
        monitor.start()
        monitor._thread.join(20)
    assert kills == [1]
    assert monitor.reason == "no activity for 0.05 s"


def test_monitor_ends_with_the_start(monkeypatch):
    monkeypatch.setattr(start_limit, "START_IDLE_TIMEOUT_S", 0.05)
    kills = []
    started = StartMonitor(lambda: [1], lambda: kills.append(1), lambda: True)
    started.start()
    started._thread.join(20)
    with monitored(StartMonitor(lambda: [1], lambda: kills.append(2))) as stopped:
        assert stopped._thread.is_alive()
    assert not stopped._thread.is_alive()
    assert not kills


def test_monitor_without_a_thread_does_nothing(monkeypatch):
    """As under a limit on the number of threads."""
    monkeypatch.setattr(threading, "_start_new_thread", lambda *_: (_ for _ in ()).throw(RuntimeError("no thread")))
    with monitored(StartMonitor(list, list)) as monitor:
        pass
    assert not monitor.reason


def test_monitor_that_was_not_started_can_be_stopped():
    StartMonitor(list, list).stop()


def test_description_names_the_last_import_if_it_is_known():
    assert describe_start("no activity for 5 minutes", "numpy") == "no activity for 5 minutes (last import: numpy)"
    assert describe_start("no activity for 5 minutes", "") == "no activity for 5 minutes"
