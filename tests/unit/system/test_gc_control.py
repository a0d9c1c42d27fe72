"""Garbage collection is postponed during start-up and resumes with the work: uncollected images would fill memory."""

import gc
import weakref

import pytest

from imgpool.system.gc_control import gc_paused, pause_gc, resume_gc


class Node:
    pass


def reference_cycle():
    node = Node()
    node.itself = node
    return weakref.ref(node)


def allocate(count=50_000):
    return [[] for _ in range(count)]


@pytest.fixture(autouse=True)
def _restored():
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


def test_cycles_are_collected_only_after_resuming():
    pause_gc()
    before = reference_cycle()
    allocate()
    assert before() is not None
    resume_gc()
    after = reference_cycle()
    allocate()
    assert after() is None


@pytest.mark.parametrize("enabled", [True, False])
def test_paused_context_restores_the_state_before(enabled):
    was_enabled = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with gc_paused():
            assert not gc.isenabled()
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()
