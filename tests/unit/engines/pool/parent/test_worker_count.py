import math

import pytest

from imgpool.core.engine import EngineOptions
from imgpool.core.errors import UsageError
from imgpool.engines.pool.host.chunk_length import Load
from imgpool.engines.pool.parent.worker_count import Progress, WorkerCount, initial_workers, next_crew

AUTO = EngineOptions(workers=4, max_workers=16)


def progress(**changes):
    usual = {
        "crew": WorkerCount(4, "one for each processor"),
        "task_seconds": 0.05,
        "waiting": 0.0,
        "busy": 0.9,
        "left": 100.0,
        "tasks_left": 2000,
        "start_seconds": 0.1,
        "speed": 80.0,
    }
    return Progress(**usual | changes)


@pytest.mark.parametrize("load", [None, Load(5, 50), Load(10_000, 10**9)])
def test_who_asks_for_so_many_workers_gets_them(load):
    options = EngineOptions(workers=4)
    assert initial_workers(options, load) == WorkerCount(4, "as set")
    assert next_crew(progress(waiting=0.99), options) is None


def test_but_no_more_than_there_are_tasks():
    assert initial_workers(EngineOptions(workers=4), Load(3, 30)) == WorkerCount(3, "there are no more images")


@pytest.mark.parametrize(
    ("load", "workers", "why"),
    [
        (Load(10_000, 40_000_000), 4, "one for each processor"),
        (None, 4, "one for each processor"),
        (Load(3, 30_000_000), 3, "there are no more images"),
        (Load(10, 40_000), 1, "starting more would take longer than the work"),
        (Load(40, 400_000), 3, "starting more would take longer than the work"),
        (Load(1, 10_000_000), 1, "there are no more images"),
        (Load(0, 0), 1, "there are no more images"),
    ],
)
def test_a_run_begins_with_as_many_as_there_is_work_for(load, workers, why):
    assert initial_workers(AUTO, load) == WorkerCount(workers, why)


def test_tasks_that_compute_get_no_more_workers_than_processors():
    assert next_crew(progress(waiting=0.1), AUTO) is None


@pytest.mark.parametrize(("waiting", "workers"), [(0.5, 8), (0.75, 16), (1.0, 16)])
def test_tasks_that_wait_get_as_many_as_keep_the_processors_busy(waiting, workers):
    crew = next_crew(progress(waiting=waiting), AUTO)
    assert crew.workers == workers
    assert f"{waiting:.0%}" in crew.why


def test_workers_that_are_idle_for_another_reason_get_no_help():
    assert next_crew(progress(waiting=0.9, busy=0.3), AUTO) is None


def test_no_more_workers_than_tasks_that_are_left():
    assert next_crew(progress(waiting=0.9, tasks_left=6), AUTO).workers == 6
    assert next_crew(progress(waiting=0.9, tasks_left=3), AUTO) is None


def test_toward_the_end_it_is_not_worth_it():
    assert next_crew(progress(waiting=0.9, left=1.0), AUTO) is None


def test_what_is_left_may_be_unknown():
    assert next_crew(progress(waiting=0.9, left=math.inf, tasks_left=None), AUTO).workers == 16


def test_more_workers_that_are_no_faster_are_the_last():
    eight = WorkerCount(8, "images wait")
    assert next_crew(progress(crew=eight, waiting=0.9, speed=82.0, former_speed=80.0), AUTO) is None
    assert next_crew(progress(crew=eight, waiting=0.9, speed=150.0, former_speed=80.0), AUTO).workers == 16


def test_a_run_that_began_with_fewer_gets_all_when_it_turns_out_to_be_long():
    one = WorkerCount(1, "starting more would take longer than the work")
    assert next_crew(progress(crew=one, left=10.0), AUTO) == WorkerCount(4, "one for each processor")
    assert next_crew(progress(crew=one, left=0.05), AUTO) is None


def test_fewer_at_most_than_to_begin_with_makes_no_sense():
    with pytest.raises(UsageError):
        EngineOptions(workers=4, max_workers=3)
