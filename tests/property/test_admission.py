"""Admission in a simulated pool whose workers take chunks in the order of assignment and finish in any order."""

from collections import deque
from heapq import nlargest

from hypothesis import given
from hypothesis import strategies as st

from imgpool.engines.pool.host.admission import (
    MAX_EXCLUSIVE_PER_WORKER,
    MAX_WAITING_PER_WORKER,
    MIN_ALLOWANCE_DIVISOR,
    Admission,
)

needs = st.lists(st.integers(0, 1200) | st.integers(0, 100), max_size=120)
budgets = st.integers(0, 1000)
workers = st.integers(1, 6)
chunksizes = st.integers(1, 30)
orders = st.lists(st.integers(0, 10**6), min_size=1, max_size=50)


class Pool:
    """Simulated pool that runs tasks with given memory needs, and records what happens.

    A task that is given less memory than it needs says how much it needs; each time, it needs `growth` more than
    before. The need of an `unknown` task is None.
    """

    def __init__(self, needs, budget, workers, chunksize, order, *, unknown=(), growth=0):
        self.admission = Admission(budget, workers, 3 * workers)
        self.needs = dict(enumerate(needs))
        self.budget, self.workers, self.unknown, self.growth = budget, workers, set(unknown), growth
        indices = deque(self.needs)
        self.fresh = deque()
        while indices:
            self.fresh.append([indices.popleft() for _ in range(min(chunksize, len(indices)))])
        self.order, self.turn = order, 0
        self.under_way = {}  # by slot, in the order of assignment
        self.done, self.alone, self.returned = [], [], []

    def run(self):
        while self.fresh or self.admission.busy:
            grant = self.admission.next_grant(fresh=bool(self.fresh))
            if grant:
                assert grant.slot not in self.under_way
                chunk = self.fresh.popleft() if grant.item is None else [grant.item]
                self.under_way[grant.slot] = (grant.allowance, chunk)
                self.check()
            else:
                assert self.under_way, "nothing runs, and nothing may start"
                self.check_idleness()
                self.finish_one()
        assert not self.under_way
        return self

    def finish_one(self):
        running = list(self.under_way)[: self.workers]
        slot = running[self.order[self.turn % len(self.order)] % len(running)]
        self.turn += 1
        allowance, chunk = self.under_way.pop(slot)
        returned = []
        for index in chunk:
            if allowance is not None and self.needs[index] > allowance:
                returned.append((index, None if index in self.unknown else self.needs[index]))
                self.needs[index] += self.growth
            else:
                self.done.append(index)
                if allowance is None and self.budget is not None:
                    self.alone.append(index)
        self.returned += [(index, len(self.done)) for index, _ in returned]
        self.admission.release(slot, returned)

    def check(self):
        allowances = [allowance for allowance, _ in self.under_way.values()]
        if self.budget is None:
            assert set(allowances) == {None}
        elif None in allowances:
            assert allowances == [None]
            assert len(next(iter(self.under_way.values()))[1]) == 1
        else:
            assert sum(nlargest(self.workers, allowances)) <= self.budget
        assert len(self.under_way) <= 3 * self.workers

    def check_idleness(self):
        """If nothing may start, no worker is idle, or nothing that is left would fit."""
        allowances = [allowance for allowance, _ in self.under_way.values()]
        if len(allowances) >= self.workers or None in allowances:
            return
        assert self.budget is not None or not self.fresh
        available = (self.budget or 0) - sum(allowances)
        assert all(waiting.need > available for waiting in self.admission._waiting)
        too_many = (
            self.fitting >= MAX_WAITING_PER_WORKER * self.workers
            or self.exclusive >= MAX_EXCLUSIVE_PER_WORKER * self.workers
        )
        assert not self.fresh or available < self.budget // self.workers // MIN_ALLOWANCE_DIVISOR or too_many

    @property
    def fitting(self):
        return self.admission._first_exclusive

    @property
    def exclusive(self):
        return len(self.admission._waiting) - self.admission._first_exclusive


@given(needs, budgets, workers, chunksizes, orders)
def test_every_task_runs_once_within_the_budget(needs, budget, workers, chunksize, order):
    pool = Pool(needs, budget, workers, chunksize, order).run()
    assert sorted(pool.done) == list(range(len(needs)))


@given(needs, budgets, workers, chunksizes, orders)
def test_only_tasks_beyond_the_budget_run_alone(needs, budget, workers, chunksize, order):
    pool = Pool(needs, budget, workers, chunksize, order).run()
    assert sorted(pool.alone) == [index for index, need in enumerate(needs) if need > budget]


@given(needs, budgets, workers, chunksizes, orders)
def test_task_is_retried_only_after_others_were_done(needs, budget, workers, chunksize, order):
    pool = Pool(needs, budget, workers, chunksize, order).run()
    done_before = {}
    for index, done in pool.returned:
        assert done > done_before.get(index, -1)
        done_before[index] = done


@given(needs, budgets, workers, chunksizes, orders, st.sets(st.integers(0, 119)), st.integers(0, 50))
def test_growing_and_unknown_needs_come_to_an_end(needs, budget, workers, chunksize, order, unknown, growth):
    pool = Pool(needs, budget, workers, chunksize, order, unknown=unknown, growth=growth).run()
    assert sorted(pool.done) == list(range(len(needs)))


@given(needs, workers, chunksizes, orders)
def test_without_a_budget_no_task_comes_back(needs, workers, chunksize, order):
    pool = Pool(needs, None, workers, chunksize, order).run()
    assert sorted(pool.done) == list(range(len(needs)))
    assert not pool.returned


@given(st.lists(st.integers(0, 1200), min_size=200, max_size=300), st.integers(1, 4), st.integers(1, 10), orders)
def test_number_of_waiting_tasks_is_bounded(needs, workers, chunksize, order):
    pool = Pool(needs, 1000, workers, chunksize, order)
    release = pool.admission.release
    under_way = 3 * workers * chunksize

    def checked_release(slot, returned=()):
        release(slot, returned)
        assert pool.fitting <= MAX_WAITING_PER_WORKER * workers + under_way
        assert pool.exclusive <= MAX_EXCLUSIVE_PER_WORKER * workers + under_way

    pool.admission.release = checked_release
    pool.run()
