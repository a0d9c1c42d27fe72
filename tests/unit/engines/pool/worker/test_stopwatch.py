import contextlib
import time

import pytest

from imgpool.engines.pool.worker.stopwatch import Stopwatch


@pytest.fixture
def watch():
    with contextlib.closing(Stopwatch()) as watch:
        yield watch


def test_sleep_is_neither_computed_nor_queued(watch):
    watch.start()
    time.sleep(0.2)
    timing = watch.stop(3, 30)
    assert (timing.tasks, timing.nbytes) == (3, 30)
    assert timing.seconds >= 0.2
    assert timing.cpu_seconds + timing.queued_seconds < timing.seconds - 0.1


def test_what_is_computed_or_queued_is_not_waiting(watch):
    watch.start()
    while watch.seconds < 0.2:
        pass
    timing = watch.stop(1, 10)
    assert 0 < timing.cpu_seconds <= timing.seconds + 0.01
    assert timing.cpu_seconds + timing.queued_seconds > timing.seconds - 0.1


def test_between_chunks_a_worker_waits(watch):
    watch.start()
    watch.stop(1, 10)
    time.sleep(0.1)
    watch.start()
    assert watch.stop(1, 10).waited >= 0.1


def test_the_peak_is_what_the_process_has_held(watch):
    watch.start()
    before = watch.stop(0, 0).peak
    bytearray(before + 10_000_000)
    assert watch.stop(0, 0).peak >= before > 1_000_000
