"""Images whose result depends on the setup."""

import pytest

from imgpool.compare.bare_pool import PoolMethod
from imgpool.compare.differences import find_differences
from imgpool.compare.measurement import EngineSetup
from tests.support.comparisons import done, failed


@pytest.mark.parametrize(
    ("result", "how"),
    [
        (done(), ""),
        (done(sha256="ff"), "different bytes"),
        (failed(), "failed: read · ReadError; the serial run succeeded"),
        (None, "no result"),
    ],
)
def test_successful_image_has_the_same_bytes_everywhere(result, how):
    where = EngineSetup("pool", 2, 4)
    found = find_differences({"a": done()}, [(where, {"a": result} if result else {})])
    assert [each.how for each in found] == [how] * bool(how)
    assert all((each.source, each.where) == ("a", where) for each in found)


def test_failing_image_fails_in_the_same_way_everywhere():
    assert find_differences({"a": failed()}, [(PoolMethod("map"), {"a": failed()})]) == []
    (other,) = find_differences({"a": failed()}, [(PoolMethod("map"), {"a": failed(error="MemoryError")})])
    assert other.how == "failed: read · MemoryError; the serial run failed: read · ReadError"
    (better,) = find_differences({"a": failed()}, [(PoolMethod("map"), {"a": done()})])
    assert better.how == "succeeded; the serial run failed: read · ReadError"


def test_repeated_difference_is_listed_once():
    repeated = (EngineSetup("pool", 2), {"a": done(sha256="ff"), "b": done("b", "ff")})
    found = find_differences({"b": done("b"), "a": done()}, [repeated, repeated])
    assert [each.source for each in found] == ["a", "b"]
