"""Stopping and suspending a run: tasks in progress return their results, and no failed attempt is counted."""

import os
import signal
import threading
import time

import psutil
import pytest

from imgpool.core.catalogue import ENGINES
from imgpool.engines.pool import POOL
from tests.support import engine_tasks as tasks

METHODS = ["fork", "forkserver", "spawn"]


def start(*verbs, engine=POOL, stop=None, **options):
    stop = stop or threading.Event()
    return engine.run(tasks.tasks(*verbs), tasks.do, tasks.no_state, tasks.options(should_stop=stop.is_set, **options))


@pytest.mark.parametrize("engine", ["serial", "pool"])
@pytest.mark.parametrize("chunksize", [1, 50])
def test_stop_finishes_tasks_in_progress_and_starts_no_other(engine, chunksize):
    stop = threading.Event()
    results = start(*[f"sleep 0.1{n}" for n in range(50)], engine=ENGINES[engine], stop=stop, chunksize=chunksize)
    first = next(results)
    stop.set()
    rest = list(results)
    assert {result.status for result in [first, *rest]} == {"done"}
    assert len(rest) < 10  # those in progress, and those of a chunk that were done before


@pytest.mark.parametrize("method", METHODS)
def test_stop_takes_effect_while_no_result_arrives(method, tmp_path):
    stop = threading.Event()
    results = start(*[f"note-pid-for 1 {tmp_path}"] * 40, stop=stop, start_method=method)
    received = []
    reader = threading.Thread(target=lambda: received.extend(results))
    reader.start()
    tasks.noted(tmp_path, 2)
    stop.set()
    reader.join(timeout=20)
    assert not reader.is_alive()
    assert 2 <= len(received) <= 4


def test_run_that_is_stopped_before_it_starts_does_nothing():
    stop = threading.Event()
    stop.set()
    assert list(start("pass", "pass", stop=stop)) == []


def test_stop_while_a_worker_is_replaced_ends_the_run(tmp_path):
    stop = threading.Event()
    results = start(f"sigkill-once {tmp_path}/mark", *["sleep 0.1"] * 50, stop=stop, chunksize=1)
    next(results)
    os.kill(_any_worker().pid, signal.SIGKILL)
    stop.set()
    assert len(list(results)) < 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("method", METHODS)
def test_signal_to_all_processes_is_ignored_by_the_children(number, method, tmp_path):
    results = start(*[f"note-pid-for 0.5 {tmp_path}"] * 2, *["pass"] * 20, retries=0, start_method=method, chunksize=1)
    received = []
    reader = threading.Thread(target=lambda: received.extend(results))
    reader.start()
    for worker in tasks.noted(tmp_path, 2):
        worker.parent().send_signal(number)
        worker.send_signal(number)
    reader.join(timeout=20)
    assert [(result.status, result.attempt) for result in received] == [("done", 1)] * 22


def test_suspended_worker_does_not_exceed_its_time_limit(tmp_path):
    results = start(f"note-pid-for 0.5 {tmp_path}", "pass", timeout=1.5, retries=0)
    received = []
    reader = threading.Thread(target=lambda: received.extend(results))
    reader.start()
    [worker] = tasks.noted(tmp_path, 1)
    worker.suspend()
    time.sleep(4)  # the test needs the time to pass
    worker.resume()
    reader.join(timeout=20)
    assert [(result.status, result.attempt) for result in received] == [("done", 1)] * 2


def test_task_whose_worker_was_killed_runs_alone_next_time(tmp_path):
    """Each task takes a while and returns how many run at the same time."""
    verbs = [f"count-running-once {tmp_path}", *[f"count-running {tmp_path} {number}" for number in range(20)]]
    results = {result.task.source: result for result in start(*verbs, workers=3, chunksize=1)}
    killed = results.pop(verbs[0])
    assert (killed.status, killed.attempt, killed.dtype) == ("done", 2, "1")
    assert max(int(result.dtype) for result in results.values()) > 1


def _any_worker():
    """Return a worker of the only pool that is running."""
    [*workers] = [
        process for process in psutil.Process().children(recursive=True) if process.parent() != psutil.Process()
    ]
    return workers[-1]
