import contextlib
import time

import pytest

from imgpool.engines.shared.timing import Stopwatch


@pytest.fixture
def stopwatch():
    with contextlib.closing(Stopwatch()) as stopwatch:
        yield stopwatch


def test_sleep_counts_neither_as_computing_nor_as_queued(stopwatch):
    stopwatch.start()
    time.sleep(0.2)
    timing = stopwatch.stop(3, 30)
    assert (timing.tasks, timing.nbytes) == (3, 30)
    assert timing.seconds >= 0.2
    assert timing.cpu_seconds + timing.queued_seconds < timing.seconds - 0.1


def test_computing_counts_as_computing_or_queued(stopwatch):
    stopwatch.start()
    while stopwatch.seconds < 0.2:
        pass
    timing = stopwatch.stop(1, 10)
    assert 0 < timing.cpu_seconds <= timing.seconds + 0.01
    assert timing.cpu_seconds + timing.queued_seconds > timing.seconds - 0.1


def test_time_between_chunks_is_idle(stopwatch):
    stopwatch.start()
    stopwatch.stop(1, 10)
    time.sleep(0.1)
    stopwatch.start()
    assert stopwatch.stop(1, 10).idle_seconds >= 0.1


def test_peak_memory_never_falls(stopwatch):
    stopwatch.start()
    before = stopwatch.stop(0, 0).peak_memory
    bytearray(before + 10_000_000)
    assert stopwatch.stop(0, 0).peak_memory >= before > 1_000_000
