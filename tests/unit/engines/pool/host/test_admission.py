from imgpool.engines.pool.host.admission import MAX_EXCLUSIVE_PER_WORKER, MAX_WAITING_PER_WORKER, Admission

GB = 2**30


def admission(budget=8 * GB, workers=2, slots=6):
    return Admission(budget, workers, slots)


def fill(memory):
    """Start all fresh chunks that may start."""
    grants = []
    while grant := memory.next_grant(fresh=True):
        grants.append(grant)
    return grants


def test_fresh_chunks_get_a_share_each_while_slots_are_free():
    memory = admission()
    grants = fill(memory)
    assert [(grant.slot, grant.allowance, grant.item) for grant in grants] == [
        (slot, 4 * GB, None) for slot in range(6)
    ]
    memory.release(3)
    assert memory.next_grant(fresh=True).slot == 3


def test_admission_is_busy_while_a_chunk_is_under_way():
    memory = admission()
    assert not memory.busy
    assert memory.next_grant(fresh=False) is None
    grant = memory.next_grant(fresh=True)
    assert memory.busy
    memory.release(grant.slot)
    assert not memory.busy


def test_large_task_gets_its_turn_beside_small_ones():
    memory = admission()
    first, *others = fill(memory)
    memory.release(first.slot, [("big", 5 * GB)])
    for grant in others:
        beside = memory.next_grant(fresh=True)
        assert (beside.allowance, beside.item) == (3 * GB, None)
        memory.release(grant.slot)
    assert memory.next_grant(fresh=True).item == "big"
    assert memory.busy


def test_largest_task_that_fits_goes_first():
    memory = admission()
    grant = memory.next_grant(fresh=True)
    memory.release(grant.slot, [("five", 5 * GB), ("four", 4 * GB + 1), ("eight", 8 * GB), ("six", 6 * GB)])
    for name in ("eight", "six", "five", "four"):
        grant = memory.next_grant(fresh=False)
        assert grant.item == name
        memory.release(grant.slot)
    assert not memory.busy


def test_task_that_needs_most_memory_does_not_block_others():
    memory = admission()
    first, *_ = fill(memory)
    memory.release(first.slot, [("nearly all", 8 * GB - 1)])
    assert memory.next_grant(fresh=True).allowance == 4 * GB


def test_fresh_chunk_waits_where_hardly_any_memory_is_left():
    memory = admission()
    memory.release(memory.next_grant(fresh=True).slot, [("nearly all", 8 * GB - 1)])
    assert memory.next_grant(fresh=True).item == "nearly all"
    assert memory.next_grant(fresh=True) is None


def test_task_beyond_the_budget_runs_alone_and_last():
    memory = admission()
    first, *others = fill(memory)
    memory.release(first.slot, [("more than all", 8 * GB + 1), ("unknown", None)])
    assert memory.next_grant(fresh=True).item is None
    assert memory.next_grant(fresh=False) is None
    for grant in (first, *others):
        memory.release(grant.slot)
    again = memory.next_grant(fresh=False)
    assert (again.item, again.allowance) == ("more than all", 4 * GB)
    assert memory.next_grant(fresh=False) is None
    memory.release(again.slot, [(again.item, 8 * GB + 1)])
    alone = memory.next_grant(fresh=False)
    assert (alone.item, alone.allowance) == ("more than all", None)
    assert memory.next_grant(fresh=True) is None
    memory.release(alone.slot)
    assert memory.next_grant(fresh=False).item == "unknown"


def test_waiting_task_is_retried_for_an_idle_worker():
    memory = admission()
    first, second, third, fourth = (memory.next_grant(fresh=True) for _ in range(4))
    memory.release(first.slot, [("six", 6 * GB)])
    memory.release(second.slot, [("eleven", 11 * GB)])
    assert memory.next_grant(fresh=False) is None  # nothing is done yet
    memory.release(third.slot)
    for name, room in (("six", 2 * GB), ("eleven", 4 * GB)):
        again = memory.next_grant(fresh=False)
        assert (again.item, again.allowance) == (name, room)
        assert memory.next_grant(fresh=False) is None  # no worker is idle
        memory.release(again.slot, [(name, 11 * GB)])
    assert memory.next_grant(fresh=False) is None  # both were asked
    memory.release(fourth.slot)
    assert memory.next_grant(fresh=False).allowance == 4 * GB


def test_task_with_unknown_need_is_not_retried():
    memory = admission()
    first, second, third = (memory.next_grant(fresh=True) for _ in range(3))
    memory.release(first.slot, [("unknown", None)])
    memory.release(second.slot)
    assert memory.next_grant(fresh=False) is None
    memory.release(third.slot)
    assert memory.next_grant(fresh=False).allowance is None


def test_task_that_asks_for_what_it_had_runs_alone():
    memory = admission()
    grant = memory.next_grant(fresh=True)
    memory.release(grant.slot, [("odd", grant.allowance)])
    assert memory.next_grant(fresh=False).allowance is None


def test_single_worker_gets_the_whole_budget():
    memory = admission(workers=1, slots=3)
    assert memory.next_grant(fresh=True).allowance == 8 * GB


def test_exclusive_tasks_run_before_too_many_wait():
    memory = admission()
    grant = memory.next_grant(fresh=True)
    memory.release(grant.slot, [(number, None) for number in range(2 * MAX_EXCLUSIVE_PER_WORKER)])
    assert memory.next_grant(fresh=True).item == 0


def test_large_tasks_run_before_too_many_wait():
    memory = admission()
    first, second, *_ = fill(memory)
    memory.release(first.slot, [(number, 5 * GB) for number in range(2 * MAX_WAITING_PER_WORKER - 1)])
    assert memory.next_grant(fresh=True).item is None
    memory.release(second.slot, [("one more", 5 * GB)])
    assert memory.next_grant(fresh=True) is None


def test_exclusive_task_runs_alone_with_and_without_a_budget():
    for budget in (8 * GB, None):
        memory = admission(budget=budget)
        memory.add_exclusive("suspect")
        others = fill(memory)
        assert {grant.item for grant in others} == {None}
        for grant in others:
            assert memory.next_grant(fresh=False) is None
            memory.release(grant.slot)
        alone = memory.next_grant(fresh=True)
        assert alone.item is None
        memory.release(alone.slot)
        alone = memory.next_grant(fresh=False)
        assert (alone.item, alone.allowance) == ("suspect", None)
        assert memory.next_grant(fresh=True) is None


def test_without_a_budget_there_are_no_limits():
    memory = admission(budget=None)
    assert {grant.allowance for grant in fill(memory)} == {None}
    assert memory.next_grant(fresh=True) is None  # no slot
