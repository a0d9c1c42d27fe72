import pickle

import pytest

from imgpool.core.engine import EngineOptions
from imgpool.core.errors import WorkerError
from imgpool.core.task import Result, Task
from imgpool.engines.pool.parent.restart_policy import MAX_ROUNDS_WITHOUT_PROGRESS
from imgpool.engines.pool.parent.task_tracker import MAX_ROUNDS_WITH_WINDOW, TaskTracker
from imgpool.engines.pool.protocol.messages import Batch, PoolCrashed, WorkerDied
from imgpool.engines.shared.workload import Workload

TASKS = [Task(f"in-{number}", f"out-{number}", 10, 0) for number in range(300)]


def numbered(*indices):
    return tuple((index, TASKS[index]) for index in indices)


def tracker(count=3, window=100, **options):
    """Return a tracker of the first tasks whose first round has started."""
    tracker = TaskTracker(iter(TASKS[:count]), EngineOptions(**options), window)
    tracker.start_round()
    return tracker


def finish(tracker, *indices):
    return list(tracker.record_results(pickle.dumps([(index, Result(TASKS[index], "done")) for index in indices])))


def kill(tracker, error, index=None, peak_memory=0):
    return list(tracker.record_worker_death(WorkerDied(error, index, peak_memory)))


def crash(tracker, *indices):
    return list(tracker.record_pool_crash(PoolCrashed("SIGKILL", indices)))


def next_round(tracker):
    tracker.end_round()
    return tracker.start_round()


def test_host_gets_no_more_than_a_window_of_tasks():
    tracked = TaskTracker(iter(TASKS), EngineOptions(), 100)
    first = tracked.start_round()
    assert first == Batch(numbered(*range(100)))
    finish(tracked, *range(49))
    assert tracked.refill() is None
    finish(tracked, 49)
    assert tracked.refill() == Batch(numbered(*range(100, 150)))
    assert tracked.refill() is None


def test_last_batch_says_so_even_if_it_is_empty():
    tracked = TaskTracker(TASKS[:100], EngineOptions(), 100)
    assert not tracked.start_round().last
    finish(tracked, *range(50))
    assert tracked.refill() == Batch((), last=True)
    finish(tracked, *range(50, 99))
    assert tracked.refill() is None
    finish(tracked, 99)
    assert next_round(tracked) is None


def test_batch_says_how_much_follows_if_that_is_known():
    tracked = TaskTracker(TASKS, EngineOptions(), 100)
    assert tracked.start_round().upcoming == Workload(200, 2000)
    finish(tracked, *range(50))
    assert tracked.remaining == Workload(250, 2500)
    assert tracked.refill().upcoming == Workload(150, 1500)
    assert next_round(tracked).upcoming == Workload(150, 1500)
    assert tracked.remaining == Workload(250, 2500)
    tracked.window = 10
    assert next_round(tracked).upcoming == Workload(240, 2400)
    assert tracked.remaining == Workload(250, 2500)


def test_remaining_workload_includes_suspects():
    tracked = TaskTracker(TASKS[:3], EngineOptions(), 100)
    tracked.start_round()
    kill(tracked, "SIGSEGV", 1)
    assert tracked.remaining == Workload(3, 30)
    next_round(tracked)
    finish(tracked, 0, 1, 2)
    assert tracked.remaining == Workload()


def test_remaining_workload_of_an_iterator_is_unknown():
    assert tracker(count=200).remaining is None


def test_tasks_are_taken_as_they_are_needed():
    taken = []

    def tasks():
        for task in TASKS:
            taken.append(task)
            yield task

    TaskTracker(tasks(), EngineOptions(), 10).start_round()
    assert len(taken) == 10


def test_finished_tasks_do_not_run_again():
    tracked = tracker()
    assert finish(tracked, 2, 0) == [Result(TASKS[2], "done"), Result(TASKS[0], "done")]
    assert next_round(tracked) == Batch(numbered(1), last=True)


def test_interrupted_tasks_come_first_in_the_next_round():
    tracked = tracker(count=300, window=4)
    finish(tracked, 0, 1)
    assert tracked.refill() == Batch(numbered(4, 5))
    assert next_round(tracked) == Batch(numbered(2, 3, 4, 5))


def test_failed_attempt_makes_a_suspect_and_counts():
    tracked = tracker(retries=2)
    assert kill(tracked, "SIGSEGV", 1) == []
    assert next_round(tracked) == Batch(numbered(0, 2), suspects=numbered(1), last=True)
    assert finish(tracked, 1) == [Result(TASKS[1], "done", attempt=2)]


def test_task_of_a_killed_worker_runs_alone():
    tracked = tracker(retries=2)
    kill(tracked, "SIGKILL", 1)
    assert next_round(tracked) == Batch(numbered(0, 2), run_alone=numbered(1), last=True)


def test_suspects_wait_for_all_other_tasks():
    tracked = tracker(count=300, window=4, retries=2)
    kill(tracked, "SIGSEGV", 1)
    assert next_round(tracked) == Batch(numbered(0, 2, 3, 4))
    for _ in range(5):
        tracked.end_round()
        assert tracked.start_round().suspects == ()


def test_interrupted_suspect_remains_a_suspect():
    tracked = tracker(retries=2)
    kill(tracked, "SIGSEGV", 1)
    next_round(tracked)
    kill(tracked, "SIGKILL", 2)
    assert next_round(tracked) == Batch(numbered(0), suspects=numbered(1), run_alone=numbered(2), last=True)
    assert [result.attempt for result in finish(tracked, 0, 1, 2)] == [1, 2, 2]


def test_more_failed_attempts_than_retries_are_a_failure():
    tracked = tracker(retries=2)
    for _ in range(2):
        assert kill(tracked, "SIGKILL", 1) == []
        next_round(tracked)
    [result] = kill(tracked, "SIGSEGV", 1)
    assert (result.task, result.status, result.attempt) == (TASKS[1], "failed", 3)
    assert (result.failure.stage, result.failure.error) == ("worker", "SIGSEGV")
    assert next_round(tracked) == Batch(numbered(0, 2), last=True)


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (
            "SIGKILL",
            "its worker process was killed (SIGKILL), probably because memory ran out (peak memory 3.2 GB)",
            "use fewer `workers`, or set `max_memory` to what the machine can spare",
        ),
        ("SIGSEGV", "a library crashed (SIGSEGV)", "the file may be damaged: check whether another program opens it"),
        ("TimeoutError", "not done after 95 s", "allow more time with `timeout`"),
        ("exit code 3", "its worker process ended unexpectedly (exit code 3)", ""),
    ],
)
def test_failure_says_what_happened_and_what_to_do(error, message, hint):
    tracked = tracker(retries=0, timeout=90, timeout_per_byte=0.5)
    [result] = kill(tracked, error, 0, peak_memory=3_200_000_000)
    assert (result.failure.message, result.failure.hint) == (message, hint)


def test_unknown_peak_memory_is_left_out():
    [result] = kill(tracker(retries=0), "SIGKILL", 0)
    assert result.failure.message.endswith("probably because memory ran out")


def test_tasks_of_a_dead_host_run_alone_without_a_failed_attempt():
    tracked = tracker(retries=0)
    assert crash(tracked, 0, 2) == []
    assert next_round(tracked) == Batch(numbered(1), run_alone=numbered(0, 2), last=True)
    assert [result.attempt for result in finish(tracked, 1, 0, 2)] == [1, 1, 1]


def test_task_alone_with_a_host_that_died_has_failed_once():
    tracked = tracker(retries=1)
    for _ in range(2):
        assert crash(tracked, 1) == []
        assert next_round(tracked) == Batch(numbered(0, 2), run_alone=numbered(1), last=True)
    [result] = crash(tracked, 1)
    assert (result.task, result.status, result.attempt) == (TASKS[1], "failed", 2)


def test_death_of_an_idle_host_counts_for_no_task():
    tracked = tracker(retries=0)
    assert crash(tracked) == []
    assert next_round(tracked) == Batch(numbered(0, 1, 2), last=True)


def test_death_of_an_idle_worker_counts_for_no_task():
    tracked = tracker(retries=0)
    assert kill(tracked, "SIGKILL") == []
    assert next_round(tracked) == Batch(numbered(0, 1, 2), last=True)


def test_result_that_came_before_the_death_counts():
    tracked = tracker(retries=0)
    finish(tracked, 1)
    assert kill(tracked, "SIGKILL", 1) == []


def test_too_many_rounds_without_progress_end_the_run():
    tracked = tracker()
    for _ in range(MAX_ROUNDS_WITHOUT_PROGRESS - 1):
        kill(tracked, "SIGBUS")
        next_round(tracked)
    kill(tracked, "SIGBUS")
    with pytest.raises(WorkerError, match="SIGBUS"):
        tracked.end_round()


def test_rounds_without_progress_shrink_the_window_to_one():
    tracked = tracker(count=300, window=100)
    for _ in range(MAX_ROUNDS_WITH_WINDOW):
        kill(tracked, "SIGBUS")
        batch = next_round(tracked)
    assert batch == Batch(numbered(0), last=True)
    finish(tracked, 0)
    assert tracked.refill() is None
    assert next_round(tracked) == Batch(numbered(*range(1, 101)))


@pytest.mark.parametrize("by_failed_attempt", [True, False])
def test_progress_in_between_keeps_the_run_going(by_failed_attempt):
    tracked = tracker()
    batch = None
    for number in range(2 * MAX_ROUNDS_WITHOUT_PROGRESS - 1):
        if number != MAX_ROUNDS_WITHOUT_PROGRESS - 1:
            kill(tracked, "SIGBUS")
        elif by_failed_attempt:
            kill(tracked, "SIGKILL", batch.tasks[0][0])
        else:
            finish(tracked, batch.tasks[0][0])
        batch = next_round(tracked)
