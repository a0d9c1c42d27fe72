"""A run that is asked to stop, stopped and continued: what is in hand is answered, nobody is charged."""

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


def start(*verbs, engine=POOL, stopping=None, **options):
    stop = stopping or threading.Event()
    return engine.run(tasks.tasks(*verbs), tasks.do, tasks.no_state, tasks.options(should_stop=stop.is_set, **options))


@pytest.mark.parametrize("engine", ["serial", "pool"])
@pytest.mark.parametrize("chunksize", [1, 50])
def test_what_is_in_hand_is_answered_and_nothing_more_is_started(engine, chunksize):
    stop = threading.Event()
    results = start(*[f"sleep 0.1{n}" for n in range(50)], engine=ENGINES[engine], stopping=stop, chunksize=chunksize)
    first = next(results)
    stop.set()
    rest = list(results)
    assert {result.status for result in [first, *rest]} == {"done"}
    assert len(rest) < 10  # what is in hand, and what was done of a chunk before


@pytest.mark.parametrize("method", METHODS)
def test_a_stop_is_heeded_while_nothing_is_answered(method, tmp_path):
    stop = threading.Event()
    results = start(*[f"note-pid-for 1 {tmp_path}"] * 40, stopping=stop, start_method=method)
    answers = []
    reader = threading.Thread(target=lambda: answers.extend(results))
    reader.start()
    tasks.noted(tmp_path, 2)
    stop.set()
    reader.join(timeout=20)
    assert not reader.is_alive()
    assert 2 <= len(answers) <= 4


def test_a_run_that_is_stopped_before_it_begins_does_nothing():
    stop = threading.Event()
    stop.set()
    assert list(start("pass", "pass", stopping=stop)) == []


def test_a_stop_while_a_worker_is_being_replaced_ends_the_run(tmp_path):
    stop = threading.Event()
    results = start(f"sigkill-once {tmp_path}/mark", *["sleep 0.1"] * 50, stopping=stop, chunksize=1)
    next(results)
    os.kill(_a_worker().pid, signal.SIGKILL)
    stop.set()
    assert len(list(results)) < 10


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("method", METHODS)
def test_a_signal_to_all_processes_is_for_the_parent_alone(ending, method, tmp_path):
    results = start(*[f"note-pid-for 0.5 {tmp_path}"] * 2, *["pass"] * 20, retries=0, start_method=method, chunksize=1)
    answers = []
    reader = threading.Thread(target=lambda: answers.extend(results))
    reader.start()
    for worker in tasks.noted(tmp_path, 2):
        worker.parent().send_signal(ending)
        worker.send_signal(ending)
    reader.join(timeout=20)
    assert [(result.status, result.attempt) for result in answers] == [("done", 1)] * 22


def test_a_worker_that_was_stopped_and_goes_on_is_not_late(tmp_path):
    results = start(f"note-pid-for 0.5 {tmp_path}", "pass", timeout=1.5, retries=0)
    answers = []
    reader = threading.Thread(target=lambda: answers.extend(results))
    reader.start()
    [worker] = tasks.noted(tmp_path, 1)
    worker.suspend()
    time.sleep(4)  # what is tested is that time passes
    worker.resume()
    reader.join(timeout=20)
    assert [(result.status, result.attempt) for result in answers] == [("done", 1)] * 2


def test_a_task_whose_worker_was_killed_runs_alone_the_next_time(tmp_path):
    """Each task lasts, and tells how many are at work."""
    verbs = [f"crowd-once {tmp_path}", *[f"crowd {tmp_path} {number}" for number in range(20)]]
    results = {result.task.source: result for result in start(*verbs, workers=3, chunksize=1)}
    culprit = results.pop(verbs[0])
    assert (culprit.status, culprit.attempt, culprit.dtype) == ("done", 2, "1")
    assert max(int(result.dtype) for result in results.values()) > 1


def _a_worker():
    """A worker of the one pool that runs now."""
    [*workers] = [
        process for process in psutil.Process().children(recursive=True) if process.parent() != psutil.Process()
    ]
    return workers[-1]
