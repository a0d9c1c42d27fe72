"""Samples of the images of a run."""

from collections.abc import Sequence

from imgpool.core.task import Task


def spread_evenly(tasks: Sequence[Task], count: int) -> list[Task]:
    """So many of the tasks, at even distances; the first and the last are among them, or with one only the last."""
    if count >= len(tasks):
        return list(tasks)
    if count == 1:
        return [tasks[-1]]
    return [tasks[index * (len(tasks) - 1) // (count - 1)] for index in range(count)]
