"""The filter keeps the contract, and does what its name says."""

import numpy as np
from imgpool_posterize import posterize

from imgpool.plugins import Image
from imgpool.testing import FilterContract


class TestPosterize(FilterContract):
    filters = (posterize,)


def test_result_has_as_many_levels_as_asked_for():
    ramp = Image.from_array(np.arange(256, dtype=np.uint8).reshape(16, 16))
    assert np.unique(posterize(ramp, levels=5).pixels).tolist() == [0, 64, 128, 191, 255]
