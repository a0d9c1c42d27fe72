"""Damaged PNG, JPEG, WebP, BMP, GIF and NPY files raise a `ReadError` of one sentence, and never give wrong pixels."""

import os
import re
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from imgpool.core.errors import ReadError
from imgpool.core.image import Image, Metadata
from imgpool.formats.bmp import BMP
from imgpool.formats.gif import GIF
from imgpool.formats.jpeg import JPEG
from imgpool.formats.npy import NPY
from imgpool.formats.png import PNG
from imgpool.formats.webp import WEBP

FORMATS = {format_.name: format_ for format_ in (PNG, JPEG, WEBP, BMP, GIF, NPY)}
KINDS = {"png": "a PNG", "jpeg": "a JPEG", "webp": "a WebP", "bmp": "a BMP", "gif": "a GIF", "npy": "an NPY"}


def picture():
    """Return 60 × 80 pixels of few colours that differ in every row."""
    y, x = np.mgrid[:60, :80]
    return np.stack([40 + x // 16 * 40, 30 + y // 12 * 40, 200 + 0 * x], axis=-1).astype(np.uint8)


def written(name, folder):
    """Write a valid file; return its bytes, and the pixels it is read as."""
    path = folder / f"good{FORMATS[name].extensions[0]}"
    FORMATS[name].write(Image(picture(), "YXS", metadata=Metadata(description="d")), path)
    return path.read_bytes(), FORMATS[name].read(path).pixels


def refusal(format_, path):
    """Return the message of the error that reading raises; it must be one sentence with a hint."""
    with pytest.raises(ReadError) as caught:
        format_.read(path)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    assert "Traceback" not in caught.value.message
    return caught.value.message


def percentage(message):
    return int(re.search(r"only (\d+)%", message)[1])


@pytest.mark.parametrize("name", FORMATS)
def test_truncated_file_never_gives_wrong_pixels(tmp_path, name, capfd):
    """Only bytes after the last pixel may be missing (the end marker of a GIF); then every pixel must be right."""
    data, pixels = written(name, tmp_path)
    path = tmp_path / "cut"
    for cut in {*range(64), *range(64, len(data), max(1, len(data) // 60)), *range(len(data) - 16, len(data))}:
        path.write_bytes(data[:cut])
        try:
            back = FORMATS[name].read(path)
        except ReadError as error:
            assert error.hint  # noqa: PT017 - either outcome may be right
        else:
            assert name == "gif"
            assert cut >= len(data) - 2
            assert np.array_equal(back.pixels, pixels)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["png", "bmp", "webp", "npy"])
def test_truncated_file_says_how_much_is_present(tmp_path, name):
    rng = np.random.default_rng(5)
    path = tmp_path / "cut"
    FORMATS[name].write(Image(rng.integers(0, 256, (90, 90, 3), np.uint8), "YXS"), path)
    os.truncate(path, path.stat().st_size * 61 // 100)
    message = refusal(FORMATS[name], path)
    assert message.startswith("truncated: ")
    assert percentage(message) in range(59, 64)


def test_truncated_jpeg_says_roughly_how_much_is_present(tmp_path):
    noise = np.random.default_rng(5).integers(0, 256, (400, 400, 3), np.uint8)
    JPEG.write(Image(noise, "YXS"), tmp_path / "a.jpg")
    os.truncate(tmp_path / "a.jpg", (tmp_path / "a.jpg").stat().st_size * 61 // 100)
    message = refusal(JPEG, tmp_path / "a.jpg")
    assert message.startswith("truncated: ")
    assert percentage(message) in range(55, 67)


def test_truncated_progressive_jpeg_is_refused(tmp_path):
    JPEG.write(Image(picture(), "YXS"), tmp_path / "a.jpg", progressive=True)
    os.truncate(tmp_path / "a.jpg", (tmp_path / "a.jpg").stat().st_size * 3 // 4)
    assert refusal(JPEG, tmp_path / "a.jpg").startswith("truncated: ")


def test_jpeg_that_ends_in_zeros_is_refused(tmp_path):
    """A memory card that is removed too early leaves a file of full length that ends in zeros."""
    data, _ = written("jpeg", tmp_path)
    (tmp_path / "a.jpg").write_bytes(data[: len(data) // 2].ljust(len(data), b"\0"))
    assert refusal(JPEG, tmp_path / "a.jpg").startswith("truncated: ")


@pytest.mark.parametrize("name", FORMATS)
def test_empty_zeroed_and_text_files_are_named(tmp_path, name):
    path = tmp_path / f"a{FORMATS[name].extensions[0]}"
    for content, message in [
        (b"", "the file is empty"),
        (bytes(5000), "the file contains only zeros, as an unfinished copy does"),
        (b"these are my notes", f"this is a text file, not {KINDS[name]}"),
        (b"<!doctype html><title>404</title>", f"this is a web page, not {KINDS[name]}"),
    ]:
        path.write_bytes(content)
        assert refusal(FORMATS[name], path) == message
        with pytest.raises(ReadError):
            FORMATS[name].properties(path)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("other", FORMATS)
def test_file_of_another_format_is_named(tmp_path, name, other):
    if name == other:
        return
    data, _ = written(other, tmp_path)
    path = tmp_path / f"a{FORMATS[name].extensions[0]}"
    path.write_bytes(data)
    assert refusal(FORMATS[name], path).startswith(f"this is {KINDS[other]} named ")


@pytest.mark.parametrize("name", FORMATS)
def test_os_errors_are_passed_on(tmp_path, name):
    for look in (FORMATS[name].read, FORMATS[name].properties):
        with pytest.raises(FileNotFoundError):
            look(tmp_path / "vanished")
        with pytest.raises(IsADirectoryError):
            look(tmp_path)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc")
def test_input_output_error_is_not_reported_as_damage(name):
    with pytest.raises(OSError, match="Input/output error"):
        FORMATS[name].read(Path("/proc/self/mem"))


@pytest.mark.parametrize("name", FORMATS)
def test_unusual_file_names_are_read(tmp_path, name):
    for stem in ("new\nline", "-rf", "🦠", "b" * 230, os.fsdecode(b"\xff\xfe"), " ", "%s{0}"):
        path = tmp_path / f"{stem}{FORMATS[name].extensions[0]}"
        FORMATS[name].write(Image(picture(), "YXS"), path)
        assert FORMATS[name].read(path).pixels.shape == picture().shape
        path.write_bytes(path.read_bytes()[:-40])
        refusal(FORMATS[name], path)


@pytest.mark.parametrize("name", FORMATS)
def test_properties_are_read_although_pixels_do_not_decode(tmp_path, name):
    data, pixels = written(name, tmp_path)
    path = tmp_path / "cut"
    path.write_bytes(data[: -len(data) // 3] if name in {"png", "jpeg", "gif"} else data)  # the pixels would not decode
    assert FORMATS[name].properties(path).shape == pixels.shape


# --- PNG


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(header, *chunks):
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunk(*each) for each in chunks) + chunk(b"IEND", b"")
    )


def ihdr(width=4, height=4, depth=8, colour=0, compression=0, filtering=0, interlace=0):
    return struct.pack(">IIBBBBB", width, height, depth, colour, compression, filtering, interlace)


def test_flipped_bit_of_a_png_is_detected(tmp_path):
    data, _ = written("png", tmp_path)
    path = tmp_path / "flipped.png"
    rng = np.random.default_rng(11)
    for position in {*range(60), *rng.integers(0, len(data), 200).tolist()}:
        flipped = bytearray(data)
        flipped[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        refusal(PNG, path)


def test_forged_size_of_a_png_allocates_nothing(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(ihdr(65_535, 65_535, 16, 6), (b"IDAT", zlib.compress(bytes(3_000_000)))))
    assert path.stat().st_size < 4096
    tracemalloc.start()
    try:
        for access in (PNG.properties, PNG.read):
            with pytest.raises(ReadError, match="far too little data for a picture of its size"):
                access(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "header",
    [
        ihdr(width=0),
        ihdr(height=0),
        ihdr(depth=3),
        ihdr(colour=1),
        ihdr(depth=16, colour=3),
        ihdr(compression=1),
        ihdr(filtering=1),
        ihdr(interlace=2),
        ihdr()[:12],
    ],
)
def test_invalid_png_headers_are_refused(tmp_path, header):
    (tmp_path / "a.png").write_bytes(png(header, (b"IDAT", zlib.compress(bytes(20)))))
    assert "header" in refusal(PNG, tmp_path / "a.png")
    with pytest.raises(ReadError):
        PNG.properties(tmp_path / "a.png")


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [(b"IDAT", b"")],
        [(b"IDAT", b"not zlib at all")],
        [(b"IDAT", zlib.compress(bytes(15)))],  # a row is missing, all checksums are valid
        [(b"IDAT", zlib.compress(bytes(20))[:-1] + b"!")],
        [(b"IDAT", zlib.compress(b"\x09" * 20))],  # no such row filter
    ],
)
def test_png_with_invalid_pixels_is_refused(tmp_path, chunks, capfd):
    (tmp_path / "a.png").write_bytes(png(ihdr(), *chunks))
    refusal(PNG, tmp_path / "a.png")
    assert capfd.readouterr() == ("", "")


def test_missing_palette_is_refused(tmp_path):
    rows = zlib.compress(bytes(5) + b"\0\7\7\7\7" * 3)
    (tmp_path / "a.png").write_bytes(png(ihdr(colour=3), (b"IDAT", rows)))
    refusal(PNG, tmp_path / "a.png")


@pytest.mark.parametrize(("colour", "body"), [(0, bytes(7)), (2, bytes(2)), (3, b""), (4, bytes(2)), (6, bytes(6))])
def test_invalid_transparency_is_refused(tmp_path, colour, body):
    (tmp_path / "a.png").write_bytes(png(ihdr(colour=colour), (b"tRNS", body), (b"IDAT", zlib.compress(bytes(68)))))
    assert "transparency" in refusal(PNG, tmp_path / "a.png")


def test_superfluous_tables_are_ignored(tmp_path, capfd):
    """A palette in a grey image and a second transparent colour; libpng would print a warning."""
    tables = [(b"PLTE", bytes(7)), (b"tRNS", bytes(2)), (b"tRNS", b"\0\1")]
    (tmp_path / "a.png").write_bytes(png(ihdr(), *tables, (b"IDAT", zlib.compress(bytes(20)))))
    assert not PNG.read(tmp_path / "a.png").pixels.any()
    assert capfd.readouterr() == ("", "")


def test_chunk_that_declares_gigabytes_allocates_nothing(tmp_path):
    data = png(ihdr(), (b"IDAT", zlib.compress(bytes(20))))
    claim = data[:33] + struct.pack(">I4s", 2**31 - 1, b"tEXt") + data[33:]
    (tmp_path / "a.png").write_bytes(claim)
    tracemalloc.start()
    try:
        assert refusal(PNG, tmp_path / "a.png") == "truncated: the file ends within its header"
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


# --- the others


@pytest.mark.parametrize("name", ["jpeg", "webp", "bmp", "gif"])
def test_flipped_bits_raise_only_read_errors(tmp_path, name, capfd):
    """Formats without checksums cannot detect every flipped bit; the image at least fits its header."""
    data, pixels = written(name, tmp_path)
    path = tmp_path / "flipped"
    rng = np.random.default_rng(13)
    for position in {*range(80), *rng.integers(0, len(data), 150).tolist()} & set(range(len(data))):
        flipped = bytearray(data)
        flipped[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        try:
            properties = FORMATS[name].properties(path)
            if properties.nbytes > 16 * pixels.nbytes:
                continue
            back = FORMATS[name].read(path)
        except ReadError as error:
            assert "\n" not in error.message  # noqa: PT017 - either outcome is right
        else:
            assert back.pixels.dtype == np.uint8
            assert back.properties == properties
    assert capfd.readouterr() == ("", "")


def test_forged_bmp_size_allocates_nothing(tmp_path):
    data, _ = written("bmp", tmp_path)
    (tmp_path / "a.bmp").write_bytes(data[:18] + struct.pack("<ii", 65_535, 65_535) + data[26:])
    tracemalloc.start()
    try:
        assert refusal(BMP, tmp_path / "a.bmp").startswith("truncated: only 1%")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["webp", "gif"])
def test_forged_size_shows_in_the_properties(tmp_path, name):
    data, _ = written(name, tmp_path)
    start = 6 if name == "gif" else 24
    forged = struct.pack("<HH", 65_535, 65_535) if name == "gif" else b"\xfe\x3f\x00\xfe\x3f\x00"
    (tmp_path / "a").write_bytes(data[:start] + forged + data[start + len(forged) :])
    expected = {"gif": (65_535, 65_535), "webp": (16_383, 16_383)}[name]
    assert FORMATS[name].properties(tmp_path / "a").shape[:2] == expected


@pytest.mark.parametrize("frame", [b"\xff\xc0", b"\xff\xc9"])
def test_forged_size_of_a_jpeg_is_refused_unless_arithmetic(tmp_path, frame):
    """A block takes at least one bit in Huffman codes; arithmetic coding has no such bound."""
    data, _ = written("jpeg", tmp_path)
    start = data.index(b"\xff\xc0")
    forged = frame + data[start + 2 : start + 5] + struct.pack(">HH", 65_500, 65_500)
    (tmp_path / "a").write_bytes(data[:start] + forged + data[start + len(forged) :])
    if frame == b"\xff\xc9":
        assert FORMATS["jpeg"].properties(tmp_path / "a").shape[:2] == (65_500, 65_500)
    else:
        assert "far too little data" in refusal(FORMATS["jpeg"], tmp_path / "a")


def test_webp_smaller_than_its_canvas_is_refused(tmp_path):
    data, _ = written("webp", tmp_path)
    (tmp_path / "a.webp").write_bytes(data[:24] + b"\x60\0\0" + data[27:])
    refusal(WEBP, tmp_path / "a.webp")


def test_settings_of_pillow_are_not_changed():
    from PIL import ImageFile

    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    assert PillowImage.MAX_IMAGE_PIXELS
