import signal

import pytest

from imgpool.system.signal_watchdog import SECOND_SIGNAL_LIMIT_S, START_LIMIT_S, SignalDeadline, SignalWatchdog

INT, TERM = signal.SIGINT, signal.SIGTERM
STEP_S = 0.05


class Process:
    """A process with unread signals, seen by its watchdog; time goes on in steps."""

    def __init__(self):
        self.says = SignalWatchdog(bytearray(4096))
        self.deadline = SignalDeadline(self.says._state)
        self.unread = []

    def seconds_until_end(self, at_most):
        """Return the time after which the process is ended; None if it is not."""
        for step in range(round(at_most / STEP_S)):
            if self.deadline.ends(self.unread, STEP_S):
                return step * STEP_S
        return None


@pytest.fixture
def process():
    return Process()


def test_process_without_signals_is_left_alone(process):
    assert process.seconds_until_end(1000) is None
    assert not process.deadline.is_needed


def test_signal_that_nobody_reads_ends_the_process(process):
    process.unread = [TERM]
    assert process.seconds_until_end(10) == pytest.approx(START_LIMIT_S, abs=2 * STEP_S)
    assert process.deadline.number == TERM


def test_process_says_how_long_a_signal_may_be_unhandled(process):
    process.says.allow_unhandled(6.0)
    process.unread = [INT]
    assert process.seconds_until_end(10) == pytest.approx(6.0, abs=2 * STEP_S)


def test_signal_that_is_read_in_time_is_forgotten(process):
    for _ in range(10):
        process.unread = [INT]
        assert process.seconds_until_end(START_LIMIT_S - 2 * STEP_S) is None
        process.unread = []
        assert process.seconds_until_end(1) is None


def test_second_signal_ends_the_process_soon(process):
    process.says.allow_unhandled(60.0)
    process.unread = [INT]
    assert process.seconds_until_end(5) is None
    process.unread = [INT, TERM]
    assert process.seconds_until_end(5) == pytest.approx(SECOND_SIGNAL_LIMIT_S, abs=2 * STEP_S)
    assert process.deadline.number == INT


def test_signal_that_comes_twice_at_once_counts_once(process):
    process.says.allow_unhandled(60.0)
    process.unread = [TERM]
    assert process.seconds_until_end(STEP_S) is None
    process.unread = [TERM, TERM]
    assert process.seconds_until_end(50) is None


def test_signal_that_was_read_but_not_handled_ends_the_process(process):
    process.says.begin_handling(INT)
    assert process.seconds_until_end(10) == pytest.approx(START_LIMIT_S, abs=2 * STEP_S)
    assert process.deadline.number == INT


def test_second_signal_counts_while_the_first_is_handled(process):
    process.says.allow_unhandled(60.0)
    process.says.begin_handling(INT)
    assert process.seconds_until_end(1) is None
    process.unread = [INT]
    assert process.seconds_until_end(5) == pytest.approx(SECOND_SIGNAL_LIMIT_S, abs=2 * STEP_S)


def test_handled_signal_is_forgotten(process):
    process.says.begin_handling(INT)
    assert process.seconds_until_end(1) is None
    process.says.end_handling()
    assert process.seconds_until_end(100) is None


def test_process_that_wants_to_end_must_do_so_in_time(process):
    process.says.must_end_within(3.0)
    assert process.seconds_until_end(10) == pytest.approx(3.0, abs=2 * STEP_S)


def test_time_to_end_restarts_with_each_stage(process):
    for _ in range(5):
        process.says.must_end_within(3.0)
        assert process.seconds_until_end(2.8) is None
    process.says.must_end_within(None)
    assert process.seconds_until_end(100) is None
    assert not process.deadline.is_needed


def test_long_advice_is_cut():
    watchdog = SignalWatchdog(bytearray(4096))
    watchdog.set_advice("x" * 5000)
    watchdog.set_advice("")
    assert bytes(watchdog._shared).count(b"x") < 1000
