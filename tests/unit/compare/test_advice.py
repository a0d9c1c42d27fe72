"""The recommended setup."""

import pytest

from imgpool.compare.advice import estimate_seconds, recommend
from imgpool.compare.measurement import SERIAL, EngineSetup
from tests.support.comparisons import measurement


def by_workers(*seconds):
    setups = [SERIAL, EngineSetup("pool", 1), EngineSetup("pool", 2), EngineSetup("pool", 4)]
    return [measurement(setup, each, startup_seconds=0) for setup, each in zip(setups, seconds, strict=False)]


def by_chunksize(workers, seconds):
    return [
        measurement(EngineSetup("pool", workers, length), each, startup_seconds=0) for length, each in seconds.items()
    ]


def test_fewest_nearly_fastest_workers_are_recommended():
    advice = recommend(by_workers(10.0, 10.2, 5.1, 5.0), by_chunksize(4, {1: 5.0, None: 5.0}), work_ratio=10)
    assert advice.setup == EngineSetup("pool", 2)
    assert advice.seconds == pytest.approx(51)
    assert "1.96 × as fast as a serial run" in advice.reason
    assert "4 workers save less than 5%" in advice.reason


def test_pool_that_saves_nothing_is_not_recommended():
    advice = recommend(by_workers(1.0, 1.3, 1.1), by_chunksize(2, {1: 1.0, None: 1.1}), work_ratio=1)
    assert advice.setup == SERIAL


def test_startup_is_counted_once():
    serial = measurement(SERIAL, 1.0, startup_seconds=0)
    pool = measurement(EngineSetup("pool", 2), 1.2, startup_seconds=0.7)
    assert estimate_seconds(pool, 100) == pytest.approx(50.7)
    assert recommend([serial, pool], [pool], 1).setup.engine == "serial"
    assert recommend([serial, pool], [pool], 100).setup == EngineSetup("pool", 2)


def test_chunk_size_is_recommended_only_if_it_saves_time():
    workers = by_workers(10.0, 10.2, 5.2)
    saving_much = recommend(workers, by_chunksize(2, {1: 8.0, 16: 4.0, None: 5.2}), work_ratio=1)
    assert saving_much.setup == EngineSetup("pool", 2, 16)
    assert "chunks of 16 save 23%" in saving_much.reason
    saving_little = recommend(workers, by_chunksize(2, {1: 8.0, 16: 5.1, None: 5.2}), work_ratio=1)
    assert saving_little.setup == EngineSetup("pool", 2)
