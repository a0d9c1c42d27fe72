"""Signals while C code holds the GIL: no Python code runs, and the second signal ends the command nevertheless."""

import os
import signal
import sys
import time

import psutil
import pytest

from imgpool.cli.process import CONTINUE_ADVICE
from imgpool.system.signal_watchdog import REPEATED_SIGNAL_S
from tests.support.runs import Running, command, records, seconds_until

if sys.platform != "linux":
    pytest.skip("the watchdog of signals needs Linux", allow_module_level=True)

INT, TERM = signal.SIGINT, signal.SIGTERM
WORDS = {INT: "interrupted", TERM: "terminated"}

IN_PARENT = """
import sys
from pathlib import Path
sys.path.insert(0, {poison!r})
from imgpool.cli import main
from poison_plugins import hang_in_c

def hang(*_, **__):
    hang_in_c({marks!r})

{patch}
sys.argv = ["imgpool", *sys.argv[1:]]
main()
"""


@pytest.fixture
def marks(tmp_path):
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.poison").write_text(f"nap 0 {number}")
    return folder


@pytest.fixture
def start(tmp_path, images):
    started = []

    def start(*words, program=command):
        running = Running(program("process", images, "-o", tmp_path / "out", "-f", "invert", *words), tmp_path)
        started.append(running)
        return running

    yield start
    for running in started:
        running.close()


def in_parent(patch, marks):
    """Return how to start the command with a function of its own process replaced by one that hangs."""
    from tests.support.runs import POISON

    source = IN_PARENT.format(poison=str(POISON), marks=str(marks), patch=patch)
    return lambda *words: [sys.executable, "-c", source, *words]


def send_twice(running, first, second):
    running.send(first)
    time.sleep(3 * REPEATED_SIGNAL_S)  # the same signal within this time counts as one
    running.send(second)


@pytest.mark.parametrize(("first", "second"), [(INT, INT), (TERM, INT)])
def test_second_signal_ends_a_serial_run_with_the_gil_held(start, images, marks, tmp_path, first, second):
    hanging = images / "hanging.poison"
    hanging.write_text(f"hang-in-c {marks}")
    running = start("--serial")
    assert running.until(lambda: any(marks.iterdir()))
    helpers = running.helpers()
    send_twice(running, first, second)
    outcome = running.wait(20)
    assert outcome.code == 128 + first
    assert outcome.stderr.splitlines()[-1] == f"{WORDS[first]}; {CONTINUE_ADVICE}"
    assert helpers
    assert seconds_until(lambda: not running.processes(), 10) is not None
    hanging.write_text("nap 0")
    assert start("--serial").wait().code == 0
    assert {record["target"] for record in records(tmp_path / "out")} == {path.name for path in images.iterdir()}


WITH_ALARMS = """
from imgpool.system.signal_watchdog import start_signal_watchdog
start_signal_watchdog()
import signal, sys, time
from pathlib import Path
from imgpool.cli._interrupts import Interrupts
sys.path.insert(0, {poison!r})
from poison_plugins import hang_in_c

def receive_alarms():
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    time.sleep(0.3)

{body}
"""


@pytest.fixture
def start_with_alarms(tmp_path):
    """Start a program that handles another signal, as a plug-in may do for a time limit of its own."""
    from tests.support.runs import POISON

    started = []

    def start(body):
        started.append(Running([sys.executable, "-c", WITH_ALARMS.format(poison=str(POISON), body=body)], tmp_path))
        return started[-1]

    yield start
    for running in started:
        running.close()


def test_other_signals_do_not_hide_those_that_end_a_run(start_with_alarms, marks):
    body = "with Interrupts(lambda: None, print, print):\n    receive_alarms()"
    running = start_with_alarms(f"{body}\n    hang_in_c({str(marks)!r})")
    assert running.until(lambda: any(marks.iterdir()))
    send_twice(running, INT, INT)
    assert running.wait(20).code in {130, 137}


def test_watchdog_sleeps_while_other_signals_are_unread(start_with_alarms, marks):
    running = start_with_alarms(f"receive_alarms()\nPath({str(marks)!r}, 'go').touch()\ntime.sleep(60)")
    assert running.until(lambda: any(marks.iterdir()))
    [watchdog] = watchdogs(running)
    time.sleep(0.5)
    used = watchdog.cpu_times()
    assert used.user + used.system < 0.3


@pytest.mark.torture
def test_one_signal_ends_a_serial_run_when_its_time_is_over(start, images, marks):
    (images / "hanging.poison").write_text(f"hang-in-c {marks}")
    running = start("--serial")
    assert running.until(lambda: any(marks.iterdir()))
    running.send(TERM)
    assert running.wait(30).code == 143


def test_second_signal_ends_a_pool_run_with_the_gil_held(start, marks):
    patch = "from imgpool.report import console; console.Reporter.show = hang"
    running = start("-j", "1", program=in_parent(patch, marks))
    assert running.until(lambda: any(marks.iterdir()))
    send_twice(running, INT, INT)
    assert running.wait(20).code == 130
    assert seconds_until(lambda: not running.processes(), 10) is not None


def test_first_signal_ends_a_start_that_holds_the_gil(start, marks):
    running = start(program=in_parent("from imgpool.batch import plan; plan.make_plan = hang", marks))
    assert running.until(lambda: any(marks.iterdir()))
    running.send(TERM)
    outcome = running.wait(20)
    assert (outcome.code, outcome.stderr) == (143, "terminated\n")
    assert seconds_until(lambda: not running.processes(), 10) is not None


def watchdogs(running):
    """The children of the first process in its own session."""
    children = psutil.Process(running.pid).children()
    return [child for child in children if os.getsid(child.pid) == running.pid]


@pytest.fixture
def waiting(start, images, marks):
    """A serial run that is waiting in its last image, and its watchdog."""
    (images / "waiting.poison").write_text(f"wait {marks}")
    running = start("--serial")
    assert running.until(lambda: any(marks.iterdir()))
    [watchdog] = watchdogs(running)
    return running, watchdog


def test_watchdog_ends_with_a_process_that_is_killed(waiting):
    running, watchdog = waiting
    running.send(signal.SIGKILL)
    running.wait()
    assert seconds_until(lambda: not watchdog.is_running(), 10) is not None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_run_does_not_depend_on_its_watchdog(waiting, number):
    running, watchdog = waiting
    watchdog.send_signal(number)
    send_twice(running, INT, INT)
    outcome = running.wait(20)
    assert outcome.code == 130
    assert CONTINUE_ADVICE in outcome.stderr


def test_watchdog_does_not_end_a_run_that_handles_its_signal(waiting, marks):
    running, watchdog = waiting
    running.send(INT)
    time.sleep(2.5)  # more than a second signal would have
    assert watchdog.is_running()
    (marks / "go").touch()
    outcome = running.wait(20)
    assert outcome.code == 130
    assert "left" in outcome.stderr
