"""TIFFs that are truncated, damaged or contradictory: an error that says so, and never other pixels."""

import logging
import re
import struct

import numpy as np
import pytest
import tifffile

from imgpool.core.errors import ReadError
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.formats.tiff import TIFF

STACK = np.random.default_rng(1).integers(0, 4096, (3, 2, 2, 24, 31), np.uint16)
COLOUR = np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)
FULL_STACK = np.random.default_rng(1).integers(1, 4096, (3, 2, 2, 24, 31), np.uint16)
"""A stack without a zero, so that a missing plane cannot be taken for a black one."""

CUTS = 43


def imagej(path):
    tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "TZCYX"})


def imagej_in_one_directory(path):
    tifffile.imwrite(path, STACK, imagej=True, truncate=True, metadata={"axes": "TZCYX"})


def ome(path):
    tifffile.imwrite(path, STACK, ome=True, metadata={"axes": "TZCYX"}, compression="zlib")


def lzw(path):
    tifffile.imwrite(path, COLOUR, photometric="rgb", compression="lzw", metadata=None, rowsperstrip=8)


def pages(path):
    tifffile.imwrite(path, STACK.reshape(12, 24, 31), metadata=None, photometric="minisblack")


def shaped(path):
    tifffile.imwrite(path, STACK, photometric="minisblack", tile=(16, 16))


def bigtiff(path):
    tifffile.imwrite(path, STACK[0, 0], bigtiff=True, byteorder=">", metadata=None, photometric="minisblack")


def jpeg(path):
    tifffile.imwrite(path, COLOUR, photometric="rgb", compression="jpeg", metadata=None, rowsperstrip=16)


def own_with_everything(path):
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    metadata = Metadata(icc=b"p" * 500, exif=exif, description="text", channel_names=("a", "b"), flavour="ome")
    TIFF.write(Image(STACK, "TZCYX", PixelSize(1, 1, 1), metadata), path)


WRITERS = [imagej, imagej_in_one_directory, ome, lzw, pages, shaped, bigtiff, jpeg, own_with_everything]


def outcome(path):
    """The image, or the `ReadError`; any other exception fails the test."""
    try:
        return TIFF.read(path)
    except ReadError as error:
        return error


@pytest.mark.parametrize("make", WRITERS)
def test_every_truncation_is_noticed(make, tmp_path, capfd, caplog):
    path = tmp_path / "a.tif"
    make(path)
    data, whole = path.read_bytes(), TIFF.read(path)
    for cut in [*(len(data) * part // CUTS for part in range(CUTS)), len(data) - 1, len(data) - 2, 8, 9, 16]:
        path.write_bytes(data[:cut])
        found = outcome(path)
        if isinstance(found, Image):
            assert found.properties == whole.properties, cut
            np.testing.assert_array_equal(found.pixels, whole.pixels)
            assert cut > len(data) * 0.9
        else:
            assert found.hint
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_truncated_file_says_how_much_is_present(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((100, 100), np.uint8), metadata=None)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 61 // 100])
    with pytest.raises(ReadError, match="truncated: at most 61% of the file is present") as error:
        TIFF.read(path)
    assert "copy it again" in error.value.hint


def test_truncated_stack_names_the_page(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for page in STACK.reshape(12, 24, 31):
            writer.write(page, contiguous=False, metadata=None)
    with tifffile.TiffFile(path) as tiff:
        seventh = tiff.pages[6].dataoffsets[0]
    path.write_bytes(path.read_bytes()[: seventh + 5])
    with pytest.raises(ReadError, match="truncated: the file ends in page 7"):
        TIFF.read(path)


@pytest.mark.parametrize("make", WRITERS)
def test_changed_bytes_give_an_image_or_a_read_error(make, tmp_path, capfd):
    path = tmp_path / "a.tif"
    make(path)
    data = path.read_bytes()
    random = np.random.default_rng(7)
    for trial in range(100):
        broken = bytearray(data)
        where = int(random.integers(0, len(data) if trial % 2 else min(600, len(data))))
        broken[where] = int(random.integers(0, 256))
        path.write_bytes(broken)
        found = outcome(path)
        assert isinstance(found, Image) or "\n" not in str(found)
    assert capfd.readouterr() == ("", "")


def directory(entries, following=0):
    """A little-endian directory at byte 8 of a file."""
    lines = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + lines + struct.pack("<I", following)


def header_only(width=10, height=10, **changes):
    """The tags of a grey picture whose one strip lies at byte 400."""
    tags = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 273: (4, 1, 400),
            277: (3, 1, 1), 278: (4, 1, height), 279: (4, 1, 100)}  # fmt: skip
    tags |= {int(tag.removeprefix("tag")): value for tag, value in changes.items()}
    return directory([(tag, *value) for tag, value in tags.items() if value]).ljust(400, b"\0") + bytes(range(100))


def test_minimal_file_is_valid(tmp_path):
    (tmp_path / "a.tif").write_bytes(header_only())
    assert TIFF.read(tmp_path / "a.tif").pixels.ravel().tolist() == list(range(100))


def test_forged_size_of_a_tiff_shows_in_its_properties(tmp_path):
    """A codec without a bound can expand a few bytes to any size."""
    path = tmp_path / "a.tif"
    path.write_bytes(header_only(65535, 65535, tag259=(3, 1, 50000)))
    properties = TIFF.properties(path)
    assert properties.shape == (65535, 65535)
    assert properties.pixel_count == properties.nbytes == 65535**2


@pytest.mark.parametrize(("compression", "ratio"), [(5, 3641), (8, 1032), (32773, 64), (32946, 1032)])
def test_plane_beyond_the_bound_of_its_codec_is_damaged(tmp_path, compression, ratio):
    path = tmp_path / "a.tif"
    path.write_bytes(header_only(ratio, 100, tag259=(3, 1, compression)))
    assert TIFF.properties(path).shape in {(100, ratio), (ratio, 100)}
    path.write_bytes(header_only(ratio, 101, tag259=(3, 1, compression)))
    with pytest.raises(ReadError, match="far too little data for its size"):
        TIFF.properties(path)


@pytest.mark.parametrize(("changes", "message"), [
    ({"tag273": (4, 1, 0)}, "1 of the 1 strips"),
    ({"tag279": (4, 1, 0)}, "1 of the 1 strips"),
    ({"tag273": (4, 1, 401)}, "truncated: at most 99%"),
    ({"tag273": (4, 1, 2**31)}, "far beyond its end"),
    ({"tag273": (4, 2, 2**31)}, "far beyond its end"),
    ({"tag273": (4, 2**31, 2**31)}, "far beyond its end"),
    ({"tag273": (2, 1, 400)}, "tag 273 is of the wrong type"),
    ({"tag273": (3, 2, 400 + (402 << 16))}, "2 strips or tiles, but the lengths of 1"),
    ({"tag279": (4, 1, 99)}, "99 bytes of the 100"),
    ({"tag278": (4, 1, 5)}, "1 of the 2 strips"),
    ({"tag256": (4, 1, 0)}, "without pixels"),
    ({"tag257": None}, "without pixels"),
    ({"tag273": None}, "damaged"),
    ({"tag259": (3, 1, 5)}, "cannot be decoded"),
    ({"tag259": (3, 1, 8)}, "cannot be decoded"),
    ({"tag259": (3, 1, 7)}, "cannot be decoded"),
    ({"tag259": (3, 1, 12345)}, "imgpool does not read"),
    ({"tag262": (3, 1, 5)}, "CMYK"),
    ({"tag262": (3, 1, 99)}, "photometric 99"),
    ({"tag262": (3, 1, 3)}, "no palette"),
    ({"tag258": (3, 1, 99)}, "99 bits"),
    ({"tag270": (2, 600, 200)}, "truncated"),
    ({"tag277": (3, 1, 7)}, "100 bytes of the 700"),
])  # fmt: skip
def test_message_says_what_is_wrong(changes, message, tmp_path, capfd):
    path = tmp_path / "a.tif"
    path.write_bytes(header_only(**changes))
    with pytest.raises(ReadError, match=message) as error:
        TIFF.read(path)
    assert error.value.hint
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("following", [8, 3, 200, 500, 2**32 - 1])
def test_broken_chain_of_directories_is_refused(following, tmp_path):
    valid = header_only()
    end = 8 + 2 + 9 * 12
    path = tmp_path / "a.tif"
    path.write_bytes(valid[:end] + struct.pack("<I", following) + valid[end + 4 :])
    with pytest.raises(ReadError):
        TIFF.read(path)


def test_file_of_an_interrupted_writer_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0\0\0\0\0" + bytes(1000))
    with pytest.raises(ReadError, match="interrupted"):
        TIFF.read(path)


def test_broken_lzw_is_not_an_empty_image(tmp_path):
    path = tmp_path / "a.tif"
    lzw(path)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        start, length = tiff.pages[0].dataoffsets[2], tiff.pages[0].databytecounts[2]
    data[start : start + length] = b"\x80\x40" + bytes(length - 2)
    path.write_bytes(data)
    with pytest.raises(ReadError):
        TIFF.read(path)


def test_log_of_tifffile_is_left_unchanged(tmp_path):
    logger = logging.getLogger("tifffile")
    path = tmp_path / "a.tif"
    path.write_bytes(header_only(tag273=None))
    with pytest.raises(ReadError):
        TIFF.read(path)
    assert not logger.disabled


def plane_element(number):
    return f'<TiffData IFD="{number}" FirstT="{number // 4}" FirstZ="{number // 2 % 2}" FirstC="{number % 2}"/>'


def ome_declaring(path, located, present):
    """Write an OME-TIFF of `present` planes whose XML declares 12 planes and the positions of those in `located`."""
    tifffile.imwrite(path, FULL_STACK, ome=True, metadata={"axes": "TZCYX"})
    with tifffile.TiffFile(path) as tiff:
        xml = re.sub("<TiffData[^>]*/>", "".join(map(plane_element, located)), tiff.ome_metadata)
    with tifffile.TiffWriter(path) as writer:
        for number, page in enumerate(FULL_STACK.reshape(-1, 24, 31)[:present]):
            options = {"description": xml if number == 0 else None, "metadata": None}
            writer.write(page, contiguous=False, photometric="minisblack", **options)


@pytest.mark.parametrize(
    ("located", "present"), [(range(12), 11), (range(11), 11), (range(11), 12), ([*range(5), *range(6, 12)], 12)]
)
def test_plane_declared_by_ome_and_missing_is_noticed(located, present, tmp_path):
    ome_declaring(tmp_path / "a.ome.tif", located, present)
    for look in (TIFF.properties, TIFF.read):
        with pytest.raises(ReadError, match="declares 12 planes, but has 11"):
            look(tmp_path / "a.ome.tif")


def test_planes_behind_one_directory_are_counted_first(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, FULL_STACK, photometric="minisblack", truncate=True)
    assert TIFF.properties(path).pages == 12
    path.write_bytes(path.read_bytes()[:-5000])
    for look in (TIFF.properties, TIFF.read):
        with pytest.raises(ReadError, match="truncated: at most 72% of the file is present"):
            look(path)


@pytest.mark.parametrize("shape", [(0,), (3, 2, 2, 31, 24)])
def test_array_of_another_shape_than_declared_is_refused(shape, tmp_path, monkeypatch):
    """tifffile reads some broken files as an empty array."""
    tifffile.imwrite(tmp_path / "a.tif", FULL_STACK, photometric="minisblack")
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", lambda *_given, **_named: np.zeros(shape, np.uint16))
    with pytest.raises(ReadError, match="declares pixels of shape"):
        TIFF.read(tmp_path / "a.tif")
