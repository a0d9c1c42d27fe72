"""Headers that would take too long or too much memory are refused before they are parsed, with one clear sentence."""

import contextlib
import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from imgpool.core.errors import ReadError
from imgpool.core.image import Image
from imgpool.formats._gif_blocks import has_second_picture
from imgpool.formats.png import _chunks as png_chunks
from imgpool.formats.tiff import _limits as tiff_limits
from imgpool.work.files import format_of, read, write
from tests.support import large_headers as large
from tests.support.scales import scaled

DEEP = "<a>" * 200_000 + "</a>" * 200_000
ENTITIES = (
    '<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {after} "{f"&{before};" * 10}">' for before, after in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><OME>&i;</OME>"
)


def refusal(path, content, read="properties"):
    """Return the error of a file, after checking that it is one sentence with a remedy and without internal words."""
    path.write_bytes(content)
    with pytest.raises(ReadError) as caught:
        getattr(format_of(path), read)(path)
    text = f"{caught.value.message} {caught.value.hint}"
    assert caught.value.hint
    assert "\n" not in text
    assert not {word for word in text.split() if word.endswith(("Error", "Error)", "Exception"))}
    return caught.value.message


TIFFS = {
    "deep XML": (large.ome(data=DEEP), "more than 100 elements inside each other"),
    "deep XML of a scanner": (large.tiff(f"<scan>{DEEP}</scan>".encode()), "more than 100 elements inside each other"),
    "entities": (large.tiff(ENTITIES.encode()), "OME-XML is damaged"),
    "declared planes": (large.ome(planes=10**9), "more than 1,000,000 pages"),
    "declared planes beyond 64 bits": (large.ome(planes=10**400), "damaged|does not fit"),
    "placed planes": (large.ome(data='<TiffData IFD="0" PlaneCount="1000000000"/>'), "more than 1,000,000 pages"),
    "planes placed again and again": (
        large.ome(data='<TiffData IFD="0" PlaneCount="900000"/>' * 2), "more than 1,000,000 pages"),
    "split axis": (large.ome(annotations=large.MODULO), "more than 1,000,000 pages"),
    "overlapping tags": (
        large.tiff(more=[(270, 2, 10**6, 1000)] * 60, padding=10**6), "its tags overlap"),
    "directories below a page": (
        large.tiff(more=[(330, 4, 1001, 1000)], padding=5000), "more than 1,000 directories below a page"),
    "many numbers": (large.tiff(more=[(301, 3, 1_000_001, 1000)], padding=2_000_010), "its tag 301 has 2 MB"),
}  # fmt: skip


@pytest.mark.parametrize("case", TIFFS)
def test_tiff_with_too_large_a_header_is_refused(case, tmp_path, monkeypatch):
    monkeypatch.setattr(tiff_limits, "MAX_VALUES_BYTES", 32 << 20)  # the file of the test stays small
    content, message = TIFFS[case]
    assert re.search(message, refusal(tmp_path / "a.ome.tif", content))


@scaled(("limit", "pages"), short=[(1000, 1001)], long=[(tiff_limits.MAX_PAGES, 6_000_000)])
def test_tiff_of_too_many_pages_is_refused(limit, pages, tmp_path, monkeypatch):
    monkeypatch.setattr(tiff_limits, "MAX_PAGES", limit)
    assert f"more than {limit:,} pages" in refusal(tmp_path / "a.tif", large.tiff(pages=pages))
    description = large.OME.format(planes=1000, data='<TiffData IFD="0" PlaneCount="1000"/>', annotations="")
    path = tmp_path / "b.ome.tif"
    path.write_bytes(large.tiff(description.encode(), pages=1000))
    assert format_of(path).properties(path).pages == 1000


def test_tiff_of_too_many_different_pages_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff_limits, "MAX_COMPARED_PAGES", 100)
    assert "more than 100 of them" in refusal(tmp_path / "a.tif", large.tiff(pages=101))
    alike = Image.from_array(np.zeros((101, 8, 8), np.uint8))
    write(alike, tmp_path / "alike.tif")
    assert read(tmp_path / "alike.tif").properties.pages == 101


@scaled(("limit", "count"), short=[(10_000, 10_000)], long=[(tiff_limits.MAX_XML_ITEMS, 6_000_000)])
def test_tiff_with_too_long_xml_is_refused(limit, count, tmp_path, monkeypatch):
    monkeypatch.setattr(tiff_limits, "MAX_XML_ITEMS", limit)
    content = large.ome(data='<TiffData IFD="0"/>' * count)
    assert re.search("in XML is too long|description has", refusal(tmp_path / "a.ome.tif", content))


def test_tiff_of_too_many_strips_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff_limits, "MAX_SEGMENTS", 1000)
    tables = [(324, 4, 1001, 1000), (325, 4, 1001, 1000)]
    assert "more than 1,000 strips or tiles" in refusal(tmp_path / "a.tif", large.tiff(more=tables, padding=5000))


PHOTOS = {
    "a.jpg": {
        "fill bytes": (large.jpeg(b"\xff" * 1_000_000), "more than 65,536 fill bytes"),
        "other bytes": (large.jpeg(b"\xff\xfe\0\2" + b"a" * 1_000_000), "more than 65,536 fill bytes"),
        "fill bytes in many places": (large.jpeg((b"\xff" * 100 + b"\xfe\0\2") * 1000), "more than 65,536 fill"),
        "bytes of reserved segments": (large.jpeg((b"\xff\xf0\x80\0" + b"a" * 32_766) * 3), "more than 65,536 fill"),
        "EXIF in many segments": (large.jpeg((b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527)) * 257), "16 MiB of EXIF"),
        "segments": (large.jpeg(b"\xff\xfe\0\4ab" * 20_000), "more than 4,096 segments"),
        "markers without content": (large.jpeg(b"\xff\xd0" * 50_000), "more than 4,096 segments"),
    },
    "a.png": {
        "chunks": (large.png(large.png_chunk(b"abCd") * 10_001), "more than 10,000 chunks"),
    },
    "a.gif": {
        "comment": (large.gif(b"!\xfe" + (b"\xff" + b"a" * 255) * 33_000 + b"\0"), "more before its picture"),
        "tiny sub-blocks": (large.gif(b"!\xfe" + b"\1a" * 33_000 + b"\0"), "more before its picture"),
        "comments": (large.gif(b"!\xfe\1a\0" * 33_000), "more before its picture"),
        "stray bytes": (large.gif(b"a" * 100_000), "more before its picture"),
        "pictures": (large.gif(b"", pictures=2), "an animation"),
    },
    "a.bmp": {
        "header": (b"BM" + bytes(12) + b"\xff\xff\xff\x7f" + bytes(1000), "length of its header is not valid"),
    },
    "a.npy": {
        "bool in shape": (large.npy_shape("(True, 4)") + b"abcd", "not an integer"),
        "float in shape": (large.npy_shape("(2.0, 4)") + b"abcd", "cannot be parsed"),
        "huge length": (large.npy_shape(f"({10**30}, 4)"), "larger than any file"),
        "length of thousands of digits": (large.npy_shape(f"({'9' * 5000}, 4)"), "cannot be parsed"),
        "many dimensions": (large.npy_shape(f"({'1, ' * 3000})") + b"a", "3000 dimensions"),
        "deep type": (large.npy(f"{{'descr': {'[' * 4000}{']' * 4000}}}"), "cannot be parsed"),
        "long header": (large.npy(" " * 20_000), "declares a length of 20,000 bytes"),
        "declared header": (b"\x93NUMPY\2\0\xff\xff\xff\xff", "declares a length of 4,294,967,295 bytes"),
    },
}  # fmt: skip


@pytest.mark.parametrize(("name", "case"), [(name, case) for name, cases in PHOTOS.items() for case in cases])
def test_picture_with_too_large_a_header_is_refused(name, case, tmp_path):
    content, message = PHOTOS[name][case]
    assert message in refusal(tmp_path / name, content)


def test_png_with_too_many_bytes_before_its_pixels_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(png_chunks, "MAX_HEADER_BYTES", 1 << 18)
    content = large.png(large.png_chunk(b"abCd", bytes(1 << 20)))
    assert "MB of metadata" in refusal(tmp_path / "a.png", content)


@pytest.mark.parametrize(("name", "content"), [
    ("a.webp", large.webp(10_000)),
    ("a.png", large.photo("PNG")[:-12] + large.png_chunk(b"abCd") * 10_001 + large.photo("PNG")[-12:]),
])  # fmt: skip
def test_chunks_that_only_reading_meets_are_limited(name, content, tmp_path):
    assert "more than 10,000 chunks" in refusal(tmp_path / name, content, read="read")


@pytest.mark.parametrize("inserted", [
    b"\xff" * 60_000, b"\xff\xfe\xff\xff" + b"c" * 65_533, b"\xff\xfe\0\4ab" * 4000, b"\xff\xd0" * 100,
    b"\xff\xf0\0\4ab", (b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527)) * 50,
])  # fmt: skip
def test_jpeg_with_a_long_but_usual_header_is_read(inserted, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(large.jpeg(inserted, length=100_000))
    assert format_of(path).properties(path).shape == large.COLOURS.shape


def test_gif_with_1_mb_of_xmp_is_read(tmp_path):
    """XMP is stored as plain text; read as sub-blocks, its letters are their lengths."""
    text = b"<x:xmpmeta> photoshop:DocumentAncestors uuid 0123456789ABCDEF </x:xmpmeta>" * 14_000
    path = tmp_path / "a.gif"
    path.write_bytes(large.gif(b"!\xff\x0bXMP DataXMP" + text + bytes([1, *range(255, -1, -1), 0])))
    assert format_of(path).properties(path).shape == (1, 1, 3)


GIF_HEAD, GIF_PICTURE = large.gif(b"")[:19], large.gif(b"")[19:-1]
GIF_BLOCKS = [GIF_PICTURE, b"!\xfe\1a\0", b"!\xfe\0", b"!\xf9\4\0\0\0\0\0", b"a", b"\0", b";"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(GIF_BLOCKS), max_size=8))
def test_pictures_of_a_gif_are_counted_as_by_pillow(blocks):
    file = io.BytesIO(GIF_HEAD + GIF_PICTURE + b"".join(blocks))
    with PillowImage.open(file) as picture:
        expected = picture.is_animated
    assert has_second_picture(file) == expected


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="()[]{}',:0123456789eTrue|u<f descrshapefortran_order", max_size=60))
def test_any_npy_header_is_refused_or_read(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "a.npy"
    path.write_bytes(large.npy(text))
    with contextlib.suppress(ReadError):
        format_of(path).properties(path)
