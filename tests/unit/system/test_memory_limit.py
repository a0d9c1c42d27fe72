import subprocess
import sys

import pytest

from imgpool.system.memory_limit import ADDRESS_SPACE_MARGIN_BYTES, MemoryLimit

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


def test_allocation_beyond_the_allowance_is_a_memory_error():
    out = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
    assert out.splitlines() == ["True False False", "True True False", "False False False"]


@pytest.fixture
def limits(monkeypatch):
    """Limits of the address space that were set; they do not take effect."""
    recorded = []
    monkeypatch.setattr(resource, "setrlimit", lambda _kind, values: recorded.append(values[0]))
    return recorded


def test_limit_is_set_when_it_changes(limits):
    limit = MemoryLimit(800)
    for allowance in (500, 500, None, 800, 500):
        limit.set(allowance)
    first = limits[0]
    assert first > ADDRESS_SPACE_MARGIN_BYTES + 500
    assert limits == [first, first + 300, first]


def test_without_a_budget_nothing_is_limited(limits):
    MemoryLimit(None).set(None)
    assert limits == []


@pytest.mark.parametrize("error", [ValueError("current limit exceeds maximum limit"), OSError(22, "Invalid argument")])
def test_system_that_refuses_a_limit_is_no_error(monkeypatch, error):
    def setrlimit(_kind, _limits):
        raise error

    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    MemoryLimit(1 << 30).set(None)
