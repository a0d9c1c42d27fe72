"""JPEG, WebP, BMP and GIF alike keep metadata byte for byte, and convert nothing silently."""

import numpy as np
import pytest
from PIL import Image as PillowImage

from imgpool.core.errors import ReadError, WriteError
from imgpool.core.exif import orientation
from imgpool.core.image import Image, PixelSize
from imgpool.formats.bmp import BMP
from imgpool.formats.gif import GIF
from imgpool.formats.jpeg import JPEG
from imgpool.formats.webp import WEBP
from tests.support.photos import ICC, XMP, exif, image, noise, scene, write_and_read

PHOTOS = {"jpeg": JPEG, "webp": WEBP, "bmp": BMP, "gif": GIF}
EXTENSIONS = {name: format_.extensions[0] for name, format_ in PHOTOS.items()}


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("webp", (9, 13, 3)),
        ("webp", (9, 13, 4)),
        ("bmp", (9, 13)),
        ("bmp", (9, 13, 3)),
        ("gif", (9, 13)),
        ("gif", (9, 13, 3)),
    ],
)
def test_lossless_formats_keep_every_pixel(tmp_path, name, shape):
    pixels = noise(shape)
    back, _ = write_and_read(PHOTOS[name], tmp_path / f"a{EXTENSIONS[name]}", image(pixels))
    assert np.array_equal(back.pixels, pixels)
    assert back.pixels.flags.writeable


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_is_stored_or_refused(tmp_path, name, value):
    original = image(noise((9, 13, 3)), exif=exif(value))
    path = tmp_path / f"a{EXTENSIONS[name]}"
    if name in {"bmp", "gif"} and value != 1:
        with pytest.raises(WriteError, match="stored rotated") as caught:
            PHOTOS[name].write(original, path)
        assert caught.value.hint == 'add `filters=["auto_orient"]`'
        assert not path.exists()
        return
    back, lost = write_and_read(PHOTOS[name], path, original)
    if name in {"bmp", "gif"}:
        assert lost == ("exif",)
    else:
        assert back.metadata.exif == exif(value)
        assert orientation(back.metadata.exif) == value


@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_profile_exif_and_xmp_are_kept_byte_for_byte(tmp_path, name):
    path = tmp_path / f"a{EXTENSIONS[name]}"
    back, lost = write_and_read(PHOTOS[name], path, image(scene(), icc=ICC, exif=exif(6), extra={"xmp": XMP}))
    assert lost == ()
    assert (back.metadata.icc, back.metadata.exif, back.metadata.extra["xmp"]) == (ICC, exif(6), XMP)
    with PillowImage.open(path) as picture:
        assert picture.info["icc_profile"] == ICC
        assert picture.info["exif"].removeprefix(b"Exif\0\0") == exif(6)


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("jpeg", {"channel_names"}),
        ("webp", {"pixel_size", "channel_names", "description"}),
        ("bmp", {"channel_names", "description", "icc", "exif", "xmp"}),
        ("gif", {"pixel_size", "channel_names", "icc", "exif", "xmp"}),
    ],
)
def test_lost_metadata_is_reported(tmp_path, name, lost):
    everything = {"icc": ICC, "exif": exif(1), "description": "d", "channel_names": ("a",), "extra": {"xmp": XMP}}
    original = image(noise((9, 13, 3)), PixelSize(1, 1), **everything)
    assert set(PHOTOS[name].write(original, tmp_path / f"a{EXTENSIONS[name]}")) == lost


@pytest.mark.parametrize("name", ["jpeg", "bmp"])
@pytest.mark.parametrize(
    ("pixel_size", "dpi", "expected"),
    [
        (PixelSize(0.65, 0.325), None, ()),
        (PixelSize(0.65, 0.325, 2.0), None, ("pixel_size",)),
        (PixelSize(25, 25), None, ("pixel_size",)),
        (None, (300, 150), ()),
        (None, (118 * 2.54, 118 * 2.54), ()),
        (None, None, ()),
    ],
)
def test_resolution_is_kept_or_reported(tmp_path, name, pixel_size, dpi, expected):
    back, lost = write_and_read(PHOTOS[name], tmp_path / f"a{EXTENSIONS[name]}", image(scene(), pixel_size, dpi=dpi))
    assert lost == expected
    if pixel_size and pixel_size.x < 20:
        assert back.pixel_size[:2] == pytest.approx(pixel_size[:2], rel=1e-4)
    else:
        assert back.pixel_size is None
    assert back.metadata.dpi == (pytest.approx(dpi, rel=1e-3) if dpi else None)


@pytest.mark.parametrize("name", ["jpeg", "gif"])
@pytest.mark.parametrize("text", ["plain", "3 µm 細胞", "two\nlines", "x" * 60_000])
def test_description_is_stored_as_comment(tmp_path, name, text):
    back, lost = write_and_read(
        PHOTOS[name], tmp_path / f"a{EXTENSIONS[name]}", image(scene()[..., 0], description=text)
    )
    assert lost == ()
    assert back.metadata.description == text


@pytest.mark.parametrize("name", PHOTOS)
def test_description_that_cannot_be_encoded_is_reported(tmp_path, name):
    original = image(np.zeros((4, 4, 3), np.uint8), description="\udcff")
    assert PHOTOS[name].write(original, tmp_path / f"a{EXTENSIONS[name]}") == ("description",)


@pytest.mark.parametrize("name", PHOTOS)
def test_same_image_gives_the_same_bytes(tmp_path, name):
    original = image(noise((9, 13, 3)), PixelSize(1, 1), icc=ICC, exif=exif(1), description="d")
    PHOTOS[name].write(original, tmp_path / "a")
    PHOTOS[name].write(original, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize(
    ("shape", "dtype", "axes"),
    [
        ((9, 13), np.uint16, "YX"),
        ((3, 9, 13), np.uint8, "ZYX"),
        ((9, 13), np.float32, "YX"),
        ((9, 13, 2), np.uint8, "YXS"),
    ],
)
def test_unsupported_image_is_refused_with_a_hint(tmp_path, name, shape, dtype, axes):
    original = Image(np.zeros(shape, dtype), axes)
    assert not PHOTOS[name].can_hold(original.properties)
    with pytest.raises(WriteError, match=f"{name.upper()} cannot store") as caught:
        PHOTOS[name].write(original, tmp_path / "a")
    assert caught.value.hint
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(("name", "side"), [("jpeg", 65_501), ("webp", 16_384), ("gif", 65_536)])
def test_too_long_sides_are_refused(tmp_path, name, side):
    with pytest.raises(WriteError):
        PHOTOS[name].write(image(np.zeros((1, side, 3), np.uint8)), tmp_path / "a")


@pytest.mark.parametrize("name", ["jpeg", "bmp", "gif"])
def test_alpha_is_refused_not_dropped(tmp_path, name):
    with pytest.raises(WriteError) as caught:
        PHOTOS[name].write(image(noise((4, 4, 4))), tmp_path / "a")
    assert caught.value.hint == 'add `to="png"` or `to="tiff"`'


@pytest.mark.parametrize("name", ["jpeg", "bmp"])
def test_size_limit_of_pillow_does_not_apply(tmp_path, name, monkeypatch):
    """Pillow's own limit neither warns nor stops, and is left as it was for others."""
    monkeypatch.setattr(PillowImage, "MAX_IMAGE_PIXELS", 100)
    back, _ = write_and_read(PHOTOS[name], tmp_path / "a", image(scene()))
    assert back.pixels.shape == scene().shape
    assert PillowImage.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize(("name", "kind"), [("webp", "WEBP"), ("gif", "GIF")])
def test_animations_are_refused(tmp_path, name, kind):
    frames = [PillowImage.fromarray(noise((8, 8))) for _ in range(2)]
    frames[1].putpixel((0, 0), 255 - frames[1].getpixel((0, 0)))
    frames[0].save(tmp_path / "a", kind, save_all=True, append_images=frames[1:])
    for look in (PHOTOS[name].read, PHOTOS[name].properties):
        with pytest.raises(ReadError, match="is an animation") as caught:
            look(tmp_path / "a")
        assert caught.value.hint
