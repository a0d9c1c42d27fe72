"""JPEG: quality, subsampling, metadata, and files of cameras and other programs."""

import warnings

import imagecodecs
import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL.JpegImagePlugin import get_sampling

from imgpool.core.errors import ReadError, WriteError
from imgpool.core.image import PixelSize
from imgpool.formats.jpeg import JPEG
from imgpool.formats.png import PNG
from imgpool.formats.tiff import TIFF
from tests.support.photos import KEYWORD, exif, image, noise, scene, write_and_read
from tests.support.tools import run_tool


def test_default_quality_changes_pixels_little(tmp_path):
    back, _ = write_and_read(JPEG, tmp_path / "a.jpg", image(scene()))
    assert np.abs(back.pixels.astype(int) - scene()).max() <= 4
    grey, _ = write_and_read(JPEG, tmp_path / "b.jpg", image(scene()[..., 0]))
    assert grey.axes == "YX"
    assert np.abs(grey.pixels.astype(int) - scene()[..., 0]).max() <= 3


def test_encoding_a_photo_again_has_no_visible_effect(tmp_path):
    PillowImage.fromarray(scene(480, 640)).save(tmp_path / "camera.jpg", quality=85, subsampling="4:2:0")
    first = JPEG.read(tmp_path / "camera.jpg")
    second, _ = write_and_read(JPEG, tmp_path / "b.jpg", first)
    error = second.pixels.astype(float) - first.pixels
    assert 10 * np.log10(255**2 / (error**2).mean()) > 45  # dB; 40 is where eyes begin to see it


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_subsampling_is_that_of_the_source_or_as_given(tmp_path, subsampling):
    PillowImage.fromarray(scene()).save(tmp_path / "a.jpg", subsampling=subsampling)
    back, _ = write_and_read(JPEG, tmp_path / "b.jpg", JPEG.read(tmp_path / "a.jpg"))
    assert back.metadata.extra["jpeg_subsampling"] == subsampling
    back, _ = write_and_read(JPEG, tmp_path / "c.jpg", back, subsampling="4:2:2")
    assert back.metadata.extra["jpeg_subsampling"] == "4:2:2"


def test_image_without_jpeg_source_is_not_subsampled(tmp_path):
    JPEG.write(image(scene()), tmp_path / "a.jpg")
    with PillowImage.open(tmp_path / "a.jpg") as picture:
        assert get_sampling(picture) == 0


def test_progressive_jpeg_has_the_same_pixels(tmp_path):
    baseline, _ = write_and_read(JPEG, tmp_path / "a.jpg", image(scene()))
    progressive, _ = write_and_read(JPEG, tmp_path / "b.jpg", image(scene()), progressive=True)
    with PillowImage.open(tmp_path / "b.jpg") as picture:
        assert picture.info["progressive"]
    assert np.array_equal(baseline.pixels, progressive.pixels)


@pytest.mark.parametrize("size", [(48, 64), (37, 23), (1, 1)])
@pytest.mark.parametrize(
    "options",
    [
        {"subsampling": "4:2:0"},
        {"subsampling": "4:2:2", "progressive": True},
        {"keep_rgb": True},
        {"quality": 30, "restart_marker_rows": 1},
    ],
)
def test_decoding_agrees_with_pillow(tmp_path, size, options):
    PillowImage.fromarray(scene(*size)).save(tmp_path / "a.jpg", **options)
    with PillowImage.open(tmp_path / "a.jpg") as picture:
        assert np.array_equal(JPEG.read(tmp_path / "a.jpg").pixels, np.asarray(picture))


def test_end_marker_of_the_thumbnail_is_not_the_end(tmp_path):
    JPEG.write(image(scene(8, 8)), tmp_path / "thumbnail.jpg")
    block = exif(1) + (tmp_path / "thumbnail.jpg").read_bytes()
    back, _ = write_and_read(JPEG, tmp_path / "a.jpg", image(noise((64, 64, 3)), exif=block))
    assert back.metadata.exif == block
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[:-2])
    with pytest.raises(ReadError, match="truncated"):
        JPEG.read(tmp_path / "a.jpg")


def test_12_bit_jpeg_is_refused(tmp_path):
    pixels = noise((16, 16)).astype(np.uint16) * 16
    (tmp_path / "a.jpg").write_bytes(imagecodecs.jpeg8_encode(pixels, bitspersample=12))
    with pytest.raises(ReadError, match="rare variant"):
        JPEG.properties(tmp_path / "a.jpg")


def test_higher_quality_gives_larger_files(tmp_path):
    sizes = []
    for quality in (30, 95, 100):
        JPEG.write(image(noise((64, 64, 3))), tmp_path / "a.jpg", quality=quality)
        sizes.append((tmp_path / "a.jpg").stat().st_size)
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 3


def test_iptc_is_kept(tmp_path):
    segment = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0a\x1c\x02\x78\0\5hello"
    JPEG.write(image(scene(), extra={"jpeg_iptc": (segment,)}), tmp_path / "a.jpg")
    back, _ = write_and_read(JPEG, tmp_path / "b.jpg", JPEG.read(tmp_path / "a.jpg"))
    assert back.metadata.extra["jpeg_iptc"] == (segment,)
    assert segment in (tmp_path / "b.jpg").read_bytes()


def test_cmyk_is_refused_with_a_hint(tmp_path):
    PillowImage.new("CMYK", (4, 4)).save(tmp_path / "a.jpg")
    for look in (JPEG.read, JPEG.properties):
        with pytest.raises(ReadError, match="CMYK") as caught:
            look(tmp_path / "a.jpg")
        assert "RGB" in caught.value.hint


def test_first_picture_of_mpo_is_read_and_others_reported(tmp_path):
    first, second = (PillowImage.fromarray(pixels) for pixels in (scene(), scene()[::-1].copy()))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second], quality=95, subsampling=0)
    back, lost = write_and_read(JPEG, tmp_path / "b.jpg", JPEG.read(tmp_path / "a.jpg"))
    assert np.abs(back.pixels.astype(int) - scene()).max() <= 8
    assert lost == ("other_pictures",)


def test_too_long_exif_is_reported_or_refused_if_rotated(tmp_path):
    long = bytes(70_000)
    assert JPEG.write(image(scene(), exif=exif(1) + long), tmp_path / "a.jpg") == ("exif",)
    with pytest.raises(WriteError, match="stored rotated"):
        JPEG.write(image(scene(), exif=exif(6) + long), tmp_path / "b.jpg")


@pytest.mark.parametrize("name", ["description", "xmp"])
def test_too_long_texts_are_reported(tmp_path, name):
    metadata = {"description": "x" * 70_000} if name == "description" else {"extra": {"xmp": bytes(70_000)}}
    assert JPEG.write(image(scene(), **metadata), tmp_path / "a.jpg") == (name,)


def test_comment_in_latin_1_is_read(tmp_path):
    PillowImage.fromarray(scene()).save(tmp_path / "a.jpg", comment="3 µm".encode("latin-1"))
    assert JPEG.read(tmp_path / "a.jpg").metadata.description == "3 µm"


def test_jpeg_of_imagemagick_is_read(tmp_path):
    PillowImage.fromarray(scene()).save(tmp_path / "a.png")
    run_tool(
        "convert",
        tmp_path / "a.png",
        "-units",
        "PixelsPerInch",
        "-density",
        "300",
        "-quality",
        "98",
        "-interlace",
        "JPEG",
        tmp_path / "b.jpg",
    )
    back = JPEG.read(tmp_path / "b.jpg")
    assert np.abs(back.pixels.astype(int) - scene()).max() <= 6
    assert back.metadata.dpi == (300, 300)


def test_pixel_size_too_small_for_jpeg_is_reported(tmp_path):
    back, lost = write_and_read(JPEG, tmp_path / "a.jpg", image(scene(), PixelSize(0.1, 0.1)))
    assert lost == ("pixel_size",)
    assert back.pixel_size is None


def test_warnings_of_pillow_are_hidden(tmp_path, capfd):
    JPEG.write(image(scene(), exif=b"II*\0 damaged"), tmp_path / "a.jpg")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        JPEG.read(tmp_path / "a.jpg")
    assert capfd.readouterr() == ("", "")


def test_iptc_is_kept_in_jpeg_and_reported_elsewhere(tmp_path):
    PillowImage.fromarray(scene()).save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    body = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + len(KEYWORD).to_bytes(4, "big") + KEYWORD
    (tmp_path / "a.jpg").write_bytes(data[:2] + b"\xff\xed" + (len(body) + 2).to_bytes(2, "big") + body + data[2:])
    image = JPEG.read(tmp_path / "a.jpg")
    assert JPEG.write(image, tmp_path / "b.jpg") == ()
    assert KEYWORD in (tmp_path / "b.jpg").read_bytes()
    assert TIFF.write(image, tmp_path / "b.tif") == PNG.write(image, tmp_path / "b.png") == ("iptc",)
