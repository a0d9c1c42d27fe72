"""Two scales of one test: a short one for every day, and the long one of `make torture`."""

import pytest

HOUR = 3600


def scaled(names, *, short, long):
    """Parametrize a test with tuples of values, those of `long` under the marker ``torture``."""
    marks = [pytest.mark.torture, pytest.mark.timeout(HOUR)]
    return pytest.mark.parametrize(names, [*short, *(pytest.param(*values, marks=marks) for values in long)])
