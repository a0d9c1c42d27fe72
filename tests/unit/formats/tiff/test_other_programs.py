"""TIFF files that other programs changed, and metadata of other programs."""

import numpy as np
import pytest
import tifffile

from imgpool.core.errors import ReadError
from imgpool.formats.jpeg import JPEG
from imgpool.formats.png import PNG
from imgpool.formats.tiff import TIFF
from tests.support.photos import KEYWORD
from tests.support.tools import run_tool

PLANE = np.random.default_rng(0).integers(0, 60000, (20, 30), np.uint16)


@pytest.mark.parametrize(
    ("change", "shape"),
    [(["-crop", "10x12+3+4", "+repage"], (12, 10)), (["-alpha", "set"], (20, 30, 2)), (["-resize", "200%"], (40, 60))],
    ids=str,
)
def test_shape_that_another_program_changed_is_ignored(tmp_path, change, shape):
    tifffile.imwrite(tmp_path / "a.tif", PLANE)
    run_tool("convert", tmp_path / "a.tif", *change, tmp_path / "b.tif")
    assert b'{"shape"' in (tmp_path / "b.tif").read_bytes()
    image = TIFF.read(tmp_path / "b.tif")
    assert (image.pixels.shape, image.metadata.description) == (shape, "")


def test_more_pages_than_declared_are_all_read(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PLANE)
    run_tool("convert", tmp_path / "a.tif", tmp_path / "a.tif", "-compress", "LZW", tmp_path / "b.tif")
    assert np.array_equal(TIFF.read(tmp_path / "b.tif").pixels, [PLANE, PLANE])


def test_frames_written_one_by_one_are_a_stack(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for frame in range(3):
            writer.write(PLANE + frame, contiguous=False, compression="lzw")
    image = TIFF.read(tmp_path / "a.tif")
    assert (image.axes, TIFF.properties(tmp_path / "a.tif").pages, image.metadata.description) == ("IYX", 3, "")
    assert np.array_equal(image.pixels, [PLANE, PLANE + 1, PLANE + 2])


def test_images_of_different_sizes_or_types_are_refused(tmp_path):
    for other in (PLANE[:10], PLANE.astype(np.float32)):
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            writer.write(PLANE)
            writer.write(other)
        with pytest.raises(ReadError, match="contains 2 images"):
            TIFF.read(tmp_path / "a.tif")


def test_ome_xml_of_other_planes_is_refused_with_a_hint(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", PLANE)
    run_tool("convert", tmp_path / "a.ome.tif", "-resize", "50%", tmp_path / "b.ome.tif")
    with pytest.raises(ReadError, match="OME-XML does not fit") as refusal:
        TIFF.read(tmp_path / "b.ome.tif")
    assert "exiftool -ImageDescription=" in refusal.value.hint


def test_iptc_is_kept_in_tiff_and_reported_elsewhere(tmp_path):
    tags = [(33723, 7, len(KEYWORD), KEYWORD, True)]
    tifffile.imwrite(tmp_path / "a.tif", (PLANE >> 8).astype(np.uint8), metadata=None, extratags=tags)
    image = TIFF.read(tmp_path / "a.tif")
    assert TIFF.write(image, tmp_path / "b.tif") == ()
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert tiff.pages[0].tags[33723].value == KEYWORD
    assert PNG.write(image, tmp_path / "b.png") == JPEG.write(image, tmp_path / "b.jpg") == ("iptc",)
