"""Admission: which task may start now, so that all running tasks stay within the memory budget.

Each chunk is given an *allowance* in bytes, which each of its tasks may take. How much memory a task needs is known
only after a worker has read the header of its file. A task that needs more than its allowance comes back and says how
much::

    fresh chunk ──a share of the budget──▶ under way ──▶ done
                                              │
                                              ├──needs more, and says how much──▶ waiting
                                              └──needs more than the budget, or does not know──▶ waiting to run alone

    waiting ──the largest that fits into the free memory──▶ under way
    waiting to run alone ──nothing else is under way──▶ under way, without a limit

Each worker runs one chunk at a time, and any of the chunks under way may be running. So with N workers, the sum of the
N largest allowances under way never exceeds the budget.

While a large task waits, fresh chunks get only what it leaves them; otherwise it would wait forever. If too little is
left for a fresh chunk, it waits too. Only a few tasks may wait for memory. Their needs were estimated before similar
tasks were done, and may be too high: when a worker would otherwise be idle, a waiting task is tried again with the
allowance of a fresh chunk.
"""

import math
from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from operator import attrgetter
from typing import Generic, TypeVar

MAX_WAITING_PER_WORKER = 8
"""Tasks per worker that may wait for memory before no fresh chunks start."""

MAX_EXCLUSIVE_PER_WORKER = 2
"""Tasks per worker that may wait to run alone before no fresh chunks start."""

MIN_ALLOWANCE_DIVISOR = 8
"""A fresh chunk gets at least this fraction of a worker's share (1/8); with less, most of it would come back."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Grant(Generic[Item]):
    """Permission to start a chunk.

    Attributes
    ----------
    slot
        To return with `Admission.release`.
    allowance
        Bytes that each task of the chunk may take; None for no limit.
    item
        The task that has waited for the grant; None for a fresh chunk.
    """

    slot: int
    allowance: int | None
    item: Item | None


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item]):
    """A task that needs more memory than it was given.

    Attributes
    ----------
    need
        Bytes; infinite for a task that must run alone.
    estimated_at
        Value of `Admission._completed_chunks` when the need was estimated.
    """

    item: Item
    need: float
    estimated_at: int


_need = attrgetter("need")


class Admission(Generic[Item]):
    """Keeps track of the allowances under way and of the tasks that wait for memory.

    Parameters
    ----------
    budget
        Bytes for all workers together; None for no limit.
    workers
        Number of chunks that run at the same time.
    slots
        Number of chunks that may be under way: running, or on their way to or from a worker. At least `workers`.
    """

    def __init__(self, budget: int | None, workers: int, slots: int) -> None:
        self._budget = budget
        self._workers = workers
        self._free_slots = list(reversed(range(slots)))
        self._allowances: dict[int, int | None] = {}  # of the chunks under way, by slot
        self._waiting: list[_Waiting[Item]] = []  # sorted by need, the largest last
        self._exclusive_slot: int | None = None  # of the task that runs alone
        self._completed_chunks = 0  # workers may have learned from them what tasks need

    @property
    def busy(self) -> bool:
        """Whether anything is under way or waiting."""
        return bool(self._allowances or self._waiting)

    @property
    def waiting(self) -> bool:
        """Whether a task waits for memory."""
        return bool(self._waiting)

    @property
    def idle(self) -> int:
        """Number of workers for which nothing is under way."""
        return max(0, self._workers - len(self._allowances))

    def next_grant(self, *, fresh: bool) -> Grant[Item] | None:
        """Return what may start now; None if nothing may before the next `release`.

        Parameters
        ----------
        fresh
            Whether a fresh chunk is ready to start.
        """
        if not self._free_slots or self._exclusive_slot is not None:
            return None
        return self._grant_beside_others(fresh=fresh) or self._grant_exclusive()

    def add_exclusive(self, item: Item) -> None:
        """Add a task that must run alone, whatever it needs."""
        self._add_waiting(item, math.inf)

    def release(self, slot: int, returned: Sequence[tuple[Item, int | None]] = ()) -> None:
        """Note that a chunk has come back.

        Parameters
        ----------
        slot
            As granted.
        returned
            Tasks of the chunk that have not run, each with the bytes it needs, or None if unknown. Empty if the
            allowance was None: such a task has been given everything.
        """
        allowance = self._allowances.pop(slot)
        self._exclusive_slot = None if slot == self._exclusive_slot else self._exclusive_slot
        self._free_slots.append(slot)
        self._completed_chunks += not returned
        for item, need in returned:
            assert allowance is not None
            if need is None or need <= allowance:  # unknown, or in contradiction to what it was given
                self.add_exclusive(item)
            else:
                self._add_waiting(item, need)

    def _add_waiting(self, item: Item, need: float) -> None:
        insort(self._waiting, _Waiting(item, need, self._completed_chunks), key=_need)

    def _grant(self, allowance: int | None, item: Item | None = None) -> Grant[Item]:
        slot = self._free_slots.pop()
        self._allowances[slot] = allowance
        return Grant(slot, allowance, item)

    def _grant_beside_others(self, *, fresh: bool) -> Grant[Item] | None:
        if self._budget is None:
            return self._grant(None) if fresh else None
        available = self._available(self._budget)
        if fitting := bisect_right(self._waiting, available, key=_need):
            waiting = self._waiting.pop(fitting - 1)
            return self._grant(int(waiting.need), waiting.item)
        allowance = min(available, self._fresh_allowance(self._budget))
        if allowance < self._min_allowance(self._budget):
            return None
        if fresh and not self._too_many_waiting:
            return self._grant(allowance)
        return self._retry_waiting(allowance)

    def _retry_waiting(self, allowance: int) -> Grant[Item] | None:
        """Try a waiting task again for an idle worker: it may turn out to need less, now that more is known."""
        if len(self._allowances) >= self._workers:
            return None
        for index, waiting in enumerate(self._waiting):
            if waiting.estimated_at < self._completed_chunks and waiting.need < math.inf:
                return self._grant(allowance, self._waiting.pop(index).item)
        return None

    def _grant_exclusive(self) -> Grant[Item] | None:
        first = self._first_exclusive
        if self._allowances or first == len(self._waiting):
            return None
        grant = self._grant(None, self._waiting.pop(first).item)
        self._exclusive_slot = grant.slot
        return grant

    @property
    def _first_exclusive(self) -> int:
        """Index of the first waiting task that must run alone: those before it fit into the budget."""
        return bisect_right(self._waiting, self._budget or 0, key=_need)

    @property
    def _too_many_waiting(self) -> bool:
        fitting = self._first_exclusive
        exclusive = len(self._waiting) - fitting
        return (
            fitting >= MAX_WAITING_PER_WORKER * self._workers or exclusive >= MAX_EXCLUSIVE_PER_WORKER * self._workers
        )

    def _available(self, budget: int) -> int:
        """Return the largest allowance that can be added."""
        allowances = (allowance for allowance in self._allowances.values() if allowance is not None)
        return budget - sum(nlargest(self._workers - 1, allowances))

    def _fresh_allowance(self, budget: int) -> int:
        """Return a worker's share of the budget, or of what the largest waiting task leaves, if that is enough."""
        share = budget // self._workers
        others = self._workers - 1
        max_need = budget - others * self._min_allowance(budget)  # of a task beside which fresh chunks can run
        count = bisect_right(self._waiting, max_need, key=_need)
        if not count or not others:
            return share
        largest = self._waiting[count - 1]
        return min(share, int(budget - largest.need) // others)

    def _min_allowance(self, budget: int) -> int:
        return budget // self._workers // MIN_ALLOWANCE_DIVISOR
