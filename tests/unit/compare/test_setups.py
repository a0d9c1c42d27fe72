"""The setups and pool methods that a comparison measures."""

import pytest

from imgpool.compare.bare_pool import METHODS, PoolMethod
from imgpool.compare.measurement import SERIAL, EngineSetup
from imgpool.compare.setups import chunk_lengths, list_methods, list_setups, worker_counts


@pytest.mark.parametrize(
    ("most", "cores", "counts"),
    [(1, 1, [1]), (2, 2, [1, 2]), (6, 6, [1, 2, 4, 6]), (8, 6, [1, 2, 4, 6, 8]), (1, 8, [1]), (3, 8, [1, 2, 3])],
)
def test_worker_counts_double_and_include_cores_and_most(most, cores, counts):
    assert worker_counts(most, cores) == counts


def test_every_worker_gets_a_chunk():
    assert chunk_lengths(1, 2) == [1]
    assert chunk_lengths(8, 2) == [1, 4]
    assert chunk_lengths(1000, 2) == [1, 4, 16, 64]


def test_serial_run_comes_first_and_no_setup_twice():
    setups = list_setups(EngineSetup("pool", 2, 4), cores=2, images=8)
    assert setups == [
        SERIAL,
        EngineSetup("pool", 1, 4),
        EngineSetup("pool", 2, 4),
        EngineSetup("pool", 2, 1),
        EngineSetup("pool", 2),
    ]


def test_every_method_is_timed_and_imap_unordered_also_in_chunks():
    assert {method.name for method in list_methods(3, 1)} == set(METHODS)
    assert PoolMethod("imap_unordered", 64) in list_methods(10_000, 2)
    assert all(method.chunksize in {None, 1} for method in list_methods(8, 2))
