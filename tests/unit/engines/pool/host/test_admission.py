from imgpool.engines.pool.host.admission import ALONE, WAITING, Admission

GB = 2**30


def admission(budget=8 * GB, workers=2, slots=6):
    return Admission(budget, workers, slots)


def fill(book):
    """Take all fresh chunks that may start."""
    grants = []
    while grant := book.place(fresh=True):
        grants.append(grant)
    return grants


def test_fresh_chunks_get_a_share_each_until_the_slots_are_taken():
    book = admission()
    grants = fill(book)
    assert [(grant.slot, grant.allowance, grant.item) for grant in grants] == [
        (slot, 4 * GB, None) for slot in range(6)
    ]
    book.release(3)
    assert book.place(fresh=True).slot == 3


def test_nothing_is_left():
    book = admission()
    assert not book.busy
    assert book.place(fresh=False) is None
    grant = book.place(fresh=True)
    assert book.busy
    book.release(grant.slot)
    assert not book.busy


def test_a_big_task_gets_its_turn_beside_small_ones():
    book = admission()
    first, *others = fill(book)
    book.release(first.slot, [("big", 5 * GB)])
    for grant in others:
        beside = book.place(fresh=True)
        assert (beside.allowance, beside.item) == (3 * GB, None)
        book.release(grant.slot)
    assert book.place(fresh=True).item == "big"
    assert book.busy


def test_the_largest_that_fits_goes_first():
    book = admission()
    grant = book.place(fresh=True)
    book.release(grant.slot, [("five", 5 * GB), ("four", 4 * GB + 1), ("eight", 8 * GB), ("six", 6 * GB)])
    for name in ("eight", "six", "five", "four"):
        grant = book.place(fresh=False)
        assert grant.item == name
        book.release(grant.slot)
    assert not book.busy


def test_a_task_that_leaves_next_to_nothing_does_not_hold_up_fresh_ones():
    book = admission()
    first, *_ = fill(book)
    book.release(first.slot, [("nearly all", 8 * GB - 1)])
    assert book.place(fresh=True).allowance == 4 * GB


def test_no_fresh_chunk_where_next_to_nothing_is_left():
    book = admission()
    book.release(book.place(fresh=True).slot, [("nearly all", 8 * GB - 1)])
    assert book.place(fresh=True).item == "nearly all"
    assert book.place(fresh=True) is None


def test_a_task_of_more_than_the_budget_runs_alone_and_last():
    book = admission()
    first, *others = fill(book)
    book.release(first.slot, [("more than all", 8 * GB + 1), ("unknown", None)])
    assert book.place(fresh=True).item is None
    assert book.place(fresh=False) is None
    for grant in (first, *others):
        book.release(grant.slot)
    again = book.place(fresh=False)
    assert (again.item, again.allowance) == ("more than all", 4 * GB)
    assert book.place(fresh=False) is None
    book.release(again.slot, [(again.item, 8 * GB + 1)])
    alone = book.place(fresh=False)
    assert (alone.item, alone.allowance) == ("more than all", None)
    assert book.place(fresh=True) is None
    book.release(alone.slot)
    assert book.place(fresh=False).item == "unknown"


def test_a_task_is_asked_again_when_others_are_done_and_a_worker_is_idle():
    book = admission()
    first, second, third, fourth = (book.place(fresh=True) for _ in range(4))
    book.release(first.slot, [("six", 6 * GB)])
    book.release(second.slot, [("eleven", 11 * GB)])
    assert book.place(fresh=False) is None  # nothing is done yet
    book.release(third.slot)
    for name, room in (("six", 2 * GB), ("eleven", 4 * GB)):
        again = book.place(fresh=False)
        assert (again.item, again.allowance) == (name, room)
        assert book.place(fresh=False) is None  # no worker is idle
        book.release(again.slot, [(name, 11 * GB)])
    assert book.place(fresh=False) is None  # both were asked
    book.release(fourth.slot)
    assert book.place(fresh=False).allowance == 4 * GB


def test_a_task_that_needs_nobody_knows_what_is_not_asked_again():
    book = admission()
    first, second, third = (book.place(fresh=True) for _ in range(3))
    book.release(first.slot, [("unknown", None)])
    book.release(second.slot)
    assert book.place(fresh=False) is None
    book.release(third.slot)
    assert book.place(fresh=False).allowance is None


def test_a_task_that_asks_for_what_it_had_runs_alone():
    book = admission()
    grant = book.place(fresh=True)
    book.release(grant.slot, [("odd", grant.allowance)])
    assert book.place(fresh=False).allowance is None


def test_one_worker_has_all_there_is():
    book = admission(workers=1, slots=3)
    assert book.place(fresh=True).allowance == 8 * GB


def test_what_can_only_run_alone_is_run_before_too_much_waits():
    book = admission()
    grant = book.place(fresh=True)
    book.release(grant.slot, [(number, None) for number in range(2 * ALONE)])
    assert book.place(fresh=True).item == 0


def test_what_waits_for_room_is_run_before_too_much_waits():
    book = admission()
    first, second, *_ = fill(book)
    book.release(first.slot, [(number, 5 * GB) for number in range(2 * WAITING - 1)])
    assert book.place(fresh=True).item is None
    book.release(second.slot, [("one more", 5 * GB)])
    assert book.place(fresh=True) is None


def test_an_isolated_task_runs_alone_whatever_it_needs_and_there_is():
    for budget in (8 * GB, None):
        book = admission(budget=budget)
        book.isolate("suspect")
        others = fill(book)
        assert {grant.item for grant in others} == {None}
        for grant in others:
            assert book.place(fresh=False) is None
            book.release(grant.slot)
        alone = book.place(fresh=True)
        assert alone.item is None
        book.release(alone.slot)
        alone = book.place(fresh=False)
        assert (alone.item, alone.allowance) == ("suspect", None)
        assert book.place(fresh=True) is None


def test_without_a_budget_there_are_no_limits():
    book = admission(budget=None)
    assert {grant.allowance for grant in fill(book)} == {None}
    assert book.place(fresh=True) is None  # no slot
