"""What the last review of the nouns found."""

import numpy as np
import pytest

from imgpool.core.quantity import Area, Length


@pytest.mark.parametrize("kind", [Length, Area])
@pytest.mark.parametrize("number", [np.float64(2.5), np.float64(1e-9)])
def test_a_float_of_numpys_is_a_number_of_pixels(kind, number):
    assert kind.parse(number) == kind(float(number))
