"""Quantities survive the conversion to text and back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgpool.core.quantity import MICROMETRES, Area, Length, Range

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=1e-12, max_value=1e12)
BLANKS = st.text(" \t", max_size=2)


@given(NUMBERS, st.sampled_from(["px", "um"]), st.sampled_from([Length, Area]))
def test_length_and_area_survive_conversion_to_text(value, unit, kind):
    quantity = kind(value, unit)
    assert kind.parse(str(quantity)) == quantity
    assert str(kind.parse(str(quantity))) == str(quantity)


@given(POSITIVE, st.sampled_from(sorted(MICROMETRES)), BLANKS, BLANKS, BLANKS)
def test_length_is_its_number_times_its_unit(number, unit, before, between, after):
    length = Length.parse(f"{before}{number!r}{between}{unit}{after}")
    assert length.unit == "um"
    assert math.isclose(length.value, number * MICROMETRES[unit], rel_tol=1e-15)


@given(st.integers(1, 10**6))
def test_nanometres_are_exactly_thousandths_of_micrometres(nanometres):
    assert Length.parse(f"{nanometres}nm") == Length.parse(f"{nanometres / 1000!r}um")


@given(POSITIVE, st.sampled_from(sorted(MICROMETRES)))
def test_area_is_its_number_times_its_unit_squared(number, unit):
    area = Area.parse(f"{number!r}{unit}2")
    assert math.isclose(area.value, number * MICROMETRES[unit] ** 2, rel_tol=1e-14)
    assert Area.parse(f"{number!r}{unit}²") == area


@given(NUMBERS, NUMBERS)
def test_range_of_grey_levels_survives_or_is_refused(low, high):
    if low < high:
        parsed = Range.parse((low, high))
        assert (parsed.low, parsed.high, parsed.percent) == (low, high, False)
        assert Range.parse(str(parsed)) == parsed
    else:
        with pytest.raises(ValueError, match="lower to a higher"):
            Range.parse((low, high))


@given(st.floats(-1, 101), st.floats(-1, 101))
def test_range_of_percentiles_survives_or_is_refused(low, high):
    text = f"{low!r}%..{high!r}%"
    if 0 <= low < high <= 100:
        assert Range.parse(text) == Range(low, high, percent=True)
        assert Range.parse(str(Range.parse(text))) == Range.parse(text)
    else:
        with pytest.raises(ValueError, match="lower to a higher"):
            Range.parse(text)


@given(st.text(max_size=12), st.sampled_from([Length, Area, Range]))
def test_any_text_is_a_quantity_or_a_value_error(text, kind):
    try:
        quantity = kind.parse(text)
    except ValueError:
        return
    assert str(kind.parse(str(quantity))) == str(quantity)


@given(st.from_regex(r"[-+]?[0-9]{1,3}(\.[0-9]{0,3})?([eE][-+]?[0-9]{1,4})?(px|nm|um|mm|um2|%)?", fullmatch=True))
def test_any_number_with_a_unit_is_a_quantity_or_a_value_error(text):
    for kind in (Length, Area):
        try:
            quantity = kind.parse(text)
        except ValueError:
            continue
        assert str(kind.parse(str(quantity))) == str(quantity)
