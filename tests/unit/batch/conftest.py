"""Folders of images for the tests of `imgpool.batch`."""

import pytest

from tests.support.small_runs import write_png


@pytest.fixture
def photos(tmp_path):
    """Three images of different size, one in a sub-folder."""
    for name, side in (("b.png", 8), ("trip/a.png", 64), ("z.png", 32)):
        write_png(tmp_path / "photos" / name, side)
    return tmp_path / "photos"
