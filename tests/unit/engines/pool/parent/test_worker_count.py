import math

import pytest

from imgpool.core.engine import EngineOptions
from imgpool.engines.pool.parent.worker_count import RoundStatistics, WorkerCount, initial_workers, next_workers
from imgpool.engines.shared.workload import Workload

AUTO = EngineOptions(workers=4, max_workers=16)


def statistics(**changes):
    usual = {
        "workers": WorkerCount(4, "one per processor"),
        "task_seconds": 0.05,
        "blocked_share": 0.0,
        "busy_share": 0.9,
        "remaining_seconds": 100.0,
        "remaining_tasks": 2000,
        "start_seconds": 0.1,
        "speed": 80.0,
    }
    return RoundStatistics(**usual | changes)


@pytest.mark.parametrize("workload", [None, Workload(5, 50), Workload(10_000, 10**9)])
def test_requested_number_of_workers_is_used(workload):
    options = EngineOptions(workers=4)
    assert initial_workers(options, workload) == WorkerCount(4, "as requested")
    assert next_workers(statistics(blocked_share=0.99), options) is None


def test_there_are_no_more_workers_than_tasks():
    assert initial_workers(EngineOptions(workers=4), Workload(3, 30)) == WorkerCount(3, "there are no more tasks")


@pytest.mark.parametrize(
    ("workload", "workers", "reason"),
    [
        (Workload(10_000, 40_000_000), 4, "one per processor"),
        (None, 4, "one per processor"),
        (Workload(3, 30_000_000), 3, "there are no more tasks"),
        (Workload(10, 40_000), 1, "starting more would take longer than the work"),
        (Workload(40, 400_000), 3, "starting more would take longer than the work"),
        (Workload(1, 10_000_000), 1, "there are no more tasks"),
        (Workload(0, 0), 1, "there are no more tasks"),
    ],
)
def test_initial_workers_depend_on_the_workload(workload, workers, reason):
    assert initial_workers(AUTO, workload) == WorkerCount(workers, reason)


def test_computing_tasks_get_no_more_workers_than_processors():
    assert next_workers(statistics(blocked_share=0.1), AUTO) is None


@pytest.mark.parametrize(("blocked_share", "count"), [(0.5, 8), (0.75, 16), (1.0, 16)])
def test_waiting_tasks_get_workers_that_keep_the_processors_busy(blocked_share, count):
    workers = next_workers(statistics(blocked_share=blocked_share), AUTO)
    assert workers.count == count
    assert f"{blocked_share:.0%}" in workers.reason


def test_workers_that_are_idle_for_another_reason_stay():
    assert next_workers(statistics(blocked_share=0.9, busy_share=0.3), AUTO) is None


def test_there_are_no_more_workers_than_remaining_tasks():
    assert next_workers(statistics(blocked_share=0.9, remaining_tasks=6), AUTO).count == 6
    assert next_workers(statistics(blocked_share=0.9, remaining_tasks=3), AUTO) is None


def test_workers_stay_when_little_time_is_left():
    assert next_workers(statistics(blocked_share=0.9, remaining_seconds=1.0), AUTO) is None


def test_remaining_work_may_be_unknown():
    unknown = statistics(blocked_share=0.9, remaining_seconds=math.inf, remaining_tasks=None)
    assert next_workers(unknown, AUTO).count == 16


def test_more_workers_that_are_no_faster_are_the_last():
    eight = WorkerCount(8, "tasks wait")
    slower = statistics(workers=eight, blocked_share=0.9, speed=82.0, previous_speed=80.0)
    assert next_workers(slower, AUTO) is None
    faster = statistics(workers=eight, blocked_share=0.9, speed=150.0, previous_speed=80.0)
    assert next_workers(faster, AUTO).count == 16


def test_run_that_turns_out_long_gets_all_workers():
    one = WorkerCount(1, "starting more would take longer than the work")
    assert next_workers(statistics(workers=one, remaining_seconds=10.0), AUTO) == WorkerCount(4, "one per processor")
    assert next_workers(statistics(workers=one, remaining_seconds=0.05), AUTO) is None
