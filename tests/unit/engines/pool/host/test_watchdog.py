import multiprocessing
import os
import signal
import time

import psutil
import pytest

from imgpool.engines.pool.host.watchdog import CHECK_INTERVAL_S, Watchdog
from imgpool.engines.pool.protocol.claims import Claims
from imgpool.engines.pool.protocol.messages import WorkerDied
from tests.support import engine_tasks as tasks


class Clock:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def claims():
    return Claims(multiprocessing.get_context("spawn"), slots=4)


@pytest.fixture
def start(claims):
    """Start a worker that claims a task with a time limit in seconds, then sleeps, or exits with a code."""
    workers = []

    def start(index, seconds=0.0, exit_code=None):
        arguments = (claims, len(workers), index, seconds, exit_code)
        worker = multiprocessing.get_context("spawn").Process(target=tasks.claim_and_stay, args=arguments)
        worker.start()
        workers.append(worker)
        while not any(claim.pid == worker.pid for claim in claims):
            time.sleep(0.005)
        if exit_code is not None:
            worker.join()
        return worker

    yield start
    for worker in workers:
        worker.kill()
        worker.join()


def test_working_workers_are_left_alone(start, claims):
    watchdog = Watchdog([start(3)], claims)
    assert not watchdog.check()
    assert watchdog.deaths() == []


def test_death_is_reported_with_the_claimed_task(start, claims):
    watchdog = Watchdog([start(3, exit_code=5), start(4)], claims)
    assert watchdog.check()
    [death] = watchdog.deaths()
    assert (death.error, death.index) == ("exit code 5", 3)
    assert death.peak_memory > 1_000_000


def test_death_of_an_idle_worker_names_no_task(start, claims):
    worker = start(3)
    claims.release(0)
    worker.kill()
    worker.join()
    watchdog = Watchdog([worker], claims)
    assert watchdog.check()
    [death] = watchdog.deaths()
    assert (death.error, death.index) == ("SIGKILL", None)


def test_worker_is_killed_when_its_task_exceeds_the_limit(start, claims, clock):
    worker = start(3, seconds=1.0)
    watchdog = Watchdog([worker, start(4, seconds=1.0)], claims, clock)
    for _ in range(3):
        assert not watchdog.check()
        claims.claim(1, 50 + int(clock.now * 10), 1.0)  # the other one goes from task to task
        clock.now += 0.4
    assert watchdog.check()
    assert worker.exitcode == -9
    assert watchdog.deaths() == [WorkerDied("TimeoutError", 3)]


def test_time_in_which_the_host_was_suspended_does_not_count(start, claims, clock):
    worker = start(3, seconds=1.0)
    watchdog = Watchdog([worker], claims, clock)
    assert not watchdog.check()
    clock.now += 3600
    assert not watchdog.check()
    assert worker.is_alive()
    clock.now += 0.4
    assert not watchdog.check()
    clock.now += 0.4
    assert watchdog.check()


def test_time_in_which_the_worker_was_stopped_does_not_count(start, claims, clock):
    worker = start(3, seconds=1.0)
    watchdog = Watchdog([worker], claims, clock)
    os.kill(worker.pid, signal.SIGSTOP)
    _wait_for(psutil.STATUS_STOPPED, worker)
    for _ in range(100):
        clock.now += 0.2
        assert not watchdog.check()
    os.kill(worker.pid, signal.SIGCONT)
    _wait_for(psutil.STATUS_SLEEPING, worker)
    for _ in range(5):
        clock.now += 0.2
        watchdog.check()
    assert watchdog.deaths() == [WorkerDied("TimeoutError", 3)]


def test_task_without_a_limit_may_take_any_time(start, claims, clock):
    worker = start(3)
    watchdog = Watchdog([worker], claims, clock)
    for _ in range(1000):
        clock.now += 0.4
        assert not watchdog.check()
    assert worker.is_alive()


def test_task_that_finished_just_before_the_kill_is_not_named(start, claims, clock):
    worker = start(3, seconds=1.0)
    watchdog = Watchdog([worker], claims, clock)
    watchdog.check()
    for _ in range(3):
        clock.now += 0.4
        watchdog.check()
    claims.release(0)
    assert watchdog.deaths() == [WorkerDied("TimeoutError", None)]


def _wait_for(status, worker):
    while psutil.Process(worker.pid).status() != status:
        time.sleep(0.005)


def test_check_is_due_after_each_interval(claims, clock):
    watchdog = Watchdog([], claims, clock)
    assert not watchdog.due()
    clock.now += 1.01 * CHECK_INTERVAL_S
    assert watchdog.due()
    watchdog.check()
    assert not watchdog.due()
