"""TIFFs whose planes are fewer than their header declares: refused by the header, in words that help."""

import re

import numpy as np
import pytest
import tifffile

from imgpool.core.errors import ReadError
from imgpool.formats.tiff import TIFF

STACK = np.random.default_rng(1).integers(1, 4096, (3, 2, 2, 24, 31), np.uint16)


def plane(number):
    return f'<TiffData IFD="{number}" FirstT="{number // 4}" FirstZ="{number // 2 % 2}" FirstC="{number % 2}"/>'


def ome(path, told, there):
    """An OME-TIFF of 12 planes, whose XML tells where these are, and whose file holds so many."""
    tifffile.imwrite(path, STACK, ome=True, metadata={"axes": "TZCYX"})
    with tifffile.TiffFile(path) as tiff:
        xml = re.sub("<TiffData[^>]*/>", "".join(map(plane, told)), tiff.ome_metadata)
    with tifffile.TiffWriter(path) as writer:
        for number, page in enumerate(STACK.reshape(-1, 24, 31)[:there]):
            said = {"description": xml if number == 0 else None, "metadata": None}
            writer.write(page, contiguous=False, photometric="minisblack", **said)


@pytest.mark.parametrize(
    ("told", "there"), [(range(12), 11), (range(11), 11), (range(11), 12), ([*range(5), *range(6, 12)], 12)]
)
def test_a_plane_that_ome_declares_and_nobody_holds_is_missed(told, there, tmp_path):
    ome(tmp_path / "a.ome.tif", told, there)
    for look in (TIFF.properties, TIFF.read):
        with pytest.raises(ReadError, match="declares 12 planes, and holds 11"):
            look(tmp_path / "a.ome.tif")


def test_planes_behind_one_directory_are_counted_before_memory_is_taken(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack", truncate=True)
    assert TIFF.properties(path).pages == 12
    path.write_bytes(path.read_bytes()[:-5000])
    for look in (TIFF.properties, TIFF.read):
        with pytest.raises(ReadError, match="truncated: at most 72% of the file is present"):
            look(path)


@pytest.mark.parametrize("shape", [(0,), (3, 2, 2, 31, 24)])
def test_another_array_than_was_declared_is_no_image(shape, tmp_path, monkeypatch):
    """tifffile makes an empty array of some broken files."""
    tifffile.imwrite(tmp_path / "a.tif", STACK, photometric="minisblack")
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", lambda *_given, **_named: np.zeros(shape, np.uint16))
    with pytest.raises(ReadError, match="declares pixels of shape"):
        TIFF.read(tmp_path / "a.tif")
