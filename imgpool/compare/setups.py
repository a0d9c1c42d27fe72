"""The setups and pool methods that a comparison measures."""

from collections.abc import Sequence

from imgpool.compare.bare_pool import METHODS, PoolMethod
from imgpool.compare.measurement import SERIAL, EngineSetup

MAX_CHUNK_IMAGES = 64
"""Longest chunk that is measured."""


def list_setups(largest: EngineSetup, cores: int, images: int) -> list[EngineSetup]:
    """List the setups to measure: the serial run, numbers of workers, then chunk sizes.

    Parameters
    ----------
    largest
        The pool with the most workers, and the chunk size to use while their number varies.
    cores
        Number of available processors.
    images
        Size of the sample.
    """
    workers, chunksize = largest.workers, largest.chunksize
    by_workers = [EngineSetup("pool", count, chunksize) for count in worker_counts(workers, cores)]
    by_chunksize = [EngineSetup("pool", workers, length) for length in chunk_lengths(images, workers)]
    return list(dict.fromkeys([SERIAL, *by_workers, *by_chunksize, EngineSetup("pool", workers)]))


def list_methods(images: int, workers: int) -> list[PoolMethod]:
    """List the methods of a bare pool to time, with the chunk sizes that people usually choose."""
    methods = [PoolMethod(name, None if name in {"map", "apply_async"} else 1) for name in METHODS]
    chunk = min(MAX_CHUNK_IMAGES, images // (4 * workers))
    return [*methods, *([PoolMethod("imap_unordered", chunk)] if chunk > 1 else [])]


def worker_counts(most: int, cores: int) -> Sequence[int]:
    """Return 1, 2, 4, … workers up to `most`, including `most` itself and the number of cores."""
    doubled = [2**power for power in range(most.bit_length())]
    return sorted({*doubled, min(cores, most), most})


def chunk_lengths(images: int, workers: int) -> Sequence[int]:
    """Return 1, 4, 16, … images per chunk, as long as every worker gets at least one chunk."""
    lengths = [1]
    while (longer := 4 * lengths[-1]) <= min(MAX_CHUNK_IMAGES, images // workers):
        lengths.append(longer)
    return lengths
