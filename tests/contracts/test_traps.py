"""Known faults of image libraries, each with the case in which it was found, through imgpool's public interface.

Others are tested elsewhere: every dtype in every format, and all orientations, in `imgpool.testing.formats`; truncated
stacks in `tests/faults/test_bad_tiff.py`; 32-bit labels in ImageJ TIFFs in `tests/unit/formats`; full disks in
`tests/faults/test_storage.py`; odd file names in `tests/integration/test_names.py`.
"""

import os
import struct
import threading
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage
from PIL import ImageCms, ImageOps

import imgpool
from imgpool import Image, Metadata, Recipe
from imgpool.core.catalogue import FILTERS, FORMATS
from imgpool.core.errors import ReadError, UsageError, WriteError
from imgpool.core.exif import orientation
from imgpool.core.recipe import built_in_recipes
from imgpool.core.step import Step
from tests.support.examples import example_parameters

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
BLURS = [pytest.param(each, id=each.name) for each in FILTERS if each.function.__module__.endswith(".smoothing")]
SPATIAL = [*BLURS, *(pytest.param(FILTERS[name], id=name) for name in ("unsharp_mask", "white_tophat", "sobel"))]
EVERY_FORMAT = [pytest.param(each, id=each.name) for each in FORMATS]
GREY_16_BITS = Image(np.zeros((8, 9), np.uint16), "YX").properties
HOLD_16_BITS = [pytest.param(each, id=each.name) for each in FORMATS if each.can_hold(GREY_16_BITS)]
PILLOW_FORMATS = {"png": "PNG", "gif": "GIF", "bmp": "BMP", "tif": "TIFF"}
KINDS = {"combine_stains": ((3, 24, 24), "CYX"), "separate_stains": ((24, 24, 3), "YXS")}
"""Shape and axes of the images for filters that do not accept grey ones."""


def rng():
    return np.random.default_rng(0)


def process(folder, output, *filters, **options):
    """Process a folder in this process and return the results, all of which must be done."""
    steps = {"filters": filters} if filters else {"recipe": "convert"}
    results = list(imgpool.process(folder, output=output, engine="serial", **steps, **options))
    assert [result.failure for result in results] == [None] * len(results)
    return results


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


def test_40000_in_16_bit_rgb_stays_40000(photos, tmp_path):
    """Pillow turns it into 156, in TIFF and PNG."""
    pixels = rng().integers(0, 40000, (9, 11, 3), np.uint16)
    pixels[4, 5] = 40000
    tifffile.imwrite(photos / "a.tif", pixels, photometric="rgb")
    imgpool.write(Image(pixels, "YXS"), photos / "b.png")
    process(photos, tmp_path / "out")
    for name in ("a.tif", "b.png"):
        back = imgpool.read(tmp_path / "out" / name).pixels
        assert (back.dtype, back.max()) == (np.uint16, 40000)
        assert np.array_equal(back, pixels)


@pytest.mark.parametrize("target", ["png", "tiff"])
def test_16_bit_grey_is_not_clipped_at_255(target, photos, tmp_path):
    """Pillow converts I;16 to L by clipping."""
    grey = np.array([[0, 255, 256, 300], [4095, 40000, 65534, 65535]], np.uint16)
    PillowImage.fromarray(grey).save(photos / "a.png")
    process(photos, tmp_path / "out", to=target)
    assert imgpool.read(next((tmp_path / "out").glob("a.*"))).pixels.tolist() == grey.tolist()


def test_five_pages_in_five_pages_out(photos, tmp_path):
    """Pillow reads only the first page."""
    pages = rng().integers(0, 256, (5, 12, 10), np.uint8)
    first, *rest = [PillowImage.fromarray(page) for page in pages]
    first.save(photos / "a.tif", save_all=True, append_images=rest)
    (result,) = process(photos, tmp_path / "out", "invert")
    assert result.shape == (5, 12, 10)
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "a.tif"), 255 - pages)


@pytest.mark.parametrize(("shape", "dtype"), [((5, 4, 4), "uint16"), ((3, 64, 64), "uint8"), ((4, 9, 3), "uint8")])
def test_stack_shaped_like_rgb_stays_a_stack(shape, dtype, tmp_path):
    """tifffile writes such stacks as RGB or planar RGB."""
    stack = Image(rng().integers(0, 255, shape).astype(dtype), "ZYX")
    imgpool.write(stack, tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert {page.photometric for page in tiff.pages} == {tifffile.PHOTOMETRIC.MINISBLACK}
        assert len(tiff.pages) == shape[0]
    back = imgpool.read(tmp_path / "a.tif")
    assert back.axes == "ZYX"
    assert np.array_equal(back.pixels, stack.pixels)


def test_orientation_is_kept_or_applied_on_request(photos, tmp_path):
    """Saving with Pillow does neither."""
    upright = rng().integers(0, 256, (16, 24, 3), np.uint8)
    for value in range(1, 9):
        exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([value, 0, 0, 0]) + bytes(4)
        imgpool.write(Image(upright, "YXS", metadata=Metadata(exif=exif)), photos / f"{value}.png")
    process(photos, tmp_path / "kept", "gaussian")
    process(photos, tmp_path / "turned", "auto_orient")
    for value in range(1, 9):
        kept, turned = (imgpool.read(tmp_path / folder / f"{value}.png") for folder in ("kept", "turned"))
        assert (kept.pixels.shape, orientation(kept.metadata.exif)) == (upright.shape, value)
        assert orientation(turned.metadata.exif) == 1
        with PillowImage.open(photos / f"{value}.png") as picture:
            assert np.array_equal(turned.pixels, np.asarray(ImageOps.exif_transpose(picture)))


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg", ".webp"])
def test_colour_profile_survives_a_run(suffix, photos, tmp_path):
    pixels = rng().integers(0, 256, (9, 9, 3), np.uint8)
    imgpool.write(Image(pixels, "YXS", metadata=Metadata(icc=ICC)), photos / f"a{suffix}")
    process(photos, tmp_path / "out", "gaussian")
    with PillowImage.open(tmp_path / "out" / f"a{suffix}") as picture:
        assert picture.info["icc_profile"] == ICC


def test_ome_pixel_size_unit_and_axes_survive_a_run(photos, tmp_path):
    """Reading and writing with tifffile loses them all."""
    declared = {"axes": "TCZYX", "PhysicalSizeX": 325.0, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 325.0,
                "PhysicalSizeYUnit": "nm", "PhysicalSizeZ": 2.0, "PhysicalSizeZUnit": "µm"}  # fmt: skip
    pixels = rng().integers(0, 4096, (2, 3, 4, 16, 18), np.uint16)
    tifffile.imwrite(photos / "a.ome.tif", pixels, ome=True, metadata=declared)
    process(photos, tmp_path / "out", "median")
    with tifffile.TiffFile(tmp_path / "out" / "a.ome.tif") as tiff:
        assert tiff.series[0].axes == "TCZYX"
        assert 'PhysicalSizeX="325.0" PhysicalSizeXUnit="nm"' in tiff.ome_metadata
        assert 'PhysicalSizeZ="2.0"' in tiff.ome_metadata
    assert imgpool.read(tmp_path / "out" / "a.ome.tif").pixel_size == pytest.approx((0.325, 0.325, 2.0))


@pytest.mark.parametrize("blur", BLURS)
@pytest.mark.parametrize(("dtype", "value"), [("uint8", 255), ("uint16", 40000), ("uint16", 4095), ("float32", 0.1)])
def test_constant_image_is_unchanged_by_a_blur(blur, dtype, value):
    """skimage.filters.gaussian converts integers to floats from 0 to 1."""
    image = Image(np.full((20, 30), value, dtype), "YX")
    result = blur(image).pixels
    assert result.dtype == dtype
    assert np.allclose(result, image.pixels, rtol=0, atol=1e-7 if dtype == "float32" else 0)


def test_12_bits_fill_8_bits_and_labels_stay_distinct():
    """img_as_ubyte turns 4095 into 15, and all labels below 256 into 0."""
    twelve = Image(np.array([[0, 2048, 4095]], np.uint16), "YX")
    assert FILTERS["to_uint8"](twelve).pixels.tolist() == [[0, 128, 255]]
    labels = Image(np.arange(200, dtype=np.uint16).reshape(10, 20), "YX")
    assert len(np.unique(FILTERS["to_uint8"](labels).pixels)) == 200


def test_labels_keep_their_numbers_in_a_run(photos, tmp_path):
    labels = rng().permutation(np.arange(300, dtype=np.uint16)).reshape(15, 20)
    imgpool.write(Image(labels, "YX"), photos / "a.tif")
    process(photos, tmp_path / "out", to="png")
    assert np.array_equal(imgpool.read(tmp_path / "out" / "a.png").pixels, labels)


def test_values_out_of_range_are_clipped_or_refused(tmp_path):
    """astype(uint8) turns them into 44 and 255."""
    image = Image(np.array([[-1, 0, 44], [255, 300, 30000]], np.int16), "YX")
    narrow = FILTERS["rescale_intensity"](image, in_range="0..255", out_range="uint8").pixels
    assert narrow.tolist() == [[0, 0, 44], [255, 255, 255]]
    for suffix in (".png", ".jpg", ".bmp", ".gif"):
        with pytest.raises(WriteError) as refusal:
            imgpool.write(image, tmp_path / f"a{suffix}")
        assert "uint8" in refusal.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
def test_sharpening_clips_instead_of_wrapping(dtype):
    limits = np.iinfo(dtype)
    pixels = np.full((9, 9), limits.min, dtype)
    pixels[:, 4:] = limits.max
    sharp = FILTERS["unsharp_mask"](Image(pixels, "YX"), radius=2, amount=3).pixels
    assert np.abs(sharp.astype(int) - pixels).max() <= 1  # scikit-image clips signed types to ±their largest


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("filter_", SPATIAL)
def test_transparent_green_does_not_bleed_into_red(filter_, dtype):
    full = 1 if dtype == "float32" else np.iinfo(dtype).max
    pixels = np.zeros((24, 24, 4), dtype)
    pixels[:, :12, 0] = pixels[:, :12, 3] = full  # opaque red
    pixels[:, 12:, 1] = full  # transparent green
    result = filter_(Image(pixels, "YXS")).pixels
    visible = result[..., 3] > 0
    assert visible[:, :12].all()
    assert not result[visible][:, 1:3].any()
    if filter_.function.__module__.endswith(".smoothing"):
        assert (result[:, :12, 0] == full).all(), "black bleeds in"


@pytest.mark.parametrize("given", [{"width": 7}, {"width": 31}, {"width": 7, "interpolation": "area"}], ids=str)
def test_transparent_green_does_not_show_after_resizing(given):
    pixels = np.zeros((24, 24, 4), np.uint8)
    pixels[:, :13, 0] = pixels[:, :13, 3] = 255
    pixels[:, 13:, 1] = 255
    result = FILTERS["resize"](Image(pixels, "YXS"), **given).pixels
    visible = result[..., 3] > 0
    assert (result[visible][:, 0] >= 254).all()
    assert not result[visible][:, 1].any()


@pytest.mark.parametrize("filter_", SPATIAL)
def test_channels_do_not_mix(filter_):
    """Without channel_axis, scikit-image blurs across samples and pages."""
    colour = np.zeros((16, 16, 3), np.uint8)
    colour[4:9, 5:12, 1] = 200
    green = filter_(Image(colour, "YXS")).pixels
    assert not green[..., [0, 2]].any()
    stack = np.moveaxis(colour, -1, 0)
    pages = filter_(Image(stack, "ZYX")).pixels
    assert not pages[[0, 2]].any()
    assert pages[1].any()


@pytest.mark.parametrize("suffix", PILLOW_FORMATS)
def test_palette_image_equals_its_rgb_version(suffix, photos, tmp_path):
    """numpy.asarray returns palette indices."""
    picture = PillowImage.fromarray(rng().integers(0, 200, (20, 30), np.uint8))
    picture.putpalette(rng().permutation(np.arange(768) % 256).astype(np.uint8).tobytes())
    picture.save(photos / f"a.{suffix}", PILLOW_FORMATS[suffix])
    twin = np.asarray(picture.convert("RGB"))
    image = imgpool.read(photos / f"a.{suffix}")
    assert image.axes == "YXS"
    assert np.array_equal(image.pixels, twin)
    process(photos, tmp_path / "out", to="png")
    assert np.array_equal(imgpool.read(tmp_path / "out" / "a.png").pixels, twin)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_miniswhite_tiff_reads_like_minisblack(dtype, tmp_path):
    grey = np.array([[0, 1, 100], [200, 254, 255]], dtype)
    white = np.iinfo(dtype).max
    tifffile.imwrite(tmp_path / "black.tif", grey, photometric="minisblack", metadata=None)
    tifffile.imwrite(tmp_path / "white.tif", white - grey, photometric="miniswhite", metadata=None)
    for name in ("black.tif", "white.tif"):
        assert imgpool.read(tmp_path / name).pixels.tolist() == grey.tolist()


@pytest.mark.parametrize("blur", BLURS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_single_nan_stays_single(blur, dtype):
    """With skimage.filters.gaussian, a single NaN makes the whole image NaN."""
    pixels = np.full((20, 20), 0.5, dtype)
    pixels[7, 9] = np.nan
    result = blur(Image(pixels, "YX")).pixels
    assert np.argwhere(np.isnan(result)).tolist() == [[7, 9]]
    assert np.allclose(result[~np.isnan(result)], 0.5, rtol=0, atol=1e-6)


def test_nan_does_not_change_otsu_threshold():
    """skimage.filters.threshold_otsu raises."""
    pixels = np.full((30, 30), 10, np.float32)
    pixels[10:20, 10:20] = 30
    mask = FILTERS["threshold"](Image(pixels, "YX")).pixels
    pixels[0, 0] = np.nan
    assert np.array_equal(FILTERS["threshold"](Image(pixels, "YX")).pixels, mask)
    assert mask.sum() == 100 * 255


@pytest.mark.parametrize("target", HOLD_16_BITS)
def test_big_endian_images_are_written_correctly(target, tmp_path):
    """The PNG encoder raises."""
    numbers = rng().integers(0, 60000, (8, 9)).astype("<u2")
    little, big = tmp_path / f"little{target.extensions[0]}", tmp_path / f"big{target.extensions[0]}"
    imgpool.write(Image(numbers, "YX"), little)
    imgpool.write(Image(numbers.astype(">u2"), "YX"), big)
    assert little.read_bytes() == big.read_bytes()
    assert np.array_equal(imgpool.read(big).pixels, numbers)


@pytest.mark.parametrize("filter_", [pytest.param(each, id=each.name) for each in FILTERS])
def test_byte_order_does_not_matter(filter_):
    """skimage's non-local means raises, and its rank filters return uint8."""
    shape, axes = KINDS.get(filter_.name, ((24, 24), "YX"))
    numbers = rng().integers(0, 60000, shape).astype("<u2")
    recipe = Recipe("one", (Step.create(filter_.name, example_parameters(filter_, (24, 24))[0]),))
    little, big = recipe.apply(numbers, axes), recipe.apply(numbers.astype(">u2"), axes)
    assert (little.dtype, little.dtype.isnative) == (big.dtype, big.dtype.isnative)
    assert little.tobytes() == big.tobytes()


def test_nothing_is_lossy_unless_asked(photos, tmp_path):
    """JPEG with default settings changes noise by up to 48 grey levels."""
    noise = rng().integers(0, 256, (40, 40, 3), np.uint8)
    for suffix in (".png", ".webp", ".tif", ".bmp"):
        imgpool.write(Image(noise, "YXS"), photos / f"{suffix[1:]}{suffix}")
    process(photos, tmp_path / "out")
    for suffix in (".png", ".webp", ".tif", ".bmp"):
        assert np.array_equal(imgpool.read(tmp_path / "out" / f"{suffix[1:]}{suffix}").pixels, noise)
    for name in built_in_recipes():
        format_ = Recipe.load(name).output.format
        assert format_ is None or not FORMATS[format_].lossy


def test_16_bits_are_refused_by_jpeg_before_the_start(photos, tmp_path):
    imgpool.write(Image(rng().integers(0, 65535, (9, 9), np.uint16), "YX"), photos / "a.tif")
    with pytest.raises(UsageError) as refusal:
        process(photos, tmp_path / "out", to="jpeg")
    assert refusal.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("target", EVERY_FORMAT)
def test_failed_write_leaves_no_file(target, tmp_path, monkeypatch):
    """tifffile leaves a partial file; the error may be an OSError without errno."""
    image = Image(np.zeros((9, 9, 3), np.uint8), "YXS")
    path = tmp_path / f"a{target.extensions[0]}"

    def fail(_self, _image, path, **_options):
        Path(path).write_bytes(b"half")
        raise OSError

    monkeypatch.setattr(type(target), "write", fail)
    with pytest.raises(OSError, match=r"^$"):
        imgpool.write(image, path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("target", EVERY_FORMAT)
def test_pipe_is_refused_without_waiting(target, tmp_path):
    path = tmp_path / f"a{target.extensions[0]}"
    os.mkfifo(path)
    caught = []

    def read():
        try:
            imgpool.read(path)
        except ReadError as error:
            caught.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(5)
    assert not reader.is_alive()
    assert caught[0].hint


def test_pipe_among_images_is_ignored(photos, tmp_path):
    imgpool.write(Image(np.zeros((5, 5), np.uint8), "YX"), photos / "a.png")
    os.mkfifo(photos / "pipe.png")
    assert [result.status for result in process(photos, tmp_path / "out")] == ["done"]


def huge_tiff(compression):
    """A TIFF of 300 bytes that declares 65,535 × 65,535 pixels."""
    tags = {256: 65535, 257: 65535, 258: 8, 259: compression, 262: 1, 273: 200, 277: 1, 278: 65535, 279: 100}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return (b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4)).ljust(200, b"\0") + bytes(100)


def huge_png():
    """A PNG of 4 kB that declares 65,535 × 65,535 pixels."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 65535, 65535, 8, 0, 0, 0, 0)
    packed = zlib.compress(bytes(3_900_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("name", "content"), [
    ("deflate.tif", huge_tiff(8)), ("lzw.tif", huge_tiff(5)), ("raw.tif", huge_tiff(1)), ("a.png", huge_png()),
], ids=["deflate", "lzw", "raw", "png"])  # fmt: skip
def test_decompression_bombs_are_refused_by_their_header(name, content, photos, tmp_path):
    assert len(content) < 4096
    (photos / name).write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ReadError):
            imgpool.read(photos / name)
        (result,) = imgpool.process(photos, output=tmp_path / "out", filters=["gaussian"], engine="serial")
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
    assert (result.failure.stage, result.failure.error) == ("read", "ReadError")


def test_loop_of_links_is_visited_once(photos, tmp_path):
    """os.walk(followlinks=True) visits it 41 times."""
    imgpool.write(Image(np.zeros((5, 5), np.uint8), "YX"), photos / "a.png")
    (photos / "loop").symlink_to(photos, target_is_directory=True)
    (result,) = process(photos, tmp_path / "out")
    assert os.path.basename(result.task.target) == "a.png"
