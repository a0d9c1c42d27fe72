"""Garbage is looked for again once the work begins: images that it holds would fill the memory."""

import gc
import weakref

import pytest

from imgpool.system.gc_control import pause_gc, resume_gc


class Node:
    pass


def in_a_circle():
    node = Node()
    node.itself = node
    return weakref.ref(node)


def fill(count=50_000):
    return [[] for _ in range(count)]


@pytest.fixture(autouse=True)
def _as_it_was():
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


def test_none_is_looked_for_until_it_is_again():
    pause_gc()
    before = in_a_circle()
    fill()
    assert before() is not None
    resume_gc()
    after = in_a_circle()
    fill()
    assert after() is None
