"""Filters that look at one pixel at a time: by table where a dtype has few values."""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import Floats, restore, working_dtype

TABLE_BYTES = 2  # a table of 65,536 values is cheap, one of 2**32 is not

OPENCV_TABLES = {"uint8", "int8", "uint16", "int16", "float32", "float64"}  # dtypes that it looks up, 7 times faster


def map_values(function: Callable[[Floats], Floats], pixels: Pixels, dtype: np.dtype[Any]) -> Pixels:
    """Apply `function` to every value, then round and clip to `dtype`.

    Parameters
    ----------
    function
        Takes floats of any shape and returns as many; may change them in place. It is called with every value
        that the pixels' dtype has, where those are few (NaN and infinities among them, for float16).
    pixels
        Integers or floats of any shape; not changed.
    """
    if pixels.dtype.itemsize > TABLE_BYTES:
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
        with contextlib.suppress(cv2.error):  # before OpenCV 4.13, of 16 bits
            return np.asarray(cv2.LUT(indices.reshape(len(indices), -1), table)).reshape(indices.shape)
    found: Pixels = table[indices]
    return found
