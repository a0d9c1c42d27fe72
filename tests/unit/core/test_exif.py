"""EXIF blocks: the orientation tag is changed in place, and the embedded thumbnail is dropped."""

import io
import struct

import numpy as np
import pytest
from PIL import Image as PillowImage

from imgpool import Image, Metadata, Recipe
from imgpool.core.exif import orientation, with_orientation, without_thumbnail


def block(order, value, *, kind=3, before=0):
    """An EXIF block whose IFD0 holds `before` ASCII tags and then the orientation."""
    entries = [struct.pack(f"{order}HHI4s", 0x100 + i, 2, 4, b"abc\0") for i in range(before)]
    packed = struct.pack(f"{order}{'H2x' if kind == 3 else 'I'}", value)
    entries.append(struct.pack(f"{order}HHI4s", 0x0112, kind, 1, packed))
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return header + struct.pack(f"{order}H", len(entries)) + b"".join(entries) + struct.pack(f"{order}I", 0)


def camera_block(byteorder=None):
    """Pillow's block for a photo taken sideways: several tags, text outside the directory, a sub-directory."""
    exif = PillowImage.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112], exif[0x0132] = "Camera maker", "Model 7", 6, "2026:01:02 03:04:05"
    exif.get_ifd(0x8769)[0x829A] = 0.01
    exif.endian = byteorder or exif.endian
    return exif.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [3, 4])
@pytest.mark.parametrize("value", range(1, 9))
def test_every_orientation_is_read(order, kind, value):
    assert orientation(block(order, value, kind=kind, before=3)) == value


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [3, 4])
def test_changed_orientation_changes_no_other_byte(order, kind):
    exif = block(order, 6, kind=kind, before=2) + b"maker note"
    changed = with_orientation(exif, 1)
    assert changed == block(order, 1, kind=kind, before=2) + b"maker note"
    assert exif == block(order, 6, kind=kind, before=2) + b"maker note"


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_pillow_reads_the_changed_block_of_a_camera(byteorder):
    exif = camera_block(byteorder)
    assert orientation(exif) == 6
    read = PillowImage.Exif()
    read.load(b"Exif\0\0" + with_orientation(exif, 1))
    assert read[0x0112] == 1
    assert (read[0x010F], read[0x0110], read[0x0132]) == ("Camera maker", "Model 7", "2026:01:02 03:04:05")
    assert float(read.get_ifd(0x8769)[0x829A]) == 0.01


def test_pillow_reads_a_jpeg_saved_with_the_changed_block():
    image, buffer = PillowImage.new("RGB", (8, 4)), io.BytesIO()
    image.save(buffer, "JPEG", exif=b"Exif\0\0" + with_orientation(camera_block(), 3))
    assert PillowImage.open(buffer).getexif()[0x0112] == 3


@pytest.mark.parametrize("exif", [None, b"", b"II*", b"not exif at all", b"II*\0\xff\xff\xff\xff", block("<", 6)[:20]])
def test_missing_or_damaged_block_is_upright(exif):
    assert orientation(exif) == 1


@pytest.mark.parametrize(
    "exif", [block("<", 0), block(">", 9), block("<", 6).replace(b"\x12\x01\x03", b"\x12\x01\x07")]
)
def test_invalid_orientation_is_upright(exif):
    assert orientation(exif) == 1


def test_truncated_block_is_read_without_an_exception():
    exif = camera_block()
    for end in range(len(exif)):
        assert orientation(exif[:end]) in {1, 6}


def test_block_without_orientation_is_upright():
    exif = block("<", 6).replace(b"\x12\x01", b"\x13\x01")
    assert with_orientation(exif, 1) == exif
    with pytest.raises(ValueError, match="no orientation tag"):
        with_orientation(exif, 6)


@pytest.mark.parametrize("value", [0, 9, -1])
def test_invalid_orientation_is_refused(value):
    with pytest.raises(ValueError, match="1 to 8"):
        with_orientation(block("<", 6), value)


PHOTO = np.random.default_rng(0).integers(0, 255, (16, 24, 3), np.uint8)


def thumbnail():
    buffer = io.BytesIO()
    PillowImage.new("RGB", (16, 12), "red").save(buffer, "JPEG")
    return buffer.getvalue()


def block_with_thumbnail(endian="<", appended=b""):
    """A camera's block with orientation 6, an exposure and a thumbnail, followed by `appended`."""
    exif = PillowImage.Exif()
    exif.endian = endian
    exif[0x010F], exif[0x0112] = "Camera maker", 6
    exif.get_ifd(0x8769)[0x829A] = 0.01
    packed = exif.tobytes().removeprefix(b"Exif\0\0")
    order = "little" if endian == "<" else "big"

    def number(value, size):
        return value.to_bytes(size, order)

    link = 8 + 2 + int.from_bytes(packed[8:10], order) * 12
    picture, second = thumbnail(), len(packed)
    start = second + 2 + 2 * 12 + 4
    directory = number(2, 2)
    for tag, value in ((0x0201, start), (0x0202, len(picture))):
        directory += number(tag, 2) + number(4, 2) + number(1, 4) + number(value, 4)
    return packed[:link] + number(second, 4) + packed[link + 4 :] + directory + bytes(4) + picture + appended


def parse(exif):
    parsed = PillowImage.Exif()
    parsed.load(exif)
    return parsed


@pytest.mark.parametrize("endian", "<>")
@pytest.mark.parametrize("appended", [b"", b"a maker's notes"])
def test_only_the_thumbnail_is_dropped(endian, appended):
    exif = block_with_thumbnail(endian, appended)
    assert parse(exif).get_ifd(PillowImage.ExifTags.IFD.IFD1)
    left = without_thumbnail(exif)
    assert not parse(left).get_ifd(PillowImage.ExifTags.IFD.IFD1)
    assert parse(left)[0x010F] == "Camera maker"
    assert parse(left).get_ifd(0x8769)[0x829A] == parse(exif).get_ifd(0x8769)[0x829A]
    assert thumbnail() not in left
    assert left.endswith(appended)


@pytest.mark.parametrize(
    "exif", [b"", b"II*\0", b"no block at all", block_with_thumbnail()[:60], without_thumbnail(block_with_thumbnail())]
)
def test_block_without_a_thumbnail_is_unchanged(exif):
    assert without_thumbnail(exif) == exif


def test_filters_drop_the_thumbnail_and_conversion_keeps_it():
    photo = Image(PHOTO, "YXS", metadata=Metadata(exif=block_with_thumbnail()))
    upright = Recipe.from_specs(["auto_orient"]).apply(photo).metadata.exif
    assert (orientation(upright), thumbnail() in upright) == (1, False)
    assert Recipe.load("convert").apply(photo).metadata.exif == block_with_thumbnail()
