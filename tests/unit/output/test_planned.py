"""Hashes of planned targets."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from imgpool.output.planned import are_among


@given(st.lists(st.integers(0, 9)), st.lists(st.integers(0, 9)))
def test_hashes_among_others_are_found(hashes, others):
    found = are_among(np.array(hashes, np.uint64), np.array(others, np.uint64))
    assert found.tolist() == [each in others for each in hashes]
