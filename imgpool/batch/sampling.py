"""Choose a sample of the images of a run."""

from collections.abc import Sequence

from imgpool.core.task import Task


def spread_evenly(tasks: Sequence[Task], count: int) -> list[Task]:
    """Choose `count` tasks at even distances, including the first and the last; with one, the last."""
    if count >= len(tasks):
        return list(tasks)
    if count == 1:
        return [tasks[-1]]
    return [tasks[index * (len(tasks) - 1) // (count - 1)] for index in range(count)]
