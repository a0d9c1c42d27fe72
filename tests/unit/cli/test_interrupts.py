"""Signals during a run: the first stops it, the second raises."""

import contextlib
import os
import signal
import sys
import threading
import time

import pytest

from imgpool.cli._interrupts import (
    CUT_OFF,
    FINISHING,
    REPEATED_SIGNAL_S,
    Interrupted,
    Interrupts,
)
from imgpool.system.signals import ignore_hang_up

if sys.platform != "linux":
    pytest.skip("signals and /proc as Linux has them", allow_module_level=True)

INT, TERM = signal.SIGINT, signal.SIGTERM


class Run:
    """A stand-in for a run, which records what it is asked to do and to print."""

    def __init__(self, **timeouts):
        self.stopped = threading.Event()
        self.printed = []
        self.can_print = threading.Event()
        self.can_print.set()
        self.exits = []
        # A slow machine must not end these tests by `os._exit`.
        timeouts = {"finish_timeout_s": 60, "main_thread_timeout_s": 60, **timeouts}
        self.interrupts = Interrupts(self.stopped.set, self.print_message, self.exits.append, **timeouts)

    def print_message(self, line):
        self.printed.append(line)
        self.can_print.wait(60)


@pytest.fixture
def run():
    return Run()


def send(number):
    os.kill(os.getpid(), number)


def run_with_signals(run, *numbers, seconds=20.0):
    """Run in the main thread while these signals arrive, and for some seconds more."""
    with run.interrupts.raising():
        for number in numbers:
            send(number)
            assert run.stopped.wait(20)
            time.sleep(3 * REPEATED_SIGNAL_S)  # the same signal within this time counts as one
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.01)


@pytest.mark.parametrize("number", [INT, TERM])
def test_first_signal_stops_the_run_without_raising(run, number):
    with run.interrupts, run.interrupts.raising():
        send(number)
        assert run.stopped.wait(20)
    assert run.interrupts.received == number
    assert run.printed == [FINISHING]


@pytest.mark.parametrize(("first", "second"), [(INT, INT), (INT, TERM), (TERM, INT)])
def test_second_signal_raises_the_first_one_once(run, first, second):
    with run.interrupts:
        with pytest.raises(Interrupted) as raised:
            run_with_signals(run, first, second)
        send(INT)  # people press it more often than twice
    assert raised.value.number == run.interrupts.received == first
    assert run.printed == [FINISHING]


def test_repeated_signal_counts_once(run):
    with run.interrupts, run.interrupts.raising():
        for _ in range(3):
            send(INT)
        run.stopped.wait(20)
        time.sleep(3 * REPEATED_SIGNAL_S)  # nothing must happen
    assert run.interrupts.received == INT


def test_run_that_does_not_finish_in_time_is_interrupted():
    run = Run(finish_timeout_s=0.01)
    with run.interrupts, pytest.raises(Interrupted):
        run_with_signals(run, TERM)
    assert run.printed == [FINISHING, CUT_OFF]


def test_nothing_is_raised_outside_the_context():
    run = Run(finish_timeout_s=0.01)
    with run.interrupts:
        send(INT)
        _until(lambda: run.interrupts._must_raise)
    assert run.interrupts.received == INT
    assert run.printed == [CUT_OFF]  # no image was being processed


def _until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_other_signals_are_not_handled(run):
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with run.interrupts, run.interrupts.raising():
            send(signal.SIGUSR1)
            send(signal.SIGUSR1)
            assert not run.stopped.wait(0.2)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert run.interrupts.received is None


def test_ignored_signal_stays_ignored(run):
    before = signal.signal(TERM, signal.SIG_IGN)
    try:
        with run.interrupts:
            send(TERM)
            assert signal.getsignal(TERM) is signal.SIG_IGN
    finally:
        signal.signal(TERM, before)
    assert run.interrupts.received is None


@pytest.mark.parametrize("numbers", [[], [INT], [INT, TERM]])
def test_handlers_and_descriptors_are_restored(run, numbers):
    before = [signal.getsignal(INT), signal.getsignal(TERM), set(os.listdir("/proc/self/fd")), threading.active_count()]
    with run.interrupts, pytest.raises(Interrupted) if len(numbers) > 1 else contextlib.nullcontext():
        run_with_signals(run, *numbers, seconds=20.0 * (len(numbers) > 1))
    after = [signal.getsignal(INT), signal.getsignal(TERM), set(os.listdir("/proc/self/fd")), threading.active_count()]
    assert after == before
    assert signal.set_wakeup_fd(-1) == -1


def test_blocked_output_does_not_delay_the_interruption():
    run = Run(print_timeout_s=0.01)
    run.can_print.clear()
    with run.interrupts, pytest.raises(Interrupted):
        run_with_signals(run, INT, TERM)
    run.can_print.set()


def test_hang_up_is_ignored():
    before = signal.getsignal(signal.SIGHUP)
    try:
        ignore_hang_up()
        send(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
