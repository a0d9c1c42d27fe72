"""The small picture in a camera's EXIF: of other pixels it would tell a lie, and show what was cropped away."""

import io

import numpy as np
import pytest
from PIL import Image as PillowImage

from imgpool import Image, Metadata, Recipe
from imgpool.core.exif import orientation, without_thumbnail

PHOTO = np.random.default_rng(0).integers(0, 255, (16, 24, 3), np.uint8)


def small_picture():
    buffer = io.BytesIO()
    PillowImage.new("RGB", (16, 12), "red").save(buffer, "JPEG")
    return buffer.getvalue()


def block(endian="<", appended=b""):
    """A camera's block: orientation 6, an exposure, and a small picture; `appended` stands behind it."""
    exif = PillowImage.Exif()
    exif.endian = endian
    exif[0x010F], exif[0x0112] = "Camera maker", 6
    exif.get_ifd(0x8769)[0x829A] = 0.01
    packed = exif.tobytes().removeprefix(b"Exif\0\0")
    order = "little" if endian == "<" else "big"
    link = 8 + 2 + int.from_bytes(packed[8:10], order) * 12
    number = lambda value, size: value.to_bytes(size, order)  # noqa: E731
    picture, second = small_picture(), len(packed)
    start = second + 2 + 2 * 12 + 4
    directory = number(2, 2)
    for tag, value in ((0x0201, start), (0x0202, len(picture))):
        directory += number(tag, 2) + number(4, 2) + number(1, 4) + number(value, 4)
    return packed[:link] + number(second, 4) + packed[link + 4 :] + directory + bytes(4) + picture + appended


def read(exif):
    parsed = PillowImage.Exif()
    parsed.load(exif)
    return parsed


@pytest.mark.parametrize("endian", "<>")
@pytest.mark.parametrize("appended", [b"", b"a maker's notes"])
def test_only_the_small_picture_goes(endian, appended):
    exif = block(endian, appended)
    assert read(exif).get_ifd(PillowImage.ExifTags.IFD.IFD1)
    left = without_thumbnail(exif)
    assert not read(left).get_ifd(PillowImage.ExifTags.IFD.IFD1)
    assert read(left)[0x010F] == "Camera maker"
    assert read(left).get_ifd(0x8769)[0x829A] == read(exif).get_ifd(0x8769)[0x829A]
    assert small_picture() not in left
    assert left.endswith(appended)


@pytest.mark.parametrize("exif", [b"", b"II*\0", b"no block at all", block()[:60], without_thumbnail(block())])
def test_a_block_without_one_stays(exif):
    assert without_thumbnail(exif) == exif


def test_a_filter_takes_it_away_and_a_mere_conversion_does_not():
    photo = Image(PHOTO, "YXS", metadata=Metadata(exif=block()))
    upright = Recipe.from_specs(["auto_orient"]).apply(photo).metadata.exif
    assert (orientation(upright), small_picture() in upright) == (1, False)
    assert Recipe.load("convert").apply(photo).metadata.exif == block()
