"""Conversion between dtypes: rounding, clipping and precision."""

import numpy as np
import pytest

from imgpool.core.dtypes import MAX_EXACT_INTEGER, check_numeric, full_scale, restore, to_float, working_dtype
from imgpool.core.errors import FilterError


def test_integers_are_rounded_halves_to_even():
    assert restore(np.array([0.5, 1.5, 2.4, 2.6]), np.dtype("uint8")).tolist() == [0, 2, 2, 3]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"])
@pytest.mark.parametrize("floats", ["float32", "float64"])
def test_integers_are_clipped_and_never_wrapped(dtype, floats):
    limits = np.iinfo(dtype)
    low, high = restore(np.array([-1e30, 1e30], floats), np.dtype(dtype))
    assert low == limits.min
    assert limits.max - limits.max // 2**23 <= high <= limits.max  # the largest that the floats can hold


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "int32"])
def test_smallest_and_largest_integers_are_preserved(dtype):
    limits = np.iinfo(dtype)
    extremes = np.array([limits.min, limits.max], dtype)
    assert np.array_equal(restore(to_float(extremes), np.dtype(dtype)), extremes)


def test_computed_integers_are_clipped_too():
    assert restore(np.array([-5, 44, 300]), np.dtype("uint8")).tolist() == [0, 44, 255]


def test_values_are_not_changed_in_place():
    values = np.array([0.4, 300.0])
    restore(values, np.dtype("uint8"))
    assert values.tolist() == [0.4, 300.0]


def test_float16_overflows_to_infinity_without_a_warning():
    assert restore(np.array([1e6], np.float32), np.dtype("float16"))[0] == np.inf


def test_16_bits_fit_float32_and_32_bits_do_not():
    assert working_dtype(np.dtype("uint16")) == working_dtype(np.dtype("float16")) == np.float32
    assert working_dtype(np.dtype("uint32")) == working_dtype(np.dtype("int64")) == np.float64


def test_white_is_the_largest_integer_or_one():
    assert [full_scale(np.dtype(name)) for name in ("uint8", "int16", "float32")] == [255, 32767, 1]


@pytest.mark.parametrize(("dtype", "remedy"), [("bool", "to_uint8"), ("complex64", "magnitude")])
def test_other_dtypes_are_refused_with_a_remedy(dtype, remedy):
    with pytest.raises(FilterError, match=f"blur needs integers or floats, and the image has {dtype}") as caught:
        check_numeric(np.zeros((2, 2), dtype), "blur")
    assert remedy in caught.value.hint


@pytest.mark.parametrize(("dtype", "value"), [("uint64", MAX_EXACT_INTEGER + 1), ("int64", -MAX_EXACT_INTEGER - 1)])
def test_integers_that_no_float_holds_are_refused_with_a_remedy(dtype, value):
    with pytest.raises(FilterError, match="2\\*\\*53") as caught:
        check_numeric(np.array([[value]], dtype), "blur")
    assert "rescale_intensity" in caught.value.hint
    check_numeric(np.array([[value - np.sign(value)]], dtype), "blur")  # one less is fine
