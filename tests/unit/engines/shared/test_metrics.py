import pytest

from imgpool.engines.shared.metrics import MetricsCollector
from imgpool.engines.shared.timing import Timing


def test_timings_of_chunks_are_summed_up():
    collector = MetricsCollector()
    collector.add(Timing(3, 300, 1.0, 0.5, 0.25, 0.1, 5000))
    collector.add(Timing(1, 100, 1.0, 1.0, 0.0, 0.2, 4000))
    metrics = collector.metrics(2, "because", 0.001)
    assert (metrics.workers, metrics.reason, metrics.dispatch_seconds) == (2, "because", 0.001)
    assert (metrics.tasks, metrics.chunks, metrics.longest_chunk, metrics.peak_memory) == (4, 2, 3, 5000)
    assert (metrics.task_seconds, metrics.cpu_seconds, metrics.blocked_seconds) == (2.0, 1.5, 0.25)
    assert metrics.idle_seconds == pytest.approx(0.3)
    assert metrics.setup_seconds <= 0  # the first chunk took longer than this test
