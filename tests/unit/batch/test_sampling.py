"""Samples of a sequence of tasks."""

import pytest

from imgpool.batch.sampling import spread_evenly
from imgpool.core.task import Task


@pytest.mark.parametrize("count", [1, 2, 3, 7, 99, 100, 500])
def test_sample_is_spread_evenly_from_first_to_last(count):
    tasks = [Task(str(size), "", size, 0) for size in range(100)]
    sizes = [task.size for task in spread_evenly(tasks, count)]
    assert len(set(sizes)) == min(count, 100)
    assert sizes[-1] == 99
    assert sizes[0] == (0 if count > 1 else 99)
    assert sizes == sorted(sizes)
