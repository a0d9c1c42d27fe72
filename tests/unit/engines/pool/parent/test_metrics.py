import pytest

from imgpool.core.engine import EngineOptions
from imgpool.engines.pool.host.chunk_length import Load
from imgpool.engines.pool.parent.metrics import MetricsCollector
from imgpool.engines.pool.parent.worker_count import WorkerCount
from imgpool.engines.pool.protocol.messages import ChunkPolicy, Timing


@pytest.fixture
def heard():
    return []


def meter(heard, **options):
    return MetricsCollector(
        EngineOptions(**{"workers": 2, "on_metrics": heard.append} | options), WorkerCount(2, "one for each processor")
    )


def test_what_workers_tell_is_added_up(heard):
    one = meter(heard)
    one.add(Timing(3, 300, 1.0, 0.5, 0.25, 0.1, 5000))
    one.add(Timing(1, 100, 1.0, 1.0, 0.0, 0.2, 4000))
    one.add(Timing())
    one.tell()
    [metrics] = heard
    assert (metrics.workers, metrics.tasks, metrics.chunks, metrics.longest_chunk, metrics.peak_memory) == (
        2,
        4,
        2,
        3,
        5000,
    )
    assert (metrics.task_seconds, metrics.cpu_seconds, metrics.blocked_seconds) == (2.0, 1.5, 0.25)
    assert metrics.idle_seconds == pytest.approx(0.3)
    assert metrics.setup_seconds <= 0  # the first task took longer than this test has


@pytest.mark.parametrize(
    ("choice", "options", "why"),
    [
        (ChunkPolicy(64, 0.0004, 0.0002), {}, "64 images at a time: 0.4 ms each, handing over costs 0.2 ms"),
        (ChunkPolicy(1, 1.234, 0.00055), {}, "1 image at a time: 1.2 s, handing over costs 0.55 ms"),
        (ChunkPolicy(1, 0.56789, 0.001), {}, "1 image at a time: 570 ms, handing over costs 1 ms"),
        (ChunkPolicy(7, 0.0004, 0.0002), {"chunksize": 7}, "7 images at a time, as asked"),
        (
            ChunkPolicy(1, 0.5, 0.001, at_once=1),
            {},
            "1 image at a time: 500 ms, handing over costs 1 ms; there is memory for only 1 worker at once",
        ),
    ],
)
def test_each_choice_is_told_in_a_sentence(heard, choice, options, why):
    meter(heard, **options).add(Timing(1, 10, 0.1), choice)
    assert [metrics.reason for metrics in heard] == [f"2 workers: one for each processor; {why}"]


def test_new_workers_are_told(heard):
    one = meter(heard)
    one.add(Timing(1, 10, 0.1), ChunkPolicy(64, 0.0004, 0.0002))
    one.replace(WorkerCount(1, "just so"))
    assert heard[-1].reason == "1 worker: just so"
    assert heard[-1].workers == 1


def test_workers_are_thought_about_only_where_they_may_be_chosen(heard):
    fixed, free = meter(heard, workers=3), meter(heard, workers=3, max_workers=6)
    for one in (fixed, free):
        assert not one.due()
        one.add(Timing(1, 10, 0.1))
    assert not fixed.due()
    assert free.due()  # for there are fewer than are usual
    assert free.next_crew(Load(1000, 10_000)) == WorkerCount(3, "one for each processor")


def test_usual_workers_are_watched_for_a_while(heard):
    one = meter(heard, max_workers=8)
    one.add(Timing(10, 100, 0.1))
    assert not one.due()
    one.begin_round()
    one.add(Timing(5, 100, 0.6, waited=0.0))  # as if begun 0.6 s ago
    assert not one.due()
    one.add(Timing(1, 100, 0.6))
    assert one.due()
    assert not one.due()


def test_a_pause_is_no_waiting_for_a_disk(heard):
    one = meter(heard, max_workers=8)
    for _ in range(20):
        one.add(Timing(1, 100, 1.0, 1.0))
    one.add(Timing(1, 100, 3600.0, 1.0))
    assert one.due()
    assert one.next_crew(Load(1000, 100_000)) is None
    for _ in range(80):
        one.add(Timing(1, 100, 1.0, 0.1))
    assert one.next_crew(Load(1000, 100_000)).workers == 8
