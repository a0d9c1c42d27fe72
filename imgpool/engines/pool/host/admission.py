"""Which task may start now, so that all that run at the same time stay within the memory given to them.

Every chunk goes to a worker with an allowance in bytes. How much memory a task takes is known only once somebody
has looked into its file, so a task that takes more than its chunk's allowance comes back with what it needs::

                     ┌───────── needs more: how much ─────────┐
                     ▼                                        │
     fresh ──▶ waiting for room ──largest that fits──▶ in a worker ──▶ answered
       │             │                                      ▲   ▲
       │             └──more than all, or unknown: alone────┘   │
       └────────────────────a share of the budget───────────────┘

At most so many chunks run at the same time as there are workers, and any of those under way may be among them:
so it is the largest allowances under way, one per worker, whose sum never exceeds the budget.

A big task would wait for ever for room that fresh ones take again and again. So while one waits, fresh chunks get
no more than what it leaves them; those that do not fit into that wait in their turn. Only a few may wait: what they
need was told before anybody had seen such a task done; it is asked again once some have been, rather than that a
worker is idle.
"""

import math
from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from operator import attrgetter
from typing import Generic, TypeVar

WAITING = 8
"""Tasks per worker that may wait for room before no fresh ones are taken."""

ALONE = 2
"""Tasks per worker that may wait until they are alone before no fresh ones are taken."""

LEAST = 8
"""The part of a worker's share (an eighth) below which no fresh chunk is handed out: most of it would come back."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Grant(Generic[Item]):
    """What may start now.

    Attributes
    ----------
    slot
        To be given back with `Admission.release`.
    allowance
        Bytes that each of its tasks may take; None: all there is.
    item
        The task that has waited for it; None for a fresh chunk.
    """

    slot: int
    allowance: int | None
    item: Item | None


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item]):
    """A task that needs more than it was given: so many bytes, as was told at this `Admission._news`."""

    item: Item
    need: float
    told: int


_need = attrgetter("need")


class Admission(Generic[Item]):
    """Keeps account of the allowances under way and of the tasks that wait for room.

    Parameters
    ----------
    budget
        Bytes for all workers together; None for no limit.
    workers
        How many chunks run at the same time.
    slots
        How many may be under way: running, or on their way to a worker or back. No fewer than `workers`.
    """

    def __init__(self, budget: int | None, workers: int, slots: int) -> None:
        self._budget = budget
        self._workers = workers
        self._free = list(reversed(range(slots)))
        self._under_way: dict[int, int | None] = {}
        self._waiting: list[_Waiting[Item]] = []  # by need, the largest last
        self._loner: int | None = None  # the slot of the task that runs alone
        self._news = 0  # how many chunks were done, of which workers may have learnt what tasks need

    @property
    def busy(self) -> bool:
        """Whether anything is under way or waiting."""
        return bool(self._under_way or self._waiting)

    @property
    def waiting(self) -> bool:
        """Whether a task waits for room."""
        return bool(self._waiting)

    @property
    def idle(self) -> int:
        """Workers for which nothing is under way."""
        return max(0, self._workers - len(self._under_way))

    def place(self, *, fresh: bool) -> Grant[Item] | None:
        """What may start now; None if that is nothing before something is released.

        Parameters
        ----------
        fresh
            Whether there is a fresh chunk to start.
        """
        if not self._free or self._loner is not None:
            return None
        return self._beside_others(fresh=fresh) or self._all_alone()

    def isolate(self, item: Item) -> None:
        """Take in a task that must run alone, whatever it needs."""
        self._wait(item, math.inf)

    def release(self, slot: int, returned: Sequence[tuple[Item, int | None]] = ()) -> None:
        """Take note that a chunk is back.

        Parameters
        ----------
        slot
            As granted.
        returned
            The tasks of the chunk that have not run, for each the bytes it needs, or None if that is not known.
            There are none where the allowance was None: more than all there is nobody gets.
        """
        allowance = self._under_way.pop(slot)
        self._loner = None if slot == self._loner else self._loner
        self._free.append(slot)
        self._news += not returned
        for item, need in returned:
            assert allowance is not None
            self._wait(item, math.inf if need is None or need <= allowance else need)  # it cannot need what it had

    def _wait(self, item: Item, need: float) -> None:
        insort(self._waiting, _Waiting(item, need, self._news), key=_need)

    def _grant(self, allowance: int | None, item: Item | None = None) -> Grant[Item]:
        slot = self._free.pop()
        self._under_way[slot] = allowance
        return Grant(slot, allowance, item)

    def _beside_others(self, *, fresh: bool) -> Grant[Item] | None:
        if self._budget is None:
            return self._grant(None) if fresh else None
        room = self._room(self._budget)
        if fitting := bisect_right(self._waiting, room, key=_need):
            waiting = self._waiting.pop(fitting - 1)
            return self._grant(int(waiting.need), waiting.item)
        allowance = min(room, self._for_fresh(self._budget))
        if allowance < self._least(self._budget):
            return None
        if fresh and not self._crowded:
            return self._grant(allowance)
        return self._ask_again(allowance)

    def _ask_again(self, allowance: int) -> Grant[Item] | None:
        """A task that may turn out to need less, now that more is known, for a worker that has nothing else to do."""
        stale = (index for index, each in enumerate(self._waiting) if each.told < self._news and each.need < math.inf)
        index = next(stale, None) if len(self._under_way) < self._workers else None
        return None if index is None else self._grant(allowance, self._waiting.pop(index).item)

    def _all_alone(self) -> Grant[Item] | None:
        if self._under_way or self._alone == len(self._waiting):
            return None
        grant = self._grant(None, self._waiting.pop(self._alone).item)
        self._loner = grant.slot
        return grant

    @property
    def _alone(self) -> int:
        """Where those begin that have to run alone."""
        return bisect_right(self._waiting, self._budget or 0, key=_need)

    @property
    def _crowded(self) -> bool:
        """Whether so many wait that no fresh ones are taken."""
        beside, alone = self._alone, len(self._waiting) - self._alone
        return beside >= WAITING * self._workers or alone >= ALONE * self._workers

    def _room(self, budget: int) -> int:
        """The largest allowance that can be added."""
        allowances = (allowance for allowance in self._under_way.values() if allowance is not None)
        return budget - sum(nlargest(self._workers - 1, allowances))

    def _for_fresh(self, budget: int) -> int:
        """A worker's share of the budget, or of what the largest waiting task leaves if it leaves enough."""
        share = budget // self._workers
        others = self._workers - 1
        most = budget - others * self._least(budget)  # what can run beside fresh chunks
        largest = bisect_right(self._waiting, most, key=_need)
        return min(share, int(budget - self._waiting[largest - 1].need) // others) if largest and others else share

    def _least(self, budget: int) -> int:
        return budget // self._workers // LEAST
