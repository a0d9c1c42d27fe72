"""Decoding a JPEG at reduced size: the factor, the pixels, the metadata, and damaged files."""

import numpy as np
import pytest
from PIL import Image as PillowImage

from imgpool.core.errors import ReadError
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.core.part import Part, Span
from imgpool.formats.jpeg import JPEG
from tests.support.parts import read_part

EXIF = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0camera's own"


def scene(height=600, width=800):
    """Soft colours with some grain."""
    y, x = np.mgrid[:height, :width]
    grain = np.random.default_rng(3).normal(0, 6, (height, width, 1))
    soft = np.stack([128 + 90 * np.sin(x / 31), y / height * 200 + 20, 128 + 60 * np.cos((x + y) / 47)], axis=-1)
    return (soft + grain).clip(0, 255).astype(np.uint8)


def save(path, pixels, **options):
    PillowImage.fromarray(pixels).save(path, "JPEG", **{"quality": 90, "subsampling": "4:2:0"} | options)
    return path


def read(path, shrink):
    return read_part(JPEG, path, Part(shrink=shrink))


def means(pixels, side):
    """Means of squares."""
    height, width = (length // side for length in pixels.shape[:2])
    squares = pixels.reshape(height, side, width, side, -1)
    return squares.mean(axis=(1, 3)).squeeze()


@pytest.mark.parametrize(("shrink", "reduction"), [(1, 1), (3.4, 1), (3.5, 2), (6.9, 2), (7, 4), (500, 4)])
def test_reduction_leaves_enough_detail(tmp_path, shrink, reduction):
    path = save(tmp_path / "a.jpg", scene())
    image = read(path, shrink)
    assert image.pixels.shape == (600 // reduction, 800 // reduction, 3)
    assert image.metadata.full_size == ((600, 800) if reduction > 1 else None)


@pytest.mark.parametrize("shape", [(100, 3000), (124, 124), (4, 4), (1, 1), (600, 801), (601, 800)])
def test_small_or_indivisible_pictures_are_not_reduced(tmp_path, shape):
    image = read(save(tmp_path / "a.jpg", scene(*shape)), 1000)
    assert image.pixels.shape == (*shape, 3)
    assert image.metadata.full_size is None


@pytest.mark.parametrize("size", [(600, 800), (512, 1024), (604, 130)])
@pytest.mark.parametrize("shrink", [4, 8])
@pytest.mark.parametrize(
    "options",
    [{}, {"subsampling": "4:4:4"}, {"subsampling": "4:2:2", "progressive": True}, {"restart_marker_rows": 1}, "grey"],
    ids=str,
)
def test_each_pixel_is_about_the_mean_of_its_block(tmp_path, size, shrink, options):
    pixels, options = (scene(*size)[..., 1], {}) if options == "grey" else (scene(*size), options)
    path = save(tmp_path / "a.jpg", pixels, **options)
    whole, image = JPEG.read(path), read(path, shrink)
    side = round(size[1] / image.pixels.shape[1])
    assert side == (2 if min(size) < 256 else shrink // 2)
    expected = means(whole.pixels.astype(float), side)
    difference = image.pixels - expected
    assert np.abs(difference).mean() < 2
    assert np.abs(difference.mean(axis=(0, 1))).max() < 0.3, "neither darker nor of another colour"


def test_metadata_is_as_in_the_whole(tmp_path):
    metadata = Metadata(exif=EXIF, icc=bytes(16) + b"RGB " + bytes(500), description="d", extra={"xmp": b"<x/>"})
    path = tmp_path / "a.jpg"
    JPEG.write(Image(scene(), "YXS", PixelSize(0.65, 0.65), metadata), path, subsampling="4:2:2")
    whole, image = JPEG.read(path), read(path, 5)
    assert image.metadata.full_size == (600, 800)
    assert (image.axes, image.pixel_size) == (whole.axes, whole.pixel_size)
    assert {**_fields(image), "full_size": None} == _fields(whole)


def _fields(image):
    return {name: getattr(image.metadata, name) for name in Metadata.__slots__}


def test_part_is_cropped_from_the_whole(tmp_path):
    path = save(tmp_path / "a.jpg", scene())
    part = Part(Span(100, 300), Span(7, 450), shrink=16)
    image = read_part(JPEG, path, part)
    assert np.array_equal(image.pixels, JPEG.read(path).pixels[100:300, 7:450])
    assert image.metadata.full_size is None


def test_properties_give_the_full_size(tmp_path):
    with JPEG.open(save(tmp_path / "a.jpg", scene())) as reader:
        reader.read(Part(shrink=16))
        assert reader.properties.shape == (600, 800, 3)


def outcome(path, shrink):
    """Return the message of the refusal, or the shape of the whole picture."""
    try:
        image = read(path, shrink)
    except ReadError as error:
        return error.message
    return image.metadata.full_size or image.pixels.shape[:2]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 2}], ids=str)
def test_damage_is_detected_as_in_the_whole(tmp_path, options, capfd):
    data = save(tmp_path / "a.jpg", scene(260, 300), **options).read_bytes()
    path, rng = tmp_path / "damaged.jpg", np.random.default_rng(5)
    damaged = [data[:cut] for cut in rng.integers(600, len(data), 40)] + [data[:-1], data[:-2], data + bytes(99)]
    for place in rng.integers(600, len(data) - 2, 120):
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(flipped))
    damaged += [
        data[: len(data) // 2].ljust(len(data), b"\0"),
        data[:-2] + b"\0" * 5 + data[-2:],
        data[:-2] + data[-2:] * 2,
    ]
    refused = 0
    for each in damaged:
        path.write_bytes(each)
        expected = outcome(path, 1)
        assert outcome(path, 4) == expected
        refused += isinstance(expected, str)
    assert refused > 40
    assert capfd.readouterr() == ("", "")
