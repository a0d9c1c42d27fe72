import pytest

from imgpool.core.errors import WorkerError
from imgpool.engines.pool.parent.restart_policy import (
    MAX_PAUSE_S,
    MAX_ROUNDS_WITHOUT_PROGRESS,
    MIN_DEATHS,
    PROGRESS_TIMEOUT_S,
    RestartPolicy,
)


class Run:
    """A run whose hosts die; the clock goes on by their pauses, and by some seconds for each."""

    def __init__(self):
        self.now = 1000.0
        self.policy = RestartPolicy(clock=lambda: self.now)
        self.pauses = []

    def round(self, death="SIGKILL", *, progress=False, seconds=1.0):
        self.now += seconds
        self.policy.record_round(progress=progress, last_death=death)
        self.pauses.append(self.policy.pause_s)
        self.now += self.pauses[-1]


@pytest.fixture
def run():
    return Run()


def rounds_until_given_up(run, death):
    for number in range(1, 1000):
        try:
            run.round(death)
        except WorkerError as error:
            return number, error
    raise AssertionError("it goes on forever")


def test_workers_that_never_start_are_given_up_soon(run):
    number, error = rounds_until_given_up(run, "SIGBUS")
    assert number == MAX_ROUNDS_WITHOUT_PROGRESS
    assert error.message == "the workers died 20 times before any task was done (SIGBUS)"
    assert set(run.pauses) == {0.0}


@pytest.mark.parametrize("death", ["SIGKILL", "SIGBUS", "while starting"])
def test_run_with_earlier_progress_goes_on_for_a_while(run, death):
    run.round(progress=True)
    started = run.now
    number, error = rounds_until_given_up(run, death)
    assert PROGRESS_TIMEOUT_S < run.now - started < PROGRESS_TIMEOUT_S + 2 * MAX_PAUSE_S
    assert number > MAX_ROUNDS_WITHOUT_PROGRESS
    assert error.message == f"no task was done in the last 10 minutes: the workers died {number} times ({death})"
    assert "run the same command again" in error.hint


def test_workers_killed_from_the_beginning_are_not_given_up_soon(run):
    run.round("while starting")
    run.round("SIGKILL")
    started = run.now
    rounds_until_given_up(run, "while starting")
    assert run.now - started > PROGRESS_TIMEOUT_S - 10


def test_pauses_grow_up_to_a_limit_and_restart_after_progress(run):
    for _ in range(20):
        run.round()
    assert run.pauses[:4] == [0.0, 0.05, 0.1, 0.2]
    assert run.pauses == sorted(run.pauses)
    assert run.pauses[-1] == MAX_PAUSE_S
    run.round(progress=True)
    run.round()
    assert run.pauses[-2:] == [0.0, 0.0]


def test_progress_now_and_then_keeps_a_run_going_forever(run):
    for number in range(2000):
        run.round(progress=number % 30 == 29, seconds=10.0)


def test_slow_starts_count_as_time_without_progress(run):
    run.round(progress=True)
    for _ in range(MIN_DEATHS - 1):
        run.round(seconds=PROGRESS_TIMEOUT_S / 2)
    with pytest.raises(WorkerError):
        run.round(seconds=1)


def test_one_kill_during_a_long_task_does_not_end_a_run(run):
    run.round(progress=True)
    run.round(seconds=2 * PROGRESS_TIMEOUT_S)
    run.round(progress=True)
