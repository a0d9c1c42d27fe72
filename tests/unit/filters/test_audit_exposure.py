"""What is only clipped is clipped."""

import numpy as np
import pytest

from imgpool.core.image import Image
from imgpool.filters.exposure import rescale_intensity


@pytest.mark.parametrize(("dtype", "value", "clipped"), [
    ("uint16", 40000, 1000), ("uint16", 5, 100), ("float32", 2.5, 100), ("int16", -7, 100), ("float32", 500, 500),
])  # fmt: skip
def test_a_constant_image_is_clipped_to_the_two_levels_asked_for(dtype, value, clipped):
    """As by scikit-image, which has no range to stretch either."""
    image = Image(np.full((4, 5), value, dtype), "YX")
    assert np.unique(rescale_intensity(image, out_range="100..1000").pixels).tolist() == [clipped]
