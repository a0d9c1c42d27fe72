"""Limits on the size of images: the number of pixels and the available memory, never the size of the file."""

import numpy as np
import pytest

from imgpool.core.errors import ReadError
from imgpool.core.failures import lacks_memory
from imgpool.core.image import Properties
from imgpool.core.limits import ALWAYS_ALLOWED_BYTES, check_limits, check_memory


def flat(*shape, dtype="uint8", axes="YX"):
    return Properties(shape, np.dtype(dtype), axes)


def unavailable():
    raise AssertionError("the available memory was looked up")


def test_too_many_pixels_are_refused_with_a_hint():
    check_limits(flat(10, 10), 100)
    with pytest.raises(ReadError, match=r'101 pixels and is larger than `max_pixels="100"`') as caught:
        check_limits(flat(1, 101), 100)
    assert "`max_pixels`" in caught.value.hint
    assert "damaged" not in str(caught.value)


def test_limit_counts_pages_but_not_samples():
    check_limits(flat(10, 10, 3, axes="YXS"), 100)
    with pytest.raises(ReadError, match="200 pixels"):
        check_limits(flat(2, 10, 10, axes="ZYX"), 100)


def test_pixels_beyond_the_memory_are_refused_with_figures():
    properties = flat(2, ALWAYS_ALLOWED_BYTES)
    check_memory(properties, lambda: properties.nbytes)
    with pytest.raises(ReadError, match="not enough memory: its pixels need 537 MB, and") as caught:
        check_memory(properties, lambda: properties.nbytes - 1)
    assert "damaged" not in str(caught.value)
    assert lacks_memory(caught.value)


def test_memory_is_not_looked_up_for_small_images():
    check_memory(flat(ALWAYS_ALLOWED_BYTES), unavailable)
