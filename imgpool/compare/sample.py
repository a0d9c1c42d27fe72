"""The sample of images to compare on."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from imgpool.batch.sampling import spread_evenly
from imgpool.compare.measurement import Measurement
from imgpool.core.task import Task
from imgpool.system.durability import open_folder, sync_file_system

SAMPLE_SERIAL_SECONDS = 10.0
"""Intended duration of a serial run over the sample, if the user does not choose its size."""

PILOT_IMAGES = 32
"""Images of medium size that are run first, to estimate how long an image takes."""

FIXED_COST_BYTES = 16 << 10
"""Cost of opening, creating and renaming files, which every image has, expressed as bytes of file content."""


def choose_sample(
    tasks: Sequence[Task], count: int | None, min_count: int, measure_pilot: Callable[[Sequence[Task]], Measurement]
) -> list[Task]:
    """Choose images spread evenly from the smallest file to the largest.

    Parameters
    ----------
    tasks
        All images.
    count
        Size of the sample; None chooses it so that a serial run takes about `SAMPLE_SERIAL_SECONDS`.
    min_count
        Smallest size to choose.
    measure_pilot
        Runs a few images, to estimate how long an image takes.

    Returns
    -------
    list of Task
        Large files first.
    """
    by_size = sorted(tasks, key=lambda task: (task.size, task.source))
    if count is None and len(by_size) > min_count:
        seconds = _estimate_seconds_per_image(by_size, measure_pilot)
        count = max(min_count, int(SAMPLE_SERIAL_SECONDS / seconds)) if seconds else min_count
    return spread_evenly(by_size, len(by_size) if count is None else count)[::-1]


def cost(task: Task) -> int:
    """Estimate the relative cost of an image, in bytes."""
    return task.size + FIXED_COST_BYTES


def read_files(tasks: Sequence[Task]) -> float:
    """Read every file, so that the system caches it, and return the seconds that this took."""
    started = time.monotonic()
    for task in tasks:
        with suppress(OSError), open(task.source, "rb", buffering=0) as file:  # an unreadable file fails in its run
            while file.read(1 << 20):
                pass
    return time.monotonic() - started


def flush_writes(folder: str) -> None:
    """Make the folder's file system write what earlier runs left in the cache, if the system supports that."""
    with suppress(OSError), open_folder(folder) as descriptor:  # the runs themselves report a disk that fails
        sync_file_system(descriptor)


def _estimate_seconds_per_image(
    by_size: Sequence[Task], measure_pilot: Callable[[Sequence[Task]], Measurement]
) -> float:
    """Estimate the mean seconds per image from images of medium size; 0 if all of them fail."""
    median_size = by_size[len(by_size) // 2].size
    pilot = sorted(spread_evenly(by_size, PILOT_IMAGES), key=lambda task: abs(task.size - median_size))
    done = [result for result in measure_pilot(pilot).results.values() if result.status == "done"]
    if not done:
        return 0.0
    seconds = sorted(sum(result.seconds.values()) for result in done)[len(done) // 2]
    return seconds * _mean_cost(by_size) / _mean_cost([result.task for result in done])


def _mean_cost(tasks: Sequence[Task]) -> float:
    return sum(map(cost, tasks)) / len(tasks)
