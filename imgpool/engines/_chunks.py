"""How many tasks are handed to a worker at once.

Handing a chunk over costs about a fifth of a millisecond, whatever is in it: small tasks go in long chunks.
A long chunk that is begun last keeps one worker busy while the others have gone home: chunks shrink toward
the end.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, repeat
from typing import TypeVar

Item = TypeVar("Item")

CHUNK_COST = 512 << 10  # bytes: some 10 ms of work; more is no faster, and a death costs more of its neighbours
TASK_COST = 16 << 10  # bytes: opening and naming a file of no bytes at all takes as long as working on these
SHARE = 4  # a chunk is at most the fourth part of what is left for each worker


def chunk_lengths(sizes: Sequence[int], workers: int, chunksize: int | None = None) -> Iterator[int]:
    """Yield how many tasks to put into each chunk; together they are all of them.

    Parameters
    ----------
    sizes
        Bytes of each task, in the order in which they are started.
    workers
        Processes that work at the same time; 1 or more.
    chunksize
        The same length for every chunk (the last may be shorter); None to choose.
    """
    if chunksize is not None:
        whole, rest = divmod(len(sizes), chunksize)
        yield from repeat(chunksize, whole)
        yield from [rest] if rest else []
        return
    costs = [size + TASK_COST for size in sizes]
    left, start = sum(costs), 0
    while start < len(costs):
        length, cost = _fill(costs, start, min(CHUNK_COST, left / (SHARE * workers)))
        yield length
        left -= cost
        start += length


def cut(items: Iterable[Item], lengths: Iterable[int]) -> Iterator[tuple[Item, ...]]:
    """Yield the items in tuples of these lengths."""
    rest = iter(items)
    return (tuple(islice(rest, length)) for length in lengths)


def _fill(costs: Sequence[int], start: int, budget: float) -> tuple[int, int]:
    """How many tasks from `start` on fit into the budget, at least one; and what they cost."""
    length, cost = 1, costs[start]
    while start + length < len(costs) and cost + costs[start + length] <= budget:
        cost += costs[start + length]
        length += 1
    return length, cost
