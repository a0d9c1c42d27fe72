"""Options of engines."""

import pytest

from imgpool.core.engine import EngineOptions
from imgpool.core.errors import UsageError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers must be at least 1"),
        ({"chunksize": 0}, "chunksize must be at least 1"),
        ({"chunksize": -1}, "chunksize must be at least 1"),
        ({"workers": 4, "max_workers": 3}, "max_workers must not be less than workers"),
        ({"timeout": 0.0}, "timeout must be more than 0 s"),
    ],
)
def test_invalid_options_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        EngineOptions(**options)
