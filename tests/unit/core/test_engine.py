import pytest

from imgpool.core.engine import EngineOptions
from imgpool.core.errors import UsageError


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"chunksize": 0}, {"chunksize": -1}, {"timeout": 0.0}])
def test_options_that_cannot_be(wrong):
    with pytest.raises(UsageError, match=r"at least one|some time"):
        EngineOptions(**wrong)
