import subprocess
import sys

import pytest

from imgpool.system import memory_limit as _memory_limit
from imgpool.system.memory_limit import MAPPED, MemoryLimit

resource = pytest.importorskip("resource")

SCRIPT = """
from imgpool.system.memory_limit import MemoryLimit

limit = MemoryLimit(1 << 30)

def fits(nbytes):
    try:
        return bool(bytearray(nbytes))
    except MemoryError:
        return False

for allowance in (400 << 20, None, 100 << 20):
    limit.set(allowance)
    print(fits(300 << 20), fits(700 << 20), fits(1300 << 20))
"""


def test_an_allocation_beyond_the_allowance_is_a_memory_error():
    out = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
    assert out.splitlines() == ["True False False", "True True False", "False False False"]


@pytest.fixture
def asked(monkeypatch):
    """The limits that were asked for, instead of setting them."""
    asked = []
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: asked.append((kind, limits[0])))
    monkeypatch.setattr(_memory_limit, "_address_space", lambda: 1000)
    return asked


def test_a_limit_is_set_when_it_changes(asked):
    limit = MemoryLimit(800)
    for allowance in (500, 500, None, 800, 500):
        limit.set(allowance)
    assert asked == [(resource.RLIMIT_AS, 1000 + MAPPED + nbytes) for nbytes in (500, 800, 500)]


def test_without_a_budget_nothing_is_limited(asked):
    MemoryLimit(None).set(None)
    assert asked == []


@pytest.mark.parametrize("error", [ValueError("current limit exceeds maximum limit"), OSError(22, "Invalid argument")])
def test_a_system_that_takes_no_limit_still_gets_its_worker(monkeypatch, error):
    def setrlimit(_kind, _limits):
        raise error

    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    MemoryLimit(1 << 30).set(None)
