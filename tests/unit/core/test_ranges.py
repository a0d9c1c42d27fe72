import numpy as np
import pytest

from imgpool.core.errors import UsageError
from imgpool.core.ranges import INTEGERS, TIMEOUT, check_integer, check_timeout


@pytest.mark.parametrize("name", INTEGERS)
def test_both_ends_of_a_range_are_accepted(name):
    least, greatest = INTEGERS[name]
    for value in (least, greatest, np.int64(greatest)):
        check_integer(name, value)
    for value in (least - 1, greatest + 1, 2**64, 10**5000):
        with pytest.raises(UsageError, match=f"`{name}`"):
            check_integer(name, value)


@pytest.mark.parametrize("value", [2.5, float("nan"), float("inf"), "4", True, [4]])
def test_other_types_are_no_integer(value):
    with pytest.raises(UsageError, match="`workers` must be an integer"):
        check_integer("workers", value)


@pytest.mark.parametrize("value", [0, 1.5, TIMEOUT.greatest, np.float32(2)])
def test_seconds_are_accepted(value):
    check_timeout(value)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), 1e16, 10**400, "60", None, True])
def test_other_values_are_no_timeout(value):
    with pytest.raises(UsageError, match="`timeout`"):
        check_timeout(value)


@pytest.mark.parametrize(
    ("name", "value", "message", "hint"),
    [
        ("workers", 0, "`workers` is 0", "use 1 or more"),
        ("workers", 10**6, "`workers` is 1000000", "use 4,096 or less"),
        (
            "max_memory",
            8,
            "`max_memory` is 8 bytes, which is too little for any image",
            'give the unit, for example `max_memory="8GiB"`; the least is 16MiB',
        ),
        ("max_memory", 10**30, "`max_memory` is more than any machine has", 'for example `max_memory="8GiB"`'),
        ("chunksize", 10**60, f"`chunksize` is 1{'0' * 39}…", "use 1,000,000,000 or less"),
    ],
)
def test_refusal_says_what_is_possible(name, value, message, hint):
    with pytest.raises(UsageError) as refusal:
        check_integer(name, value)
    assert (refusal.value.message, refusal.value.hint) == (message, hint)


def test_number_that_python_does_not_print_is_refused():
    with pytest.raises(UsageError, match="`chunksize` is a number with thousands of digits"):
        check_integer("chunksize", 10**5000)
