"""What the last review of the workers found."""

import pytest

from imgpool.engines import _worker

resource = pytest.importorskip("resource")


@pytest.mark.parametrize("error", [ValueError("current limit exceeds maximum limit"), OSError(22, "Invalid argument")])
def test_a_system_that_takes_no_limit_still_gets_its_worker(monkeypatch, error):
    asked = []

    def setrlimit(kind, limits):
        asked.append((kind, limits))
        raise error

    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    _worker._limit_memory(1 << 30)
    assert [kind for kind, _ in asked] == [resource.RLIMIT_AS]
