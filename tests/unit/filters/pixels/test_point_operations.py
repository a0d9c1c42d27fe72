"""Lookup tables give the same result as computing every value."""

import itertools

import numpy as np
import pytest

from imgpool.core.dtypes import restore
from imgpool.filters._pixels.point_operations import map_values

SMALL = ["uint8", "int8", "uint16", "int16", "float16"]
RESULTS = ["uint8", "int16", "uint16", "uint32", "int64", "float16", "float32", "float64"]


def curve(values):
    with np.errstate(invalid="ignore", over="ignore"):
        return np.sqrt(np.nan_to_num(np.abs(values), nan=0, posinf=9, neginf=9)) * 3.3 - 7


@pytest.mark.parametrize(("source", "result"), list(itertools.product(SMALL, RESULTS)))
@pytest.mark.parametrize("shape", [(300, 260), (2, 200, 200), (100, 300, 3)])
def test_lookup_table_equals_computation(source, result, shape):
    bits = np.random.default_rng(2).integers(0, 256, (*shape, np.dtype(source).itemsize), np.uint8)
    pixels = bits.view(source)[..., 0]
    before = pixels.copy()
    found = map_values(curve, pixels, np.dtype(result))
    assert found.dtype == result
    np.testing.assert_array_equal(found, restore(curve(pixels.astype("f8")), np.dtype(result)))
    np.testing.assert_array_equal(pixels, before)
    assert map_values(curve, pixels[::2, ::-1], np.dtype(result)).shape == pixels[::2].shape
