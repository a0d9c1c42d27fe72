"""Files that expand: valid blank images pass at any ratio, and forged sizes are found before memory is allocated."""

import itertools
import struct
import zlib

import imagecodecs
import numpy as np
import pytest

from imgpool.core.catalogue import FORMATS
from imgpool.core.errors import ReadError, WorkerError
from imgpool.core.image import Image, Properties
from imgpool.core.recipe import Recipe
from imgpool.formats._expansion import MAX_DEFLATE_RATIO, MAX_LZW_RATIO, MAX_PACKBITS_RATIO
from imgpool.system.memory import memory_use, reset_peak_memory
from imgpool.work.files import format_of, read, write

SIDE = 1000
"""Large enough for every codec to come near its highest ratio."""

TIFF_OPTIONS = [
    {"compression": compression, **tile}
    for compression, tile in itertools.product(("deflate", "lzw", "zstd", "packbits", "none"), ({}, {"tile": 256}))
]
OPTIONS = {"tiff": TIFF_OPTIONS, "png": [{"level": 0}, {"level": 9}], "webp": [{}, {"lossless": True}]}
"""Options of the writers that change how much a blank image is compressed; the default for the other formats."""

KINDS = [("uint8", ()), ("uint8", (3,)), ("uint8", (4,)), ("uint16", ()), ("float32", ())]
CASES = [
    (format_.name, options, dtype, samples)
    for format_ in FORMATS.built_in()
    for options in OPTIONS.get(format_.name, [{}])
    for dtype, samples in KINDS
    if format_.can_hold(Properties((SIDE, SIDE, *samples), np.dtype(dtype), "YXS" if samples else "YX"))
]


def case_name(case):
    name, options, dtype, samples = case
    return "-".join([name, *map(str, options.values()), dtype, *map(str, samples)])


@pytest.mark.parametrize("value", [0, 200])
@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_own_blank_output_can_be_read_again(tmp_path, case, value):
    name, options, dtype, samples = case
    blank = Image(np.full((SIDE, SIDE, *samples), value, dtype), "YXS" if samples else "YX")
    path = tmp_path / f"blank{FORMATS[name].extensions[0]}"
    write(blank, path, **options)
    again = read(path)
    assert again.properties.shape == blank.properties.shape
    assert (np.abs(again.pixels[::50, ::50].astype(float) - value) <= (2 if FORMATS[name].lossy else 0)).all()


def test_every_format_and_compression_is_covered():
    assert {case[0] for case in CASES} == {each.name for each in FORMATS.built_in()}
    declared = next(each for each in FORMATS["tiff"].describe() if each["name"] == "compression")
    assert {each["compression"] for each in TIFF_OPTIONS} == set(declared["type"].split(" | "))


def test_blank_bilevel_images_pass(tmp_path):
    """One bit per pixel in the file is a byte in memory: eight times the ratio of deflate."""
    side = 16_000
    rows = bytes(1 + side // 8) * side
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)), (b"IDAT", zlib.compress(rows, 9))]
    path = tmp_path / "blank.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(map(png_chunk, [*chunks, (b"IEND", b"")])))
    assert side * side > 2 * MAX_DEFLATE_RATIO * path.stat().st_size
    assert format_of(path).properties(path).shape == (side, side)


def png_chunk(chunk):
    kind, body = chunk
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize(
    ("encode", "ratio"),
    [
        (lambda data: zlib.compress(data, 9), MAX_DEFLATE_RATIO),
        (imagecodecs.lzw_encode, MAX_LZW_RATIO),
        (imagecodecs.packbits_encode, MAX_PACKBITS_RATIO),
    ],
    ids=["deflate", "lzw", "packbits"],
)
def test_codecs_stay_below_their_bound(encode, ratio):
    encoded = encode(bytes(100_000))
    assert ratio / 20 < 100_000 / len(encoded) <= ratio


def forged_png(small):
    small[16:24] = struct.pack(">II", 60_000, 60_000)
    small[29:33] = struct.pack(">I", zlib.crc32(small[12:29]))


def forged_jpeg(small):
    frame = small.index(b"\xff\xc0") + 5
    small[frame : frame + 4] = struct.pack(">HH", 60_000, 60_000)


def forged_gif(small):
    picture = small.index(b"\x2c", 13 + 3 * 2 ** ((small[10] & 7) + 1) * (small[10] >> 7)) + 5
    small[6:10] = small[picture : picture + 4] = struct.pack("<HH", 60_000, 60_000)


def forged_bmp(small):
    small[18:26] = struct.pack("<ii", 60_000, 60_000)


def forged_npy(small):
    header = bytes(small).replace(b"(16, 16), }", b"(60000, 60000), }")
    extra = len(header) - len(small)
    small[:] = header.replace(b"}" + b" " * extra, b"}", 1)


def forged_tiff(small):
    """Set width, height and rows per strip of a little-endian TIFF, whose tags have 12 bytes each."""
    start = struct.unpack_from("<I", small, 4)[0] + 2
    for entry in range(start, start + 12 * struct.unpack_from("<H", small, start - 2)[0], 12):
        if struct.unpack_from("<H", small, entry)[0] in {256, 257, 278}:
            small[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, 60_000)


FORGERIES = [
    ("png", {}, forged_png),
    ("jpeg", {}, forged_jpeg),
    ("gif", {}, forged_gif),
    ("bmp", {}, forged_bmp),
    ("npy", {}, forged_npy),
    *(("tiff", {"compression": each}, forged_tiff) for each in ("deflate", "lzw", "packbits", "none")),
]


@pytest.mark.parametrize(("name", "options", "forge"), FORGERIES, ids=[f"{f[0]}-{f[1]}" for f in FORGERIES])
def test_forged_size_is_found_before_allocation(tmp_path, name, options, forge):
    path = tmp_path / f"bomb{FORMATS[name].extensions[0]}"
    write(Image.from_array(np.tile(np.arange(16, dtype=np.uint8), (16, 1))), path, **options)
    small = bytearray(path.read_bytes())
    forge(small)
    path.write_bytes(small)
    reset_peak_memory()
    before = memory_use().peak
    with pytest.raises(ReadError, match=r"damaged|truncated"):
        format_of(path).properties(path)
    assert memory_use().peak - before < 100e6


def test_image_beyond_max_pixels_is_not_called_damaged(imgpool, tmp_path):
    (tmp_path / "in").mkdir()
    write(Image.from_array(np.zeros((100, 100), np.uint8)), tmp_path / "in" / "a.tif", compression="zstd")
    run = imgpool("process", tmp_path / "in", "-r", "convert", "--max-pixels", "9999", "--serial")
    assert run.code == 1
    assert "10,000 pixels and is larger than --max-pixels 9999" in " ".join(run.stderr.split())
    assert "damaged" not in run.stderr


@pytest.mark.parametrize("step", ["flat_field:flat={}", "richardson_lucy:psf={}", "match_histograms:reference={}"])
def test_reference_beyond_max_pixels_is_refused_at_the_start(imgpool, tmp_path, step):
    (tmp_path / "in").mkdir()
    small = Image.from_array(np.ones((3, 3), np.uint8))
    write(small, tmp_path / "in" / "a.tif")
    write(Image.from_array(np.ones((11, 11), np.uint8)), tmp_path / "reference.tif")
    arguments = ("process", tmp_path / "in", "-f", step.format(tmp_path / "reference.tif"), "--serial")
    refused = imgpool(*arguments, "--max-pixels", 120)
    assert refused.code == 2
    assert "reference.tif has 121 pixels and is larger than --max-pixels 120" in " ".join(refused.stderr.split())
    assert not (tmp_path / "in-processed").exists()
    assert imgpool(*arguments, "--max-pixels", 121).code in {0, 1}


def test_reference_image_beyond_the_memory_is_not_read(tmp_path, monkeypatch):
    np.save(tmp_path / "flat.npy", np.ones((7000, 7000), np.uint8))
    monkeypatch.setattr("imgpool.filters._pixels.reference_images.available_memory", lambda: 10**8)
    (step,) = Recipe.from_specs([f"flat_field:flat={tmp_path / 'flat.npy'}"]).steps
    with pytest.raises(WorkerError, match=r"flat\.npy cannot be read: not enough memory: its pixels need 392 MB"):
        step.load()
