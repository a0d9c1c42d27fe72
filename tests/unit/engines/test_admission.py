from imgpool.engines._admission import WAITING, Admission

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
        assert book.place(fresh=False) is None
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
    first, *_ = fill(book)
    book.release(first.slot, [("more than all", 8 * GB + 1), ("unknown", None)])
    assert book.place(fresh=True).item is None
    assert book.place(fresh=False) is None
    for slot in range(6):
        assert book.place(fresh=False) is None
        book.release(slot)
    alone = book.place(fresh=False)
    assert (alone.item, alone.allowance) == ("more than all", None)
    assert book.place(fresh=True) is None
    book.release(alone.slot)
    assert book.place(fresh=False).item == "unknown"


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
    book.release(grant.slot, [(number, None) for number in range(WAITING)])
    assert book.place(fresh=True).item == 0


def test_without_a_budget_there_are_no_limits():
    book = admission(budget=None)
    assert {grant.allowance for grant in fill(book)} == {None}
    assert book.place(fresh=True) is None  # no slot
