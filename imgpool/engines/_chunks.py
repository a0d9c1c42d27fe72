"""How many tasks are handed to a worker at once.

Handing a chunk over costs about a fifth of a millisecond, whatever is in it: small tasks go in long chunks.
A long chunk that is begun last keeps one worker busy while the others have gone home: chunks shrink toward
the end.
"""

from collections import deque
from collections.abc import Iterable

from imgpool.core.task import Task
from imgpool.engines._messages import Chunk, Numbered

CHUNK_COST = 512 << 10  # bytes: some 10 ms of work; more is no faster, and a death costs more of its neighbours
TASK_COST = 16 << 10  # bytes: opening and naming a file of no bytes at all takes as long as working on these
SHARE = 4  # a chunk is at most the fourth part of what is left for each worker

LONGEST = CHUNK_COST // TASK_COST
"""Tasks in a chunk, where the length is chosen here."""


def cost(task: Task) -> int:
    """Bytes that a task counts for."""
    return task.size + TASK_COST


def chunk_length(costs: Iterable[int], budget: float) -> int:
    """How many of the tasks that come next, with these costs, fit into the budget: at least one, if there is one."""
    length, spent = 0, 0
    for task_cost in costs:
        spent += task_cost
        if length and spent > budget:
            break
        length += 1
    return length


class Backlog:
    """Tasks that wait to be handed out, in their order.

    Parameters
    ----------
    workers
        Processes that work at the same time; 1 or more.
    chunksize
        The same length for every chunk (the last may be shorter); None to choose.

    Attributes
    ----------
    complete
        Whether no further tasks will be added.
    """

    def __init__(self, workers: int, chunksize: int | None = None) -> None:
        self.complete = False
        self._workers = workers
        self._chunksize = chunksize
        self._waiting: deque[Numbered] = deque()
        self._left = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def ready(self) -> bool:
        """Whether there is a chunk to cut."""
        return len(self._waiting) >= (1 if self.complete else self._chunksize or 1)

    def add(self, tasks: Iterable[Numbered]) -> None:
        """Put tasks behind those that wait."""
        for numbered in tasks:
            self._waiting.append(numbered)
            self._left += cost(numbered[1])

    def put_back(self, tasks: Chunk) -> None:
        """Put tasks that were cut before those that wait."""
        self._waiting.extendleft(reversed(tasks))
        self._left += sum(cost(task) for _, task in tasks)

    def cut(self) -> Chunk:
        """Take the next chunk, which must be `ready`."""
        length = min(self._chunksize, len(self._waiting)) if self._chunksize else self._length()
        chunk = tuple(self._waiting.popleft() for _ in range(length))
        self._left -= sum(cost(task) for _, task in chunk)
        return chunk

    def _length(self) -> int:
        budget = min(CHUNK_COST, self._left / (SHARE * self._workers)) if self.complete else CHUNK_COST
        return chunk_length((cost(task) for _, task in self._waiting), budget)
