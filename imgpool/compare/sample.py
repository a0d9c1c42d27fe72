"""Which images to compare on, with how many workers, in chunks of what length."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress

from imgpool.core.task import Task
from imgpool.system.durability import sync_file_system

TASK_COST = 16 << 10
"""Bytes that an image counts for beside those of its file: opening and naming it takes time as well."""

LONGEST_CHUNK = 64


def cost(task: Task) -> int:
    """What an image counts for, in bytes."""
    return task.size + TASK_COST


def worker_counts(most: int, cores: int) -> list[int]:
    """1, 2, 4, … workers up to the most; as many as there are cores are among them, and the most."""
    doubled = [2**power for power in range(most.bit_length())]
    return sorted({*doubled, min(cores, most), most})


def chunk_lengths(images: int, workers: int) -> list[int]:
    """1, 4, 16, … images, as long as every worker gets a chunk."""
    lengths = [1]
    while (longer := 4 * lengths[-1]) <= min(LONGEST_CHUNK, images // workers):
        lengths.append(longer)
    return lengths


def read_once(tasks: Sequence[Task]) -> float:
    """Read every file, so that the system holds it in memory from then on; how many seconds that took."""
    started = time.monotonic()
    for task in tasks:
        with suppress(OSError), open(task.source, "rb", buffering=0) as file:  # what cannot be read fails in its run
            while file.read(1 << 20):
                pass
    return time.monotonic() - started


def settle(folder: str) -> None:
    """Have the folder's file system write now what earlier runs left it to write, where it can be told to."""
    with suppress(OSError):  # what cannot be kept is for the runs to report
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            sync_file_system(descriptor)
        finally:
            os.close(descriptor)
