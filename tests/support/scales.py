"""Two scales of a test: a short one for `make test`, and a long one for `make torture`."""

import pytest

TORTURE_TIMEOUT_S = 3600


def scaled(names, *, short, long):
    """Parametrize a test with tuples of values; those of `long` have the marker ``torture``."""
    marks = [pytest.mark.torture, pytest.mark.timeout(TORTURE_TIMEOUT_S)]
    return pytest.mark.parametrize(names, [*short, *(pytest.param(*values, marks=marks) for values in long)])
