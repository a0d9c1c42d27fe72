"""A simulated pool: its workers take chunks in the order in which they are handed out, and finish in any order."""

from collections import deque
from heapq import nlargest

from hypothesis import given
from hypothesis import strategies as st

from imgpool.engines.pool.host.admission import ALONE, LEAST, WAITING, Admission

needs = st.lists(st.integers(0, 1200) | st.integers(0, 100), max_size=120)
budgets = st.integers(0, 1000)
workers = st.integers(1, 6)
chunksizes = st.integers(1, 30)
orders = st.lists(st.integers(0, 10**6), min_size=1, max_size=50)


class Pool:
    """Runs tasks whose needs are given; remembers what it saw.

    A task tells its need when it is given less, and needs up to `growth` more whenever it is asked again: workers
    learn. An `unknown` need is told as None.
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
        self.under_way = {}  # by slot, in the order in which they were handed out
        self.done, self.alone, self.returned = [], [], []

    def run(self):
        while self.fresh or self.admission.busy:
            grant = self.admission.place(fresh=bool(self.fresh))
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
        """Nothing may start: then no worker is idle, or nothing that is left would fit."""
        allowances = [allowance for allowance, _ in self.under_way.values()]
        if len(allowances) >= self.workers or None in allowances:
            return
        assert self.budget is not None or not self.fresh
        room = (self.budget or 0) - sum(allowances)
        assert all(waiting.need > room for waiting in self.admission._waiting)
        crowded = self.waiting >= WAITING * self.workers or self.loners >= ALONE * self.workers
        assert not self.fresh or room < self.budget // self.workers // LEAST or crowded

    @property
    def waiting(self):
        return self.admission._alone

    @property
    def loners(self):
        return len(self.admission._waiting) - self.admission._alone


@given(needs, budgets, workers, chunksizes, orders)
def test_everything_comes_out_once_and_within_the_budget(needs, budget, workers, chunksize, order):
    pool = Pool(needs, budget, workers, chunksize, order).run()
    assert sorted(pool.done) == list(range(len(needs)))


@given(needs, budgets, workers, chunksizes, orders)
def test_alone_runs_only_what_takes_more_than_the_budget(needs, budget, workers, chunksize, order):
    pool = Pool(needs, budget, workers, chunksize, order).run()
    assert sorted(pool.alone) == [index for index, need in enumerate(needs) if need > budget]


@given(needs, budgets, workers, chunksizes, orders)
def test_a_task_comes_back_again_only_after_others_were_done(needs, budget, workers, chunksize, order):
    pool = Pool(needs, budget, workers, chunksize, order).run()
    done_before = {}
    for index, done in pool.returned:
        assert done > done_before.get(index, -1)
        done_before[index] = done


@given(needs, budgets, workers, chunksizes, orders, st.sets(st.integers(0, 119)), st.integers(0, 50))
def test_needs_that_grow_or_are_unknown_come_to_an_end_as_well(
    needs, budget, workers, chunksize, order, unknown, growth
):
    pool = Pool(needs, budget, workers, chunksize, order, unknown=unknown, growth=growth).run()
    assert sorted(pool.done) == list(range(len(needs)))


@given(needs, workers, chunksizes, orders)
def test_without_a_budget_chunks_go_out_as_they_come(needs, workers, chunksize, order):
    pool = Pool(needs, None, workers, chunksize, order).run()
    assert sorted(pool.done) == list(range(len(needs)))
    assert not pool.returned


@given(st.lists(st.integers(0, 1200), min_size=200, max_size=300), st.integers(1, 4), st.integers(1, 10), orders)
def test_what_waits_is_bounded(needs, workers, chunksize, order):
    pool = Pool(needs, 1000, workers, chunksize, order)
    release = pool.admission.release
    under_way = 3 * workers * chunksize

    def watched(slot, returned=()):
        release(slot, returned)
        assert pool.waiting <= WAITING * workers + under_way
        assert pool.loners <= ALONE * workers + under_way

    pool.admission.release = watched
    pool.run()
