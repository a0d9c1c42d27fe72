"""What becomes of signals while a run goes on."""

import contextlib
import os
import signal
import sys
import threading
import time

import pytest

from imgpool.cli import _interrupts
from imgpool.cli._interrupts import CUT_OFF, FINISHING, Interrupted, Interrupts, ignore_hang_up

if sys.platform != "linux":
    pytest.skip("signals and /proc as Linux has them", allow_module_level=True)

INT, TERM = signal.SIGINT, signal.SIGTERM


class Run:
    """What a run sees and says of signals."""

    def __init__(self):
        self.stopped = threading.Event()
        self.told = []
        self.silence = threading.Event()
        self.silence.set()
        self.last_words = []
        self.interrupts = Interrupts(self.stopped.set, self.tell, self.last_words.append)

    def tell(self, line):
        self.told.append(line)
        self.silence.wait(60)


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr(_interrupts, "STUCK", 60)  # else a slow machine ends these tests, by os._exit
    monkeypatch.setattr(_interrupts, "GRACE", 60)
    return Run()


def send(number):
    os.kill(os.getpid(), number)


def go_on(run, *numbers, seconds=20.0):
    """Go on as a run does, in the main thread, while these signals come, and for a while."""
    with run.interrupts.cutting():
        for number in numbers:
            send(number)
            assert run.stopped.wait(20)
            time.sleep(3 * _interrupts.ECHO)  # the same signal within this time would be an echo
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.01)


@pytest.mark.parametrize("number", [INT, TERM])
def test_the_first_signal_stops_the_run_and_says_so_and_raises_nothing(run, number):
    with run.interrupts, run.interrupts.cutting():
        send(number)
        assert run.stopped.wait(20)
    assert run.interrupts.received == number
    assert run.told == [FINISHING]


@pytest.mark.parametrize(("first", "second"), [(INT, INT), (INT, TERM), (TERM, INT)])
def test_the_second_signal_raises_the_first_one_once(run, first, second):
    with run.interrupts:
        with pytest.raises(Interrupted) as raised:
            go_on(run, first, second)
        send(INT)  # people press it more often than twice
    assert raised.value.number == run.interrupts.received == first
    assert run.told == [FINISHING]


def test_the_same_signal_at_once_is_an_echo(run):
    with run.interrupts, run.interrupts.cutting():
        for _ in range(3):
            send(INT)
        run.stopped.wait(20)
        time.sleep(3 * _interrupts.ECHO)  # nothing is to happen
    assert run.interrupts.received == INT


def test_a_run_that_does_not_finish_in_time_is_cut_short(run, monkeypatch):
    monkeypatch.setattr(_interrupts, "GRACE", 0.01)
    with run.interrupts, pytest.raises(Interrupted):
        go_on(run, TERM)
    assert run.told == [FINISHING, CUT_OFF]


def test_nothing_is_raised_outside_of_the_run(run, monkeypatch):
    monkeypatch.setattr(_interrupts, "GRACE", 0.01)
    with run.interrupts:
        send(INT)
        _until(lambda: run.interrupts._cutting)
    assert run.interrupts.received == INT
    assert run.told == [CUT_OFF]  # there were no images in hand


def _until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_other_signals_are_none_of_its_business(run):
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with run.interrupts, run.interrupts.cutting():
            send(signal.SIGUSR1)
            send(signal.SIGUSR1)
            assert not run.stopped.wait(0.2)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert run.interrupts.received is None


def test_an_ignored_signal_stays_ignored(run):
    before = signal.signal(TERM, signal.SIG_IGN)
    try:
        with run.interrupts:
            send(TERM)
            assert signal.getsignal(TERM) is signal.SIG_IGN
    finally:
        signal.signal(TERM, before)
    assert run.interrupts.received is None


@pytest.mark.parametrize("numbers", [[], [INT], [INT, TERM]])
def test_all_is_as_before_when_the_run_is_over(run, numbers):
    before = [signal.getsignal(INT), signal.getsignal(TERM), set(os.listdir("/proc/self/fd")), threading.active_count()]
    with run.interrupts, pytest.raises(Interrupted) if len(numbers) > 1 else contextlib.nullcontext():
        go_on(run, *numbers, seconds=20.0 * (len(numbers) > 1))
    after = [signal.getsignal(INT), signal.getsignal(TERM), set(os.listdir("/proc/self/fd")), threading.active_count()]
    assert after == before
    assert signal.set_wakeup_fd(-1) == -1


def test_somebody_who_does_not_listen_delays_nothing(run, monkeypatch):
    monkeypatch.setattr(_interrupts, "PATIENCE", 0.01)
    run.silence.clear()
    with run.interrupts, pytest.raises(Interrupted):
        go_on(run, INT, TERM)
    run.silence.set()


def test_a_hang_up_is_ignored():
    before = signal.getsignal(signal.SIGHUP)
    try:
        ignore_hang_up()
        send(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
