"""Point operations: functions of a single value, applied with a lookup table where the dtype has few values."""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import Floats, restore, working_dtype

MAX_TABLE_ITEM_BYTES = 2
"""Largest item of a dtype for which a table of all values is cheap."""

OPENCV_TABLES = {"uint8", "int8", "uint16", "int16", "float32", "float64"}
"""Dtypes of tables that OpenCV looks up, 7 times as fast as NumPy."""


def map_values(function: Callable[[Floats], Floats], pixels: Pixels, dtype: np.dtype[Any]) -> Pixels:
    """Apply a function to every value, then round and clip the results to `dtype`.

    Parameters
    ----------
    function
        Maps floats of any shape to floats of the same shape, and may modify its argument. For a dtype with few
        values it may be called with all of them (for float16 including NaN and infinities) instead of the pixels.
    pixels
        Integers or floats of any shape; not modified.
    dtype
        Dtype of the result.
    """
    if pixels.dtype.itemsize > MAX_TABLE_ITEM_BYTES:
        floats = np.result_type(working_dtype(pixels.dtype), working_dtype(dtype))
        return restore(function(pixels.astype(floats)), dtype)
    patterns = np.dtype(f"u{pixels.dtype.itemsize}")
    count = np.iinfo(patterns).max + 1
    if pixels.size < count:
        return restore(function(pixels.astype(np.float64)), dtype)
    values = np.arange(count, dtype=patterns).view(pixels.dtype)
    table = restore(function(values.astype(np.float64)), dtype)
    return _look_up(table, np.ascontiguousarray(pixels).view(patterns))


def _look_up(table: Pixels, indices: Pixels) -> Pixels:
    import cv2

    if table.dtype.name in OPENCV_TABLES:
        with contextlib.suppress(cv2.error):  # OpenCV before 4.13 has no tables for 16 bits
            return np.asarray(cv2.LUT(indices.reshape(len(indices), -1), table)).reshape(indices.shape)
    found: Pixels = table[indices]
    return found
