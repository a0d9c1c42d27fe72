import pytest

from imgpool.core.engine import EngineOptions
from imgpool.engines.pool.parent.run_monitor import RunMonitor
from imgpool.engines.pool.parent.worker_count import WorkerCount
from imgpool.engines.pool.protocol.messages import ChunkPolicy
from imgpool.engines.shared.timing import Timing
from imgpool.engines.shared.workload import Workload


@pytest.fixture
def reported():
    return []


def monitor(reported, **options):
    options = EngineOptions(**{"workers": 2, "on_metrics": reported.append} | options)
    return RunMonitor(options, WorkerCount(2, "one per processor"))


def test_chunks_without_results_are_not_counted(reported):
    run = monitor(reported)
    run.add(Timing(3, 300, 1.0))
    run.add(Timing())
    run.report()
    [metrics] = reported
    assert (metrics.workers, metrics.tasks, metrics.chunks) == (2, 3, 1)


@pytest.mark.parametrize(
    ("policy", "options", "reason"),
    [
        (ChunkPolicy(64, 0.0004, 0.0002), {}, "64 tasks per chunk: 0.4 ms each, and 0.2 ms to hand over a chunk"),
        (ChunkPolicy(1, 1.234, 0.00055), {}, "1 task per chunk: 1.2 s, and 0.55 ms to hand over a chunk"),
        (ChunkPolicy(1, 0.56789, 0.001), {}, "1 task per chunk: 570 ms, and 1 ms to hand over a chunk"),
        (ChunkPolicy(7, 0.0004, 0.0002), {"chunksize": 7}, "7 tasks per chunk, as requested"),
        (
            ChunkPolicy(1, 0.5, 0.001, memory_limited_workers=1),
            {},
            "1 task per chunk: 500 ms, and 1 ms to hand over a chunk; memory for only 1 worker at the same time",
        ),
    ],
)
def test_each_policy_is_reported_with_its_reason(reported, policy, options, reason):
    monitor(reported, **options).add(Timing(1, 10, 0.1), policy)
    assert [metrics.reason for metrics in reported] == [f"2 workers: one per processor; {reason}"]


def test_new_workers_are_reported(reported):
    run = monitor(reported)
    run.add(Timing(1, 10, 0.1), ChunkPolicy(64, 0.0004, 0.0002))
    run.replace_workers(WorkerCount(1, "just so"))
    assert reported[-1].reason == "1 worker: just so"
    assert reported[-1].workers == 1


def test_workers_are_reviewed_only_if_the_engine_may_choose(reported):
    fixed, free = monitor(reported, workers=3), monitor(reported, workers=3, max_workers=6)
    for run in (fixed, free):
        assert not run.review_is_due()
        run.add(Timing(1, 10, 0.1))
    assert not fixed.review_is_due()
    assert free.review_is_due()  # at once, because there are fewer than usual
    assert free.next_workers(Workload(1000, 10_000)) == WorkerCount(3, "one per processor")


def test_usual_workers_are_measured_for_a_while(reported):
    run = monitor(reported, max_workers=8)
    run.add(Timing(10, 100, 0.1))
    assert not run.review_is_due()
    run.start_round()
    run.add(Timing(5, 100, 0.6, idle_seconds=0.0))  # as if it had started 0.6 s ago
    assert not run.review_is_due()
    run.add(Timing(1, 100, 0.6))
    assert run.review_is_due()
    assert not run.review_is_due()


def test_suspension_of_the_run_does_not_count_as_waiting(reported):
    run = monitor(reported, max_workers=8)
    for _ in range(20):
        run.add(Timing(1, 100, 1.0, 1.0))
    run.add(Timing(1, 100, 3600.0, 1.0))
    assert run.review_is_due()
    assert run.next_workers(Workload(1000, 100_000)) is None
    for _ in range(80):
        run.add(Timing(1, 100, 1.0, 0.1))
    assert run.next_workers(Workload(1000, 100_000)).count == 8
