import multiprocessing
import os
import signal
import time
from types import SimpleNamespace

import psutil
import pytest

from imgpool.engines.pool.host import watchdog as _watch
from imgpool.engines.pool.host.watchdog import Watchdog
from imgpool.engines.pool.protocol.claims import Claims
from imgpool.engines.pool.protocol.messages import WorkerDied
from tests.support import engine_tasks as tasks


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(_watch, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def claims():
    return Claims(multiprocessing.get_context("spawn"), slots=4)


@pytest.fixture
def start(claims):
    """Start a worker that claims the task of this index for so many seconds, then sleeps, or exits with a code."""
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


def test_workers_at_work_are_left_alone(start, claims):
    watch = Watchdog([start(3)], claims)
    assert not watch.look()
    assert watch.deaths() == []


def test_a_death_is_told_with_what_the_worker_had_claimed(start, claims):
    watch = Watchdog([start(3, exit_code=5), start(4)], claims)
    assert watch.look()
    [death] = watch.deaths()
    assert (death.error, death.index) == ("exit code 5", 3)
    assert death.peak > 1_000_000


def test_an_idle_worker_dies_without_a_charge(start, claims):
    worker = start(3)
    claims.drop(0)
    worker.kill()
    worker.join()
    watch = Watchdog([worker], claims)
    assert watch.look()
    [death] = watch.deaths()
    assert (death.error, death.index) == ("SIGKILL", None)


def test_a_task_over_its_time_costs_its_worker(start, claims, clock):
    worker = start(3, seconds=1.0)
    watch = Watchdog([worker, start(4, seconds=1.0)], claims)
    for _ in range(3):
        assert not watch.look()
        claims.claim(1, 50 + int(clock.now * 10), 1.0)  # the other one goes from task to task
        clock.now += 0.4
    assert watch.look()
    assert worker.exitcode == -9
    assert watch.deaths() == [WorkerDied("TimeoutError", 3)]


def test_time_in_which_the_watch_was_away_is_not_charged(start, claims, clock):
    worker = start(3, seconds=1.0)
    watch = Watchdog([worker], claims)
    assert not watch.look()
    clock.now += 3600
    assert not watch.look()
    assert worker.is_alive()
    clock.now += 0.4
    assert not watch.look()
    clock.now += 0.4
    assert watch.look()


def test_time_in_which_the_worker_was_stopped_is_not_charged(start, claims, clock):
    worker = start(3, seconds=1.0)
    watch = Watchdog([worker], claims)
    os.kill(worker.pid, signal.SIGSTOP)
    _wait_for(psutil.STATUS_STOPPED, worker)
    for _ in range(100):
        clock.now += 0.2
        assert not watch.look()
    os.kill(worker.pid, signal.SIGCONT)
    _wait_for(psutil.STATUS_SLEEPING, worker)
    for _ in range(5):
        clock.now += 0.2
        watch.look()
    assert watch.deaths() == [WorkerDied("TimeoutError", 3)]


def test_without_a_limit_a_task_may_take_any_time(start, claims, clock):
    worker = start(3)
    watch = Watchdog([worker], claims)
    for _ in range(1000):
        clock.now += 0.4
        assert not watch.look()
    assert worker.is_alive()


def test_a_task_that_was_done_just_before_the_kill_is_not_charged(start, claims, clock):
    worker = start(3, seconds=1.0)
    watch = Watchdog([worker], claims)
    watch.look()
    for _ in range(3):
        clock.now += 0.4
        watch.look()
    claims.drop(0)
    assert watch.deaths() == [WorkerDied("TimeoutError", None)]


def _wait_for(status, worker):
    while psutil.Process(worker.pid).status() != status:
        time.sleep(0.005)


def test_it_is_due_once_a_tick(claims, clock):
    watch = Watchdog([], claims)
    assert not watch.due()
    clock.now += 1.01 * _watch.TICK
    assert watch.due()
    watch.look()
    assert not watch.due()
