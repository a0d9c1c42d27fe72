"""What has been answered, what is still to do, and who is charged with what."""

import pickle
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from imgpool.core.engine import EngineOptions
from imgpool.core.errors import WorkerError
from imgpool.core.task import Result, Task
from imgpool.engines.pool.host.chunk_length import Load
from imgpool.engines.pool.parent.crash_failures import failure
from imgpool.engines.pool.protocol.messages import Batch, Numbered, PoolCrashed, WorkerDied

BARREN_ROUNDS = 20
"""Pools that died one after the other without a single answer, before the run is given up."""

CAUTIOUS_ROUNDS = 3
"""Pools that did, before the next one gets but one task."""


class TaskTracker:
    """Keeps account of every task over all pools of a run; of those that no pool has yet, and those done, nothing.

    A task is charged when a worker dies while working on it, or is killed because it takes too long; with more
    charges than ``options.retries`` it has failed. Tasks that were merely under way in the same pool are not
    charged: they run again.

    Parameters
    ----------
    tasks
        Taken as they are needed.
    window
        Tasks that a pool is given beforehand.

    Attributes
    ----------
    window : int
        As given; it may be changed between two rounds.
    """

    def __init__(self, tasks: Iterable[Task], options: EngineOptions, window: int) -> None:
        self._fresh = enumerate(tasks)
        self._unseen = Load.of(tasks) if isinstance(tasks, Sequence) else None
        self._ahead: deque[Numbered] = deque()  # innocent, and to be given to the next pool first
        self._under_way: dict[int, Task] = {}
        self._suspects: dict[int, Task] = {}
        self._charges: Counter[int] = Counter()
        self._loners: set[int] = set()
        self._options = options
        self.window = window
        self._all_given = False
        self._answered = False
        self._barren = 0
        self._last_death = ""

    @property
    def left(self) -> Load | None:
        """All that has no answer yet; None if that is not known."""
        seen = [*self._under_way.values(), *self._suspects.values(), *(task for _, task in self._ahead)]
        return None if self._unseen is None else self._unseen + Load.of(seen)

    def begin_round(self) -> Batch | None:
        """The first tasks for a new pool; None if there is nothing left to do."""
        self._answered = False
        self._all_given = False
        batch = self._batch(1 if self._barren >= CAUTIOUS_ROUNDS else self.window)
        return batch if batch.count else None

    def refill(self) -> Batch | None:
        """More tasks for the pool, if it is running short of them."""
        if self._all_given or len(self._under_way) > self.window // 2:
            return None
        return self._batch(self.window - len(self._under_way))

    def enter_results(self, pickled: bytes) -> Iterator[Result]:
        """Take note of what the pool has answered; yield it."""
        results: list[tuple[int, Result]] = pickle.loads(pickled)  # noqa: S301 - pickled by our own worker
        for index, result in results:
            del self._under_way[index]
            self._answered = True
            attempt = self._acquit(index) + 1
            yield replace(result, attempt=attempt) if attempt > 1 else result

    def enter_death(self, death: WorkerDied) -> Iterator[Result]:
        """Charge whom it may concern; yield the failure of one who is charged too often."""
        self._last_death = death.error
        if death.index is None or death.index not in self._under_way:
            return
        self._answered = True
        task = self._under_way.pop(death.index)
        self._charges[death.index] += 1
        if death.error == "SIGKILL":
            self._loners.add(death.index)
        if self._charges[death.index] <= self._options.retries:
            self._suspects[death.index] = task
        else:
            yield Result(task, "failed", failure(death, task, self._options), attempt=self._acquit(death.index))

    def enter_collapse(self, collapse: PoolCrashed) -> Iterator[Result]:
        """Let those that were in hand run alone the next time, to see which it was; charge the one that did."""
        self._last_death = collapse.error
        if len(collapse.indices) == 1 and collapse.indices[0] in self._loners:
            yield from self.enter_death(WorkerDied(collapse.error, collapse.indices[0]))
        else:
            self._loners.update(collapse.indices)

    def end_round(self) -> None:
        """Take note that a pool has ended.

        Raises
        ------
        WorkerError
            If one pool after the other dies and nothing is done.
        """
        for index, task in self._under_way.items():
            if index in self._charges or index in self._loners:
                self._suspects[index] = task
            else:
                self._ahead.append((index, task))
        self._under_way.clear()
        self._barren = 0 if self._answered else self._barren + 1
        if self._barren == BARREN_ROUNDS:
            raise WorkerError(
                f"the workers died {BARREN_ROUNDS} times before any image was done ({self._last_death})",
                "--serial shows where it happens; if it is for want of memory, use fewer workers (-j)",
            )

    def _acquit(self, index: int) -> int:
        """Forget what a task was charged with; how often it was."""
        self._loners.discard(index)
        return self._charges.pop(index, 0)

    def _batch(self, count: int) -> Batch:
        """Up to so many innocent tasks; with the last of them, those that are under suspicion."""
        tasks = [self._ahead.popleft() for _ in range(min(count, len(self._ahead)))]
        tasks += self._take(count - len(tasks))
        self._under_way.update(tasks)
        if len(tasks) == count:
            cautious = self._barren >= CAUTIOUS_ROUNDS
            self._all_given = cautious
            return Batch(tuple(tasks), last=cautious, beyond=self._beyond)
        self._all_given = True
        self._under_way.update(self._suspects)
        charged = list(self._suspects.items())
        self._suspects.clear()
        return Batch(
            tuple(tasks),
            suspects=tuple(numbered for numbered in charged if numbered[0] not in self._loners),
            loners=tuple(numbered for numbered in charged if numbered[0] in self._loners),
            last=True,
        )

    def _take(self, count: int) -> list[Numbered]:
        """Up to so many tasks that no pool has had."""
        tasks = list(islice(self._fresh, count))
        if self._unseen is not None:
            self._unseen -= Load.of(task for _, task in tasks)
        return tasks

    @property
    def _beyond(self) -> Load | None:
        """What the pool has not been given of what it will be given."""
        return None if self._unseen is None else self._unseen + Load.of(task for _, task in self._ahead)
