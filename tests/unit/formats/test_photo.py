"""JPEG, WebP, BMP and GIF: metadata kept byte for byte, and nothing converted in silence."""

import struct
import warnings

import imagecodecs
import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL.JpegImagePlugin import get_sampling

from imgpool.core.errors import ReadError, WriteError
from imgpool.core.exif import orientation
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.formats.bmp import BMP
from imgpool.formats.gif import GIF
from imgpool.formats.jpeg import JPEG
from imgpool.formats.webp import WEBP
from tests.support.tools import run_tool

PHOTOS = {"jpeg": JPEG, "webp": WEBP, "bmp": BMP, "gif": GIF}
EXTENSIONS = {name: format_.extensions[0] for name, format_ in PHOTOS.items()}
ICC = bytes(16) + b"RGB " + bytes(range(256)) * 300  # more than one JPEG segment
XMP = b"<x:xmpmeta/>"


def exif(value):
    return b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0" + struct.pack("<HH", value, 0) + b"\0\0\0\0camera's own"


def noise(shape):
    return np.random.default_rng(7).integers(0, 256, shape, np.uint8)


def scene(height=48, width=64):
    """A smooth picture with colour: what lossy formats are made for."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 3, y * 4, 255 - x - y], axis=-1).clip(0, 255).astype(np.uint8)


def image(pixels, pixel_size=None, **metadata):
    return Image(pixels, "YX" if pixels.ndim == 2 else "YXS", pixel_size, Metadata(**metadata))


def again(format_, path, original, **options):
    """Write and read; what the header told must be what was read."""
    losses = format_.write(original, path, **options)
    back = format_.read(path)
    assert back.properties == format_.properties(path)
    return back, losses


def convert(*arguments):
    run_tool("convert", *arguments)


# --- all of them


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
def test_pixels_come_back(tmp_path, name, shape):
    pixels = noise(shape)
    back, _ = again(PHOTOS[name], tmp_path / f"a{EXTENSIONS[name]}", image(pixels))
    assert np.array_equal(back.pixels, pixels)
    assert back.pixels.flags.writeable


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("value", range(1, 9))
def test_all_eight_orientations_pass_or_stop_the_file(tmp_path, name, value):
    original = image(noise((9, 13, 3)), exif=exif(value))
    path = tmp_path / f"a{EXTENSIONS[name]}"
    if name in {"bmp", "gif"} and value != 1:
        with pytest.raises(WriteError, match="stored rotated") as caught:
            PHOTOS[name].write(original, path)
        assert caught.value.hint == 'add `filters=["auto_orient"]`'
        assert not path.exists()
        return
    back, losses = again(PHOTOS[name], path, original)
    if name in {"bmp", "gif"}:
        assert losses == ("exif",)
    else:
        assert back.metadata.exif == exif(value)
        assert orientation(back.metadata.exif) == value


@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_profile_exif_and_xmp_come_back_byte_for_byte(tmp_path, name):
    path = tmp_path / f"a{EXTENSIONS[name]}"
    back, losses = again(PHOTOS[name], path, image(scene(), icc=ICC, exif=exif(6), extra={"xmp": XMP}))
    assert losses == ()
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
def test_what_has_no_place_is_reported(tmp_path, name, lost):
    everything = {"icc": ICC, "exif": exif(1), "description": "d", "channel_names": ("a",), "extra": {"xmp": XMP}}
    original = image(noise((9, 13, 3)), PixelSize(1, 1), **everything)
    assert set(PHOTOS[name].write(original, tmp_path / f"a{EXTENSIONS[name]}")) == lost


@pytest.mark.parametrize("name", ["jpeg", "bmp"])
@pytest.mark.parametrize(
    ("pixel_size", "dpi", "lost"),
    [
        (PixelSize(0.65, 0.325), None, ()),
        (PixelSize(0.65, 0.325, 2.0), None, ("pixel_size",)),
        (PixelSize(25, 25), None, ("pixel_size",)),
        (None, (300, 150), ()),
        (None, (118 * 2.54, 118 * 2.54), ()),
        (None, None, ()),
    ],
)
def test_resolutions_come_back_or_are_reported(tmp_path, name, pixel_size, dpi, lost):
    back, losses = again(PHOTOS[name], tmp_path / f"a{EXTENSIONS[name]}", image(scene(), pixel_size, dpi=dpi))
    assert losses == lost
    if pixel_size and pixel_size.x < 20:
        assert back.pixel_size[:2] == pytest.approx(pixel_size[:2], rel=1e-4)
    else:
        assert back.pixel_size is None
    assert back.metadata.dpi == (pytest.approx(dpi, rel=1e-3) if dpi else None)


def test_a_pixel_size_too_small_for_jpeg_is_reported(tmp_path):
    back, losses = again(JPEG, tmp_path / "a.jpg", image(scene(), PixelSize(0.1, 0.1)))
    assert losses == ("pixel_size",)
    assert back.pixel_size is None


@pytest.mark.parametrize("name", ["jpeg", "gif"])
@pytest.mark.parametrize("text", ["plain", "3 µm 細胞", "two\nlines", "x" * 60_000])
def test_a_description_is_a_comment(tmp_path, name, text):
    back, losses = again(PHOTOS[name], tmp_path / f"a{EXTENSIONS[name]}", image(scene()[..., 0], description=text))
    assert losses == ()
    assert back.metadata.description == text


@pytest.mark.parametrize("name", PHOTOS)
def test_a_description_that_cannot_be_encoded_is_reported(tmp_path, name):
    original = image(np.zeros((4, 4, 3), np.uint8), description="\udcff")
    assert PHOTOS[name].write(original, tmp_path / f"a{EXTENSIONS[name]}") == ("description",)


@pytest.mark.parametrize("name", PHOTOS)
def test_the_same_image_gives_the_same_bytes(tmp_path, name):
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
def test_what_does_not_fit_is_refused_with_a_remedy(tmp_path, name, shape, dtype, axes):
    original = Image(np.zeros(shape, dtype), axes)
    assert not PHOTOS[name].can_hold(original.properties)
    with pytest.raises(WriteError, match=f"which {name.upper()} cannot store") as caught:
        PHOTOS[name].write(original, tmp_path / "a")
    assert caught.value.hint
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(("name", "side"), [("jpeg", 65_501), ("webp", 16_384), ("gif", 65_536)])
def test_sides_longer_than_the_format_allows_are_refused(tmp_path, name, side):
    with pytest.raises(WriteError):
        PHOTOS[name].write(image(np.zeros((1, side, 3), np.uint8)), tmp_path / "a")


@pytest.mark.parametrize("name", ["jpeg", "bmp", "gif"])
def test_alpha_is_never_dropped(tmp_path, name):
    with pytest.raises(WriteError) as caught:
        PHOTOS[name].write(image(noise((4, 4, 4))), tmp_path / "a")
    assert caught.value.hint == 'add `to="png"` or `to="tiff"`'


@pytest.mark.parametrize("name", ["jpeg", "bmp"])
def test_large_pictures_are_for_the_guard_to_judge(tmp_path, name, monkeypatch):
    """Pillow's own limit neither warns nor stops, and is left as it was for others."""
    monkeypatch.setattr(PillowImage, "MAX_IMAGE_PIXELS", 100)
    back, _ = again(PHOTOS[name], tmp_path / "a", image(scene()))
    assert back.pixels.shape == scene().shape
    assert PillowImage.MAX_IMAGE_PIXELS == 100


# --- JPEG


def test_jpeg_stays_close(tmp_path):
    back, _ = again(JPEG, tmp_path / "a.jpg", image(scene()))
    assert np.abs(back.pixels.astype(int) - scene()).max() <= 4
    grey, _ = again(JPEG, tmp_path / "b.jpg", image(scene()[..., 0]))
    assert grey.axes == "YX"
    assert np.abs(grey.pixels.astype(int) - scene()[..., 0]).max() <= 3


def test_a_second_pass_over_a_camera_jpeg_is_not_seen(tmp_path):
    PillowImage.fromarray(scene(480, 640)).save(tmp_path / "camera.jpg", quality=85, subsampling="4:2:0")
    first = JPEG.read(tmp_path / "camera.jpg")
    second, _ = again(JPEG, tmp_path / "b.jpg", first)
    error = second.pixels.astype(float) - first.pixels
    assert 10 * np.log10(255**2 / (error**2).mean()) > 45  # dB; 40 is where eyes begin to see it


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_subsampling_is_kept_unless_asked_for(tmp_path, subsampling):
    PillowImage.fromarray(scene()).save(tmp_path / "a.jpg", subsampling=subsampling)
    back, _ = again(JPEG, tmp_path / "b.jpg", JPEG.read(tmp_path / "a.jpg"))
    assert back.metadata.extra["jpeg_subsampling"] == subsampling
    back, _ = again(JPEG, tmp_path / "c.jpg", back, subsampling="4:2:2")
    assert back.metadata.extra["jpeg_subsampling"] == "4:2:2"


def test_colour_from_elsewhere_is_not_subsampled(tmp_path):
    JPEG.write(image(scene()), tmp_path / "a.jpg")
    with PillowImage.open(tmp_path / "a.jpg") as picture:
        assert get_sampling(picture) == 0


def test_progressive_is_read_and_written(tmp_path):
    baseline, _ = again(JPEG, tmp_path / "a.jpg", image(scene()))
    progressive, _ = again(JPEG, tmp_path / "b.jpg", image(scene()), progressive=True)
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
def test_jpegs_are_decoded_as_pillow_does(tmp_path, size, options):
    PillowImage.fromarray(scene(*size)).save(tmp_path / "a.jpg", **options)
    with PillowImage.open(tmp_path / "a.jpg") as picture:
        assert np.array_equal(JPEG.read(tmp_path / "a.jpg").pixels, np.asarray(picture))


def test_a_thumbnails_end_is_not_taken_for_the_pictures(tmp_path):
    JPEG.write(image(scene(8, 8)), tmp_path / "thumbnail.jpg")
    block = exif(1) + (tmp_path / "thumbnail.jpg").read_bytes()
    back, _ = again(JPEG, tmp_path / "a.jpg", image(noise((64, 64, 3)), exif=block))
    assert back.metadata.exif == block
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[:-2])
    with pytest.raises(ReadError, match="truncated"):
        JPEG.read(tmp_path / "a.jpg")


def test_jpegs_of_12_bits_are_refused(tmp_path):
    pixels = noise((16, 16)).astype(np.uint16) * 16
    (tmp_path / "a.jpg").write_bytes(imagecodecs.jpeg8_encode(pixels, bitspersample=12))
    with pytest.raises(ReadError, match="rare variant"):
        JPEG.properties(tmp_path / "a.jpg")


def test_quality_is_what_was_asked_for(tmp_path):
    sizes = []
    for quality in (30, 95, 100):
        JPEG.write(image(noise((64, 64, 3))), tmp_path / "a.jpg", quality=quality)
        sizes.append((tmp_path / "a.jpg").stat().st_size)
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 3


def test_iptc_captions_pass(tmp_path):
    segment = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0a\x1c\x02\x78\0\5hello"
    JPEG.write(image(scene(), extra={"jpeg_iptc": (segment,)}), tmp_path / "a.jpg")
    back, _ = again(JPEG, tmp_path / "b.jpg", JPEG.read(tmp_path / "a.jpg"))
    assert back.metadata.extra["jpeg_iptc"] == (segment,)
    assert segment in (tmp_path / "b.jpg").read_bytes()


def test_cmyk_is_refused_with_a_remedy(tmp_path):
    PillowImage.new("CMYK", (4, 4)).save(tmp_path / "a.jpg")
    for look in (JPEG.read, JPEG.properties):
        with pytest.raises(ReadError, match="CMYK") as caught:
            look(tmp_path / "a.jpg")
        assert "RGB" in caught.value.hint


def test_of_a_phones_two_pictures_the_first_is_read_and_the_other_reported(tmp_path):
    first, second = (PillowImage.fromarray(pixels) for pixels in (scene(), scene()[::-1].copy()))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second], quality=95, subsampling=0)
    back, losses = again(JPEG, tmp_path / "b.jpg", JPEG.read(tmp_path / "a.jpg"))
    assert np.abs(back.pixels.astype(int) - scene()).max() <= 8
    assert losses == ("other_pictures",)


def test_exif_too_long_for_jpeg_is_reported_and_a_turned_one_refused(tmp_path):
    long = bytes(70_000)
    assert JPEG.write(image(scene(), exif=exif(1) + long), tmp_path / "a.jpg") == ("exif",)
    with pytest.raises(WriteError, match="stored rotated"):
        JPEG.write(image(scene(), exif=exif(6) + long), tmp_path / "b.jpg")


@pytest.mark.parametrize("name", ["description", "xmp"])
def test_texts_too_long_for_jpeg_are_reported(tmp_path, name):
    metadata = {"description": "x" * 70_000} if name == "description" else {"extra": {"xmp": bytes(70_000)}}
    assert JPEG.write(image(scene(), **metadata), tmp_path / "a.jpg") == (name,)


def test_comments_in_latin_1_are_read(tmp_path):
    PillowImage.fromarray(scene()).save(tmp_path / "a.jpg", comment="3 µm".encode("latin-1"))
    assert JPEG.read(tmp_path / "a.jpg").metadata.description == "3 µm"


def test_a_jpeg_of_imagemagick_is_read(tmp_path):
    PillowImage.fromarray(scene()).save(tmp_path / "a.png")
    convert(
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


# --- WebP


def test_webp_is_lossless_unless_asked_or_read_from_a_lossy_one(tmp_path):
    def lossy(path):
        return b"VP8 " in path.read_bytes()

    original = image(noise((9, 13, 3)))
    WEBP.write(original, tmp_path / "a.webp")
    assert not lossy(tmp_path / "a.webp")
    WEBP.write(original, tmp_path / "b.webp", quality=80)
    assert lossy(tmp_path / "b.webp")
    WEBP.write(WEBP.read(tmp_path / "b.webp"), tmp_path / "c.webp")
    assert lossy(tmp_path / "c.webp")
    WEBP.write(WEBP.read(tmp_path / "b.webp"), tmp_path / "d.webp", lossless=True)
    assert not lossy(tmp_path / "d.webp")


@pytest.mark.parametrize("options", [{}, {"quality": 80}])
def test_webp_keeps_an_alpha_that_is_opaque_everywhere(tmp_path, options):
    pixels = np.dstack([scene(), np.full((48, 64), 255, np.uint8)])
    back, _ = again(WEBP, tmp_path / "a.webp", image(pixels), **options)
    assert back.pixels.shape == pixels.shape
    assert (back.pixels[..., 3] == 255).all()


def test_webp_keeps_the_colour_below_transparent_pixels(tmp_path):
    pixels = noise((9, 13, 4))
    pixels[..., 3] = 0
    back, _ = again(WEBP, tmp_path / "a.webp", image(pixels))
    assert np.array_equal(back.pixels, pixels)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [False, True])
def test_webps_of_other_tools_are_read(tmp_path, mode, lossless):
    picture = PillowImage.fromarray(noise((9, 14, len(mode))))
    picture.save(tmp_path / "a.webp", lossless=lossless, exif=b"Exif\0\0" + exif(8))
    back = WEBP.read(tmp_path / "a.webp")
    with PillowImage.open(tmp_path / "a.webp") as opened:
        assert np.array_equal(back.pixels, np.asarray(opened))
    assert back.properties == WEBP.properties(tmp_path / "a.webp")
    assert back.metadata.exif == exif(8)


def test_webp_grey_is_refused_with_a_remedy(tmp_path):
    with pytest.raises(WriteError, match="which WEBP cannot store") as caught:
        WEBP.write(image(noise((4, 4))), tmp_path / "a.webp")
    assert caught.value.hint


def test_webp_refuses_colours_multiplied_by_alpha(tmp_path):
    with pytest.raises(WriteError, match="multiplied by alpha"):
        WEBP.write(image(noise((4, 4, 4)), premultiplied=True), tmp_path / "a.webp")


@pytest.mark.parametrize(("name", "kind"), [("webp", "WEBP"), ("gif", "GIF")])
def test_animations_are_refused(tmp_path, name, kind):
    frames = [PillowImage.fromarray(noise((8, 8))) for _ in range(2)]
    frames[1].putpixel((0, 0), 255 - frames[1].getpixel((0, 0)))
    frames[0].save(tmp_path / "a", kind, save_all=True, append_images=frames[1:])
    for look in (PHOTOS[name].read, PHOTOS[name].properties):
        with pytest.raises(ReadError, match="is an animation") as caught:
            look(tmp_path / "a")
        assert caught.value.hint


# --- BMP


@pytest.mark.parametrize("arguments", [[], ["-type", "palette"], ["-compress", "RLE", "-type", "palette"],
                                       ["-define", "bmp:format=bmp2"], ["-define", "bmp:format=bmp3"]])  # fmt: skip
def test_bmps_of_imagemagick_equal_their_rgb_twin(tmp_path, arguments):
    pixels = scene() // 64 * 64
    PillowImage.fromarray(pixels).save(tmp_path / "a.png")
    convert(tmp_path / "a.png", *arguments, tmp_path / "b.bmp")
    back = BMP.read(tmp_path / "b.bmp")
    assert np.array_equal(back.pixels, pixels)
    assert back.properties == BMP.properties(tmp_path / "b.bmp")


def test_a_bmp_of_one_bit_is_grey(tmp_path):
    pixels = (noise((9, 13)) > 128) * np.uint8(255)
    PillowImage.fromarray(pixels).convert("1").save(tmp_path / "a.bmp")
    back = BMP.read(tmp_path / "a.bmp")
    assert back.axes == "YX"
    assert np.array_equal(back.pixels, pixels)


def test_alpha_of_a_bmp_is_read(tmp_path):
    pixels = noise((9, 13, 4))
    PillowImage.fromarray(pixels).save(tmp_path / "a.png")
    convert(tmp_path / "a.png", tmp_path / "b.bmp")
    assert np.array_equal(BMP.read(tmp_path / "b.bmp").pixels, pixels)


# --- GIF


@pytest.mark.parametrize("pixels", [np.zeros((4, 4, 3)), np.full((4, 4, 3), 1), np.indices((4, 4, 3))[1]])
def test_rgb_that_happens_to_be_grey_stays_rgb(tmp_path, pixels):
    back, _ = again(GIF, tmp_path / "a.gif", image(pixels.astype(np.uint8)))
    assert np.array_equal(back.pixels, pixels)


def test_grey_of_few_levels_stays_grey(tmp_path):
    pixels = noise((9, 13)) // 64 * 64
    back, _ = again(GIF, tmp_path / "a.gif", image(pixels))
    assert np.array_equal(back.pixels, pixels)


def test_256_colours_fit_and_257_are_refused(tmp_path):
    pixels = np.zeros((1, 257, 3), np.uint8)
    pixels[0, :, 0] = np.arange(257) % 256
    pixels[0, 256, 1] = 1
    back, _ = again(GIF, tmp_path / "a.gif", image(pixels[:, :256]))
    assert np.array_equal(back.pixels, pixels[:, :256])
    with pytest.raises(WriteError, match="it has 257") as caught:
        GIF.write(image(pixels), tmp_path / "b.gif")
    assert "colors=256" in caught.value.hint
    assert not (tmp_path / "b.gif").exists()


@pytest.mark.parametrize("dither", [False, True])
def test_colours_are_reduced_when_asked(tmp_path, dither):
    back, _ = again(GIF, tmp_path / "a.gif", image(scene()), colors=32, dither=dither)
    assert len(np.unique(back.pixels.reshape(-1, 3), axis=0)) <= 32
    assert np.abs(back.pixels.astype(int) - scene()).mean() < 20


def test_a_transparent_gif_is_rgba(tmp_path):
    pixels = noise((9, 13, 4))
    pixels[..., 3] = np.where(pixels[..., 3] > 128, 255, 0)
    PillowImage.fromarray(pixels[..., :3]).quantize(32).save(tmp_path / "a.gif", transparency=5)
    with PillowImage.open(tmp_path / "a.gif") as picture:
        twin = np.asarray(picture.convert("RGBA"))
    back = GIF.read(tmp_path / "a.gif")
    assert np.array_equal(back.pixels, twin)
    assert set(np.unique(back.pixels[..., 3])) == {0, 255}
    assert back.properties == GIF.properties(tmp_path / "a.gif")


def test_a_gif_of_imagemagick_equals_its_rgb_twin(tmp_path):
    pixels = scene() // 64 * 64
    PillowImage.fromarray(pixels).save(tmp_path / "a.png")
    convert(tmp_path / "a.png", "-interlace", "GIF", tmp_path / "b.gif")
    assert np.array_equal(GIF.read(tmp_path / "b.gif").pixels, pixels)


def test_warnings_of_pillow_stay_inside(tmp_path, capfd):
    JPEG.write(image(scene(), exif=b"II*\0 damaged"), tmp_path / "a.jpg")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        JPEG.read(tmp_path / "a.jpg")
    assert capfd.readouterr() == ("", "")
