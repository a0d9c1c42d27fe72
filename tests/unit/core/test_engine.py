import pytest

from imgpool.core.engine import EngineOptions
from imgpool.core.errors import UsageError


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"chunksize": 0}])
def test_options_that_cannot_be(wrong):
    with pytest.raises(UsageError, match="at least one"):
        EngineOptions(**wrong)
