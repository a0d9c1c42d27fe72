"""The orientation tag: found and changed in place, in both byte orders, without touching its neighbours."""

import io
import struct

import pytest
from PIL import Image as PillowImage

from imgpool.core.exif import orientation, with_orientation


def block(order, value, *, kind=3, before=0):
    """An EXIF block whose IFD0 holds `before` ASCII tags and then the orientation."""
    entries = [struct.pack(f"{order}HHI4s", 0x100 + i, 2, 4, b"abc\0") for i in range(before)]
    packed = struct.pack(f"{order}{'H2x' if kind == 3 else 'I'}", value)
    entries.append(struct.pack(f"{order}HHI4s", 0x0112, kind, 1, packed))
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return header + struct.pack(f"{order}H", len(entries)) + b"".join(entries) + struct.pack(f"{order}I", 0)


def camera_block(byteorder=None):
    """What Pillow writes for a photo taken sideways: several tags, text outside the directory, a sub-directory."""
    exif = PillowImage.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112], exif[0x0132] = "Camera maker", "Model 7", 6, "2026:01:02 03:04:05"
    exif.get_ifd(0x8769)[0x829A] = 0.01
    exif.endian = byteorder or exif.endian
    return exif.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [3, 4])
@pytest.mark.parametrize("value", range(1, 9))
def test_reads_every_orientation(order, kind, value):
    assert orientation(block(order, value, kind=kind, before=3)) == value


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [3, 4])
def test_changes_the_value_and_no_other_byte(order, kind):
    exif = block(order, 6, kind=kind, before=2) + b"maker note"
    changed = with_orientation(exif, 1)
    assert changed == block(order, 1, kind=kind, before=2) + b"maker note"
    assert exif == block(order, 6, kind=kind, before=2) + b"maker note"


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_agrees_with_pillow_on_a_cameras_block(byteorder):
    exif = camera_block(byteorder)
    assert orientation(exif) == 6
    read = PillowImage.Exif()
    read.load(b"Exif\0\0" + with_orientation(exif, 1))
    assert read[0x0112] == 1
    assert (read[0x010F], read[0x0110], read[0x0132]) == ("Camera maker", "Model 7", "2026:01:02 03:04:05")
    assert float(read.get_ifd(0x8769)[0x829A]) == 0.01


def test_pillow_turns_a_jpeg_saved_with_the_changed_block():
    image, buffer = PillowImage.new("RGB", (8, 4)), io.BytesIO()
    image.save(buffer, "JPEG", exif=b"Exif\0\0" + with_orientation(camera_block(), 3))
    assert PillowImage.open(buffer).getexif()[0x0112] == 3


@pytest.mark.parametrize("exif", [None, b"", b"II*", b"not exif at all", b"II*\0\xff\xff\xff\xff", block("<", 6)[:20]])
def test_a_missing_or_damaged_block_is_upright(exif):
    assert orientation(exif) == 1


@pytest.mark.parametrize(
    "exif", [block("<", 0), block(">", 9), block("<", 6).replace(b"\x12\x01\x03", b"\x12\x01\x07")]
)
def test_a_senseless_value_is_upright(exif):
    assert orientation(exif) == 1


def test_every_cut_of_a_block_is_read_without_an_exception():
    exif = camera_block()
    for end in range(len(exif)):
        assert orientation(exif[:end]) in {1, 6}


def test_a_block_without_the_tag_is_already_upright():
    exif = block("<", 6).replace(b"\x12\x01", b"\x13\x01")
    assert with_orientation(exif, 1) == exif
    with pytest.raises(ValueError, match="no orientation tag"):
        with_orientation(exif, 6)


@pytest.mark.parametrize("value", [0, 9, -1])
def test_refuses_what_is_no_orientation(value):
    with pytest.raises(ValueError, match="1 to 8"):
        with_orientation(block("<", 6), value)
