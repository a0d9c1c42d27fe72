"""PNG: pixels and metadata are kept, and files of other programs are read."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import PngImagePlugin

import imgpool
from imgpool.core.errors import ReadError, WriteError
from imgpool.core.exif import orientation
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.formats.png import PNG
from imgpool.formats.png import _encode as _png_encode
from tests.support.tools import run_tool

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SHAPES = {"grey": (7, 5), "grey + alpha": (7, 5, 2), "RGB": (7, 5, 3), "RGBA": (7, 5, 4)}
ICC = bytes(range(256)) * 3


def exif(value):
    return b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1" + struct.pack(">HH", value, 0) + b"\0\0\0\0" + b"camera"


def noise(shape, dtype=np.uint8):
    return np.random.default_rng(7).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def image(pixels, pixel_size=None, **metadata):
    return Image(pixels, "YX" if pixels.ndim == 2 else "YXS", pixel_size, Metadata(**metadata))


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, depth, colour, rows, *, before=(), after=()):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = [(b"IHDR", header), *before, (b"IDAT", pixels), *after, (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(*each) for each in chunks)


def read(path, data):
    path.write_bytes(data)
    result = PNG.read(path)
    assert result.properties == PNG.properties(path)
    return result


def chunk_kinds(data):
    kinds, start = [], 8
    while start < len(data):
        (length,) = struct.unpack_from(">I", data, start)
        kinds.append(data[start + 4 : start + 8])
        start += 12 + length
    return kinds


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("level", [0, 1, 6])
def test_every_pixel_is_kept(tmp_path, dtype, kind, level):
    pixels = noise(SHAPES[kind], dtype)
    assert PNG.write(image(pixels), tmp_path / "a.png", level=level) == ()
    back = PNG.read(tmp_path / "a.png")
    assert back.pixels.dtype == dtype
    assert np.array_equal(back.pixels, pixels)
    assert back.pixels.flags.writeable
    assert back.properties == PNG.properties(tmp_path / "a.png")


def test_16_bit_rgb_keeps_its_values(tmp_path):
    """Pillow alone would return 156 for 40000."""
    pixels = np.full((4, 4, 3), 40_000, np.uint16)
    back = read(tmp_path / "a.png", imagecodecs.png_encode(pixels))
    assert back.pixels.dtype == np.uint16
    assert back.pixels.max() == 40_000


def test_strided_array_is_written_correctly(tmp_path):
    pixels = noise((20, 30, 3), np.uint16)[::-2, 1::3]
    PNG.write(image(pixels), tmp_path / "a.png")
    assert np.array_equal(PNG.read(tmp_path / "a.png").pixels, pixels)


@pytest.mark.parametrize("level", [1, 6])
def test_pillow_reads_the_same_pixels(tmp_path, level):
    for shape in SHAPES.values():
        pixels = noise(shape)
        PNG.write(image(pixels), tmp_path / "a.png", level=level)
        with PillowImage.open(tmp_path / "a.png") as picture:
            assert np.array_equal(np.asarray(picture), pixels)


@pytest.mark.parametrize("transparency", [None, b"\0\x80"])
def test_palette_is_read_as_its_colours(tmp_path, transparency):
    picture = PillowImage.fromarray(noise((20, 30, 3))).quantize(60)
    options = {"transparency": transparency} if transparency else {}
    picture.save(tmp_path / "palette.png", **options)
    with PillowImage.open(tmp_path / "palette.png") as opened:
        twin = np.asarray(opened.convert("RGBA" if transparency else "RGB"))
    back = PNG.read(tmp_path / "palette.png")
    assert np.array_equal(back.pixels, twin)
    assert PNG.properties(tmp_path / "palette.png") == back.properties


@pytest.mark.parametrize(
    ("depth", "row", "grey"),
    [
        (1, b"\xa0", [255, 0, 255, 0]),
        (2, b"\x1b", [0, 85, 170, 255]),
        (4, b"\x0f\x37", [0, 255, 51, 119]),
    ],
)
def test_grey_of_few_bits_is_scaled_to_the_full_range(tmp_path, depth, row, grey):
    back = read(tmp_path / "a.png", png(4, 1, depth, 0, [row]))
    assert back.pixels.tolist() == [grey]


@pytest.mark.parametrize(
    ("depth", "colour", "row", "key", "pixels"),
    [
        (8, 0, b"\x05\x06", b"\0\x05", [[5, 0], [6, 255]]),
        (16, 0, b"\x01\x05\x01\x06", b"\x01\x05", [[261, 0], [262, 65535]]),
        (8, 2, b"\1\2\3\1\2\4", b"\0\1\0\2\0\3", [[1, 2, 3, 0], [1, 2, 4, 255]]),
        (16, 2, b"\0\1\0\2\0\3\1\1\0\2\0\3", b"\0\1\0\2\0\3", [[1, 2, 3, 0], [257, 2, 3, 65535]]),
        (1, 0, b"\x40", b"\0\1", [[0, 255], [255, 0]]),
    ],
)
def test_transparent_colour_is_read_as_alpha(tmp_path, depth, colour, row, key, pixels):
    back = read(tmp_path / "a.png", png(2, 1, depth, colour, [row], before=[(b"tRNS", key)]))
    assert back.pixels.tolist() == [pixels]


def test_interlaced_file_is_read_without_log_messages(tmp_path, caplog):
    pixels = noise((37, 23, 3))
    PillowImage.fromarray(pixels).save(tmp_path / "plain.png")
    run_tool("convert", tmp_path / "plain.png", "-interlace", "PNG", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes()[28] == 1
    assert np.array_equal(PNG.read(tmp_path / "a.png").pixels, pixels)
    assert caplog.text == ""


@pytest.mark.parametrize("tool", [["convert"], ["vips", "copy"]])
@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_files_of_other_programs_are_read(tmp_path, tool, kind, dtype):
    pixels = noise(SHAPES[kind], dtype)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    run_tool(*tool, tmp_path / "a.png", tmp_path / "b.png")
    back = PNG.read(tmp_path / "b.png")
    assert np.array_equal(back.pixels, pixels)
    assert back.pixels.dtype == dtype


def test_metadata_is_kept(tmp_path):
    xmp = b"<x:xmpmeta/>"
    metadata = {"icc": ICC, "exif": exif(3), "description": "Zelle, 3 µm", "extra": {"xmp": xmp}}
    original = image(noise((7, 5)), PixelSize(0.325, 0.65), **metadata)
    assert PNG.write(original, tmp_path / "a.png") == ()
    back = PNG.read(tmp_path / "a.png")
    assert back.metadata == original.metadata
    assert back.pixel_size[:2] == pytest.approx((0.325, 0.65), rel=1e-6)
    assert PNG.properties(tmp_path / "a.png").pixel_size == back.pixel_size


@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_is_kept(tmp_path, value):
    PNG.write(image(noise((7, 5)), exif=exif(value)), tmp_path / "a.png")
    block = PNG.read(tmp_path / "a.png").metadata.exif
    assert block == exif(value)
    assert orientation(block) == value


@pytest.mark.parametrize("text", ["plain", "Zelle µ ä", "細胞 λ", "two\nlines", "x" * 100_000])
def test_description_in_any_script_is_kept(tmp_path, text):
    assert PNG.write(image(noise((2, 2)), description=text), tmp_path / "a.png") == ()
    assert PNG.read(tmp_path / "a.png").metadata.description == text
    with PillowImage.open(tmp_path / "a.png") as picture:
        assert picture.info["Description"] == text


@pytest.mark.parametrize("text", ["a\0b", "\udcff"])
def test_description_that_png_cannot_store_is_reported(tmp_path, text):
    assert PNG.write(image(noise((2, 2)), description=text), tmp_path / "a.png") == ("description",)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("text", ["plain", "細胞"])
def test_description_in_any_text_chunk_is_read(tmp_path, compressed, text):
    info = PngImagePlugin.PngInfo()
    info.add_itxt("Description", text, zip=compressed) if text != "plain" else info.add_text(
        "Description", text, zip=compressed
    )
    PillowImage.fromarray(noise((4, 4))).save(tmp_path / "a.png", pnginfo=info)
    assert PNG.read(tmp_path / "a.png").metadata.description == text


def test_resolution_for_print_is_dpi(tmp_path):
    PillowImage.fromarray(noise((4, 4))).save(tmp_path / "a.png", dpi=(300, 150))
    back = PNG.read(tmp_path / "a.png")
    assert back.pixel_size is None
    assert back.metadata.dpi == pytest.approx((300, 150), rel=1e-4)
    PNG.write(back, tmp_path / "b.png")
    assert PNG.read(tmp_path / "b.png").metadata.dpi == back.metadata.dpi


def test_aspect_ratio_is_not_a_resolution(tmp_path):
    back = read(tmp_path / "a.png", png(1, 1, 8, 0, [b"\1"], before=[(b"pHYs", struct.pack(">IIB", 1, 2, 0))]))
    assert back.pixel_size is None
    assert back.metadata.dpi is None


@pytest.mark.parametrize(
    ("pixel_size", "lost"),
    [
        (PixelSize(25, 25), ("pixel_size",)),  # would be read as dpi
        (PixelSize(1, 1, 2), ("pixel_size",)),  # no place for a depth
        (PixelSize(1e-5, 1e-5), ("pixel_size",)),  # more pixels per metre than 31 bits count
        (PixelSize(1e-3, 1e-3), ()),
    ],
)
def test_pixel_size_that_png_cannot_store_is_reported(tmp_path, pixel_size, lost):
    assert PNG.write(image(noise((2, 2)), pixel_size), tmp_path / "a.png") == lost


def test_other_texts_and_colour_chunks_are_kept_unchanged(tmp_path):
    before = [(b"gAMA", b"\0\0\xb1\x8f"), (b"sRGB", b"\0"), (b"tEXt", b"Author\0me"), (b"tIME", b"\x07\xe8\1\1\1\1\1")]
    after = [(b"tEXt", b"Software\0camera")]
    back = read(tmp_path / "a.png", png(2, 1, 8, 0, [b"\1\2"], before=before, after=after))
    assert back.pixels.tolist() == [[1, 2]]  # gAMA changes no pixel
    PNG.write(back, tmp_path / "b.png")
    data = (tmp_path / "b.png").read_bytes()
    assert chunk_kinds(data) == [b"IHDR", b"gAMA", b"sRGB", b"tEXt", b"tEXt", b"IDAT", b"IEND"]
    assert b"Author\0me" in data
    assert b"Software\0camera" in data


def test_profile_replaces_srgb_chunk(tmp_path):
    back = read(tmp_path / "a.png", png(2, 1, 8, 0, [b"\1\2"], before=[(b"sRGB", b"\0")]))
    PNG.write(image(back.pixels, icc=ICC, extra=back.metadata.extra), tmp_path / "b.png")
    assert chunk_kinds((tmp_path / "b.png").read_bytes()) == [b"IHDR", b"iCCP", b"IDAT", b"IEND"]


@pytest.mark.parametrize(
    ("space", "kind", "lost"),
    [
        (b"RGB ", "grey", ("icc",)),
        (b"RGB ", "RGB", ()),
        (b"GRAY", "RGBA", ("icc",)),
        (b"GRAY", "grey + alpha", ()),
    ],
)
def test_profile_for_other_colours_is_reported(tmp_path, space, kind, lost):
    profile = bytes(16) + space + bytes(200)
    assert PNG.write(image(noise(SHAPES[kind]), icc=profile), tmp_path / "a.png") == lost
    assert PNG.read(tmp_path / "a.png").metadata.icc == (None if lost else profile)


def test_exif_in_a_text_of_imagemagick_is_read(tmp_path):
    block = b"Exif\0\0" + exif(6)
    text = f"\nexif\n{len(block):8}\n{block.hex()}\n".encode()
    raw = b"Raw profile type exif\0\0" + zlib.compress(text)
    back = read(tmp_path / "a.png", png(1, 1, 8, 0, [b"\1"], before=[(b"zTXt", raw)]))
    assert back.metadata.exif == exif(6)
    PNG.write(back, tmp_path / "b.png")
    assert chunk_kinds((tmp_path / "b.png").read_bytes()) == [b"IHDR", b"eXIf", b"IDAT", b"IEND"]


def test_exif_after_the_pixels_is_read(tmp_path):
    back = read(tmp_path / "a.png", png(1, 1, 8, 0, [b"\1"], after=[(b"eXIf", exif(6))]))
    assert orientation(back.metadata.exif) == 6


@pytest.mark.parametrize("body", [b"name\0\0not zlib", b"name", b"name\0\0" + zlib.compress(bytes(100))[:9]])
def test_damaged_profile_is_ignored(tmp_path, capfd, body):
    back = read(tmp_path / "a.png", png(1, 1, 8, 0, [b"\1"], before=[(b"iCCP", body)]))
    assert back.metadata.icc is None
    assert capfd.readouterr() == ("", "")


def test_profile_that_inflates_too_much_is_ignored(tmp_path):
    bomb = b"name\0\0" + zlib.compress(bytes(65 << 20))
    back = read(tmp_path / "a.png", png(1, 1, 8, 0, [b"\1"], before=[(b"iCCP", bomb)]))
    assert back.metadata.icc is None


def test_animations_are_refused(tmp_path):
    frames = [PillowImage.fromarray(noise((4, 4))), PillowImage.new("L", (4, 4))]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    for look in (PNG.read, PNG.properties):
        with pytest.raises(ReadError, match="animation of 2 frames") as caught:
            look(tmp_path / "a.png")
        assert caught.value.hint


@pytest.mark.parametrize(
    ("pixels", "axes", "hint"),
    [
        (np.zeros((3, 4, 5), np.uint16), "ZYX", 'add `to="tiff"`'),
        (np.zeros((4, 5), np.float32), "YX", 'add `filters=["rescale_intensity:out=uint8"]`, or `to="tiff"`'),
        (np.zeros((4, 5), np.int32), "YX", 'add `filters=["rescale_intensity:out=uint8"]`, or `to="tiff"`'),
    ],
)
def test_unsupported_image_is_refused_with_a_hint(tmp_path, pixels, axes, hint):
    original = Image(pixels, axes)
    assert not PNG.can_hold(original.properties)
    with pytest.raises(WriteError, match="PNG cannot store") as caught:
        PNG.write(original, tmp_path / "a.png")
    assert caught.value.hint == hint
    assert not (tmp_path / "a.png").exists()


def test_premultiplied_colours_are_refused(tmp_path):
    with pytest.raises(WriteError, match="multiplied by alpha"):
        PNG.write(image(noise((4, 4, 4)), premultiplied=True), tmp_path / "a.png")
    assert PNG.write(image(noise((4, 4, 3)), premultiplied=True), tmp_path / "a.png") == ()


def test_same_image_gives_the_same_bytes(tmp_path):
    original = image(noise((30, 40, 3)), PixelSize(1, 1), icc=ICC, exif=exif(1), description="d")
    PNG.write(original, tmp_path / "a.png")
    PNG.write(original, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_copy_has_the_same_bytes(tmp_path):
    original = image(noise((30, 40, 3)), PixelSize(1, 1), icc=ICC, exif=exif(1), description="d")
    PNG.write(original, tmp_path / "a.png")
    PNG.write(PNG.read(tmp_path / "a.png"), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_bytes_after_the_end_are_ignored(tmp_path):
    pixels = noise((4, 5))
    back = read(tmp_path / "a.png", imagecodecs.png_encode(pixels) + b"appended by some camera")
    assert np.array_equal(back.pixels, pixels)


def test_pillow_reads_the_written_metadata(tmp_path):
    PNG.write(image(noise((4, 4)), icc=ICC, exif=exif(6), dpi=(300, 300)), tmp_path / "a.png")
    with PillowImage.open(io.BytesIO((tmp_path / "a.png").read_bytes())) as picture:
        picture.load()
        assert picture.info["icc_profile"] == ICC
        assert picture.info["exif"].removeprefix(b"Exif\0\0") == exif(6)
        assert picture.info["dpi"] == pytest.approx((300, 300), rel=1e-4)


def test_long_header_is_read(tmp_path):
    """The profile of a printer can be longer than the first read."""
    profile = np.random.default_rng(1).bytes(300_000)
    source = image(noise((50, 40, 3)), icc=profile, description="x" * 70_000)
    assert PNG.write(source, tmp_path / "a.png") == ()
    back = PNG.read(tmp_path / "a.png")
    assert PNG.properties(tmp_path / "a.png") == back.properties == source.properties
    assert (back.metadata.icc, back.metadata.description) == (profile, "x" * 70_000)
    assert np.array_equal(back.pixels, source.pixels)


def test_chunks_between_and_after_the_pixels_are_read(tmp_path):
    pixels = zlib.compress(b"".join(b"\0" + bytes(range(5)) for _ in range(4)))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 4, 8, 0, 0, 0, 0))
    comment, description = chunk(b"tEXt", b"Comment\0dusk"), chunk(b"tEXt", b"Description\0cell")
    body = [chunk(b"IDAT", pixels[:7]), comment, chunk(b"IDAT", pixels[7:]), description, chunk(b"IEND", b"")]
    back = read(tmp_path / "a.png", SIGNATURE + header + b"".join(body) + b"what is behind the end is not the PNG's")
    assert np.array_equal(back.pixels, np.tile(np.arange(5, dtype=np.uint8), (4, 1)))
    assert back.metadata.description == "cell"
    assert back.metadata.extra["png_texts"] == ((b"tEXt", b"Comment\0dusk"),)


@pytest.mark.parametrize("place", [20, 31, 45, 60, -6, -20])
def test_changed_byte_is_detected(tmp_path, place):
    PNG.write(image(noise((20, 20))), tmp_path / "a.png")
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[place] ^= 1
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ReadError, match="damaged"):
        PNG.read(tmp_path / "a.png")


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("level", [0, 1, 6])
def test_larger_pictures_are_kept(tmp_path, dtype, kind, level):
    pixels = np.tile(noise(SHAPES[kind], dtype), (40, 41, 1)[: len(SHAPES[kind])])
    assert PNG.write(image(pixels), tmp_path / "a.png", level=level) == ()
    assert np.array_equal(PNG.read(tmp_path / "a.png").pixels, pixels)
    by_pillow = np.asarray(PillowImage.open(tmp_path / "a.png"))
    assert dtype == np.uint16 or np.array_equal(by_pillow, pixels)


@pytest.mark.parametrize("limits", [(0, 50), (10**6, 10**9)], ids=["too large", "too small"])
@pytest.mark.parametrize("kind", SHAPES)
def test_very_small_and_very_large_pictures_use_libpng(tmp_path, monkeypatch, kind, limits):
    pixels = noise(SHAPES[kind], np.uint16)
    monkeypatch.setattr(_png_encode, "MIN_LIBDEFLATE_BYTES", limits[0])
    monkeypatch.setattr(_png_encode, "MAX_LIBDEFLATE_BYTES", limits[1])
    assert PNG.write(image(pixels), tmp_path / "a.png") == ()
    assert (tmp_path / "a.png").read_bytes() == imagecodecs.png_encode(pixels, level=1, strategy=3, filter=0x20)
    assert np.array_equal(PNG.read(tmp_path / "a.png").pixels, pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_masks_and_smooth_pictures_are_small(tmp_path, dtype):
    """If rows repeat, run lengths are shorter than the output of the faster compressor."""
    y, x = np.mgrid[:600, :600]
    disks = ((y % 150 - 75) ** 2 + (x % 150 - 75) ** 2 < 2000) * np.iinfo(dtype).max
    waves = 100 + 20 * np.sin(y / 50) + 20 * np.cos(x / 30)
    for pixels in (disks.astype(dtype), waves.astype(dtype)):
        PNG.write(image(pixels), tmp_path / "a.png")
        by_libpng = imagecodecs.png_encode(pixels, level=1, strategy=3, filter=0x20)
        assert (tmp_path / "a.png").stat().st_size <= 1.05 * len(by_libpng)
        assert np.array_equal(PNG.read(tmp_path / "a.png").pixels, pixels)


TEXTS = ((b"tEXt", b"Author\0Ada"), (b"tEXt", b"Comment\0dusk"))
COLOUR_CHUNKS = ((b"sRGB", b"\0"), (b"gAMA", (45_455).to_bytes(4)))


@pytest.fixture
def source(tmp_path):
    """Read an image from a PNG with texts and chunks about colour."""
    metadata = Metadata(extra={"png_colour": COLOUR_CHUNKS, "png_texts": TEXTS})
    assert imgpool.write(Image(np.zeros((4, 4, 3), np.uint8), "YXS", metadata=metadata), tmp_path / "a.png") == ()
    return imgpool.read(tmp_path / "a.png")


def test_texts_and_colour_chunks_are_kept(source):
    assert source.metadata.extra == {"png_colour": COLOUR_CHUNKS, "png_texts": TEXTS}


@pytest.mark.parametrize("extension", ["jpg", "webp", "tif", "gif", "bmp", "npy"])
def test_texts_are_reported_lost_in_other_formats(source, tmp_path, extension):
    assert imgpool.write(source, tmp_path / f"a.{extension}") == ("texts",)
