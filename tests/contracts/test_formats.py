"""Every format of the catalogue keeps the contract of formats; a new one is tested here without registration."""

import itertools

import numpy as np
import pytest

from imgpool.core.catalogue import FORMATS
from imgpool.core.errors import WriteError
from imgpool.core.image import Image
from imgpool.testing import FormatContract
from imgpool.testing.format_images import DTYPES, KINDS


class TestFormats(FormatContract):
    formats = tuple(FORMATS)


@pytest.mark.parametrize("format_", list(FORMATS), ids=lambda each: each.name)
def test_refusal_names_the_format(format_, tmp_path):
    for dtype, (axes, shape) in itertools.product(DTYPES, KINDS):
        image = Image(np.zeros(shape, dtype), axes)
        if not format_.can_hold(image.properties):
            with pytest.raises(WriteError) as refusal:
                format_.write(image, tmp_path / "a")
            assert f"{format_.name.upper()} cannot store" in refusal.value.message
