"""Files that other programs made of files: what still holds is kept, what is lost is told, and what lies is refused."""

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from imgpool.core.errors import ReadError
from imgpool.formats.jpeg import JPEG
from imgpool.formats.png import PNG
from imgpool.formats.tiff import TIFF
from tests.support.tools import run_tool

PLANE = np.random.default_rng(0).integers(0, 60000, (20, 30), np.uint16)
KEYWORD = b"\x1c\x02\x19\0\x03cat"  # IPTC record 2, data set 25


def convert(*arguments):
    run_tool("convert", *arguments)


@pytest.mark.parametrize(
    ("change", "shape"),
    [(["-crop", "10x12+3+4", "+repage"], (12, 10)), (["-alpha", "set"], (20, 30, 2)), (["-resize", "200%"], (40, 60))],
    ids=str,
)
def test_a_shape_that_another_program_outdated_is_no_damage(tmp_path, change, shape):
    tifffile.imwrite(tmp_path / "a.tif", PLANE)
    convert(tmp_path / "a.tif", *change, tmp_path / "b.tif")
    assert b'{"shape"' in (tmp_path / "b.tif").read_bytes()
    image = TIFF.read(tmp_path / "b.tif")
    assert (image.pixels.shape, image.metadata.description) == (shape, "")


def test_more_pages_than_the_first_one_says_are_all_read(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PLANE)
    convert(tmp_path / "a.tif", tmp_path / "a.tif", "-compress", "LZW", tmp_path / "b.tif")
    assert np.array_equal(TIFF.read(tmp_path / "b.tif").pixels, [PLANE, PLANE])


def test_frames_written_one_by_one_are_a_stack(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for frame in range(3):
            writer.write(PLANE + frame, contiguous=False, compression="lzw")
    image = TIFF.read(tmp_path / "a.tif")
    assert (image.axes, TIFF.properties(tmp_path / "a.tif").pages, image.metadata.description) == ("IYX", 3, "")
    assert np.array_equal(image.pixels, [PLANE, PLANE + 1, PLANE + 2])


def test_images_of_several_sizes_or_depths_are_no_stack(tmp_path):
    for other in (PLANE[:10], PLANE.astype(np.float32)):
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            writer.write(PLANE)
            writer.write(other)
        with pytest.raises(ReadError, match="contains 2 images"):
            TIFF.read(tmp_path / "a.tif")


def test_ome_xml_of_other_planes_is_refused_with_a_way_out(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", PLANE)
    convert(tmp_path / "a.ome.tif", "-resize", "50%", tmp_path / "b.ome.tif")
    with pytest.raises(ReadError, match="OME-XML does not fit") as refusal:
        TIFF.read(tmp_path / "b.ome.tif")
    assert "exiftool -ImageDescription=" in refusal.value.hint


def test_keywords_are_kept_in_a_tiff_and_missed_elsewhere(tmp_path):
    tags = [(33723, 7, len(KEYWORD), KEYWORD, True)]
    tifffile.imwrite(tmp_path / "a.tif", (PLANE >> 8).astype(np.uint8), metadata=None, extratags=tags)
    image = TIFF.read(tmp_path / "a.tif")
    assert TIFF.write(image, tmp_path / "b.tif") == ()
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert tiff.pages[0].tags[33723].value == KEYWORD
    assert PNG.write(image, tmp_path / "b.png") == JPEG.write(image, tmp_path / "b.jpg") == ("iptc",)


def test_a_photo_loses_its_keywords_not_unsaid(tmp_path):
    PillowImage.fromarray((PLANE >> 8).astype(np.uint8)).save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    body = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + len(KEYWORD).to_bytes(4, "big") + KEYWORD
    (tmp_path / "a.jpg").write_bytes(data[:2] + b"\xff\xed" + (len(body) + 2).to_bytes(2, "big") + body + data[2:])
    image = JPEG.read(tmp_path / "a.jpg")
    assert JPEG.write(image, tmp_path / "b.jpg") == ()
    assert KEYWORD in (tmp_path / "b.jpg").read_bytes()
    assert TIFF.write(image, tmp_path / "b.tif") == PNG.write(image, tmp_path / "b.png") == ("iptc",)


def test_an_interlaced_png_is_read_without_a_word(tmp_path, caplog):
    PillowImage.fromarray(PLANE).save(tmp_path / "a.png")
    convert(tmp_path / "a.png", "-interlace", "PNG", tmp_path / "b.png")
    assert np.array_equal(PNG.read(tmp_path / "b.png").pixels, PLANE)
    assert caplog.text == ""
