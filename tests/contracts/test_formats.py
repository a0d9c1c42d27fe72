"""What every format promises, whichever it is."""

import itertools
import os
import tracemalloc
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from imgpool.core.catalogue import FORMATS
from imgpool.core.errors import ReadError, RecipeError, WriteError
from imgpool.core.exif import orientation
from imgpool.core.format import Format
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.core.part import Part, Span
from tests.support.parts import read_part

DTYPES = ["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
          "float16", "float32", "float64", "complex64"]  # fmt: skip
SHAPES = {
    "YX": (12, 17), "YXS": (12, 17, 3), "IYX": (5, 4, 4), "ZYX": (3, 64, 64), "TCZYX": (2, 3, 4, 5, 6),
    "CZTYX": (2, 3, 4, 5, 6), "TYXS": (2, 12, 17, 3),
}  # fmt: skip
KINDS = [*SHAPES.items(), ("YXS", (12, 17, 2)), ("YXS", (12, 17, 4))]
EVERY = [FORMATS[name] for name in FORMATS.names()]
NAMES = [pytest.param(each, id=each.name) for each in EVERY]
CASES = [
    pytest.param(each, dtype, axes, shape, id=f"{each.name}-{dtype}-{axes}{shape[-1]}")
    for each, dtype, (axes, shape) in itertools.product(EVERY, DTYPES, KINDS)
]
EXIF = b"II*\0\x08\0\0\0\x02\0\x0f\x01\x02\0\x08\0\0\0\x26\0\0\0\x12\x01\x03\0\x01\0\0\0\x01\0\0\0\0\0\0\0TestCam\0"


def noise(dtype, shape):
    """Random numbers over the whole range of an integer type; floats with negative and small ones."""
    random = np.random.default_rng(3)
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    if dtype.kind == "b":
        return random.random(shape) > 0.5
    return (random.standard_normal(shape) * 100).astype(dtype)


def picture(target: Format, **metadata) -> Image:
    """An image that `target` can hold: grey where it can, of few levels."""
    image = Image(noise("uint8", (40, 53)), "YX", metadata=Metadata(**metadata))
    if target.can_hold(image.properties):
        return image
    return Image(noise("uint8", (40, 53, 3)), "YXS", metadata=Metadata(**metadata))


def attempt(action, expected):
    """What `action` returns and None, or None and the expected error that it raised."""
    try:
        return action(), None
    except expected as error:
        return None, error


def write(target: Format, image: Image, folder, name: str = "a"):
    path = folder / f"{name}{target.extensions[0]}"
    return path, target.write(image, path)


def icc_profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize(("target", "dtype", "axes", "shape"), CASES)
def test_what_goes_in_comes_out_or_is_refused_with_a_remedy(target, dtype, axes, shape, tmp_path):
    image = Image(noise(dtype, shape), axes)
    path = tmp_path / f"a{target.extensions[0]}"
    if not target.can_hold(image.properties):
        with pytest.raises(WriteError) as refusal:
            target.write(image, path)
        assert refusal.value.hint
        assert f"{target.name.upper()} holds {target.holds}; this is {dtype} {axes}" in refusal.value.message
        assert not path.exists()
        return
    lost = target.write(image, path)
    back = target.read(path)
    assert back.pixels.dtype == image.pixels.dtype
    assert back.pixels.shape == image.pixels.shape
    assert back.axes == axes or "axes" in lost
    if not target.lossy:
        np.testing.assert_array_equal(back.pixels, image.pixels)


@pytest.mark.parametrize("target", NAMES)
def test_the_header_tells_what_reading_gives(target, tmp_path):
    path, _ = write(target, picture(target), tmp_path)
    assert target.properties(path) == target.read(path).properties


@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize("view", ["reversed", "strided", "transposed", "big-endian", "read-only"])
def test_how_an_array_lies_in_memory_does_not_matter(target, view, tmp_path):
    image = picture(target)
    plain = image.pixels
    pixels = {
        "reversed": lambda: np.ascontiguousarray(plain[::-1])[::-1],
        "strided": lambda: np.repeat(plain, 2, axis=1)[:, ::2],
        "transposed": lambda: np.asfortranarray(plain),
        "big-endian": lambda: plain.astype(plain.dtype.newbyteorder(">")),
        "read-only": lambda: np.frombuffer(plain.tobytes(), plain.dtype).reshape(plain.shape),
    }[view]()
    first, _ = write(target, image, tmp_path, "plain")
    second, _ = write(target, image.with_pixels(pixels), tmp_path, "view")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("target", NAMES)
def test_the_same_image_gives_the_same_bytes_whatever_the_name(target, tmp_path):
    image = picture(target, exif=EXIF, description="a cell", dpi=(300.0, 300.0))
    first, _ = write(target, image, tmp_path, "first")
    second, _ = write(target, image, tmp_path, "second.ome")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize("axes", ["YX", "YXS"])
def test_metadata_is_kept_or_named_as_lost(target, axes, tmp_path):
    image = Image(
        noise("uint8", (40, 53, 3)[: len(axes)]) // 64 * 64,
        axes,
        PixelSize(0.325, 0.65),
        Metadata(
            icc=icc_profile(),
            exif=EXIF,
            dpi=(300.0, 150.0),
            description="Zelle 7, 20 °C, µm",
            channel_names=("DAPI",),
            extra=MappingProxyType({"xmp": b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"}),
        ),
    )
    if not target.can_hold(image.properties):
        pytest.skip("holds no such image")
    path, lost = write(target, image, tmp_path)
    back = target.read(path)
    kept = {
        "pixel_size": back.pixel_size is not None and np.allclose(back.pixel_size[:2], (0.325, 0.65), rtol=0.01),
        "dpi": back.metadata.dpi is not None and np.allclose(back.metadata.dpi, (300, 150), atol=0.02),
        "icc": back.metadata.icc == image.metadata.icc,
        "exif": back.metadata.exif is not None and b"TestCam" in back.metadata.exif,
        "description": back.metadata.description == image.metadata.description,
        "channel_names": back.metadata.channel_names == image.metadata.channel_names,
        "xmp": back.metadata.extra.get("xmp") == image.metadata.extra["xmp"],
    }
    assert {name for name, there in kept.items() if not there} == set(lost)


@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize("turned", range(1, 9))
def test_no_picture_comes_out_turned(target, turned, tmp_path):
    exif = EXIF[:30] + bytes([turned]) + EXIF[31:]
    assert orientation(exif) == turned
    path = tmp_path / f"a{target.extensions[0]}"
    kept, refusal = attempt(lambda: target.write(picture(target, exif=exif), path), WriteError)
    if refusal is None:
        assert orientation(target.read(path).metadata.exif) == turned
    else:
        assert turned != 1
        assert kept is None
        assert refusal.hint == "add -f auto_orient"


@pytest.mark.parametrize("target", NAMES)
def test_properties_take_no_memory_for_pixels(target, tmp_path):
    image = Image(np.zeros((3000, 4000), np.uint8), "YX")
    if not target.can_hold(image.properties):
        image = Image(np.zeros((3000, 4000, 3), np.uint8), "YXS")
    path, _ = write(target, image, tmp_path)
    target.properties(path)  # imports what it needs
    tracemalloc.start()
    try:
        with target.open(path) as reader:
            assert reader.properties.pixel_count == 12_000_000
        assert tracemalloc.get_traced_memory()[1] < image.pixels.nbytes / 4
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("target", NAMES)
def test_reader_gives_the_same_image_twice(target, tmp_path):
    path, _ = write(target, picture(target), tmp_path)
    with target.open(path) as reader:
        first, second = reader.read(), reader.read()
        assert reader.properties == first.properties
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert (first.axes, first.metadata) == (second.axes, second.metadata)


@pytest.mark.parametrize("target", NAMES)
def test_reader_closes_its_file(target, tmp_path):
    path, _ = write(target, picture(target), tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    with target.open(path) as reader:
        assert len(os.listdir("/proc/self/fd")) == before + 1
        reader.read()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize("cut", range(20))
def test_a_truncated_file_is_an_error_and_never_other_pixels(target, cut, tmp_path, capfd):
    path, _ = write(target, picture(target), tmp_path)
    whole = target.read(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * cut // 20])
    back, error = attempt(lambda: target.read(path), ReadError)
    if error is None:
        np.testing.assert_array_equal(back.pixels, whole.pixels)
        assert cut > 10
    else:
        assert error.hint
        assert "\n" not in str(error)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize("missing", [1, 2, 8])
def test_the_last_bytes_are_missed_or_not_needed(target, missing, tmp_path):
    path, _ = write(target, picture(target), tmp_path)
    whole = target.read(path)
    path.write_bytes(path.read_bytes()[:-missing])
    back, error = attempt(lambda: target.read(path), ReadError)
    if error is None:
        np.testing.assert_array_equal(back.pixels, whole.pixels)


@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, b"a,b\n1,2\n", b"<!DOCTYPE html><p>404", b"\x89", bytes(range(190, 250))]
)
def test_what_is_no_image_is_an_error_that_says_so(target, content, tmp_path):
    path = tmp_path / f"a{target.extensions[0]}"
    path.write_bytes(content)
    for look in (target.read, target.properties):
        with pytest.raises(ReadError) as error:
            look(path)
        assert error.value.hint
        assert str(tmp_path) not in str(error.value)


@pytest.mark.parametrize(("target", "other"), [pytest.param(a, b, id=f"{b.name}-as-{a.name}")
                                               for a, b in itertools.permutations(EVERY, 2)])  # fmt: skip
def test_another_formats_file_is_named_as_what_it_is(target, other, tmp_path):
    path, _ = write(other, picture(other), tmp_path)
    wrong = path.rename(tmp_path / f"wrong{target.extensions[0]}")
    for look in (target.read, target.properties):
        with pytest.raises(ReadError, match=rf"(?i)this is an? {other.name} named \{wrong.suffix}") as error:
            look(wrong)
        assert other.extensions[0] in error.value.hint


@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize(
    "name", ["-rf", "two\nlines", "cell 🔬 µ", "x" * 240, os.fsdecode(b"\xff\xfe"), "a[0]", "a%d", "#"]
)
def test_a_file_may_have_any_name(target, name, tmp_path):
    image = picture(target)
    path, _ = write(target, image, tmp_path, name)
    assert target.read(path).pixels.shape == image.pixels.shape
    assert target.properties(path).shape == image.pixels.shape
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("target", NAMES)
def test_a_file_that_is_gone_or_a_folder_is_the_systems_own_error(target, tmp_path):
    for look in (target.read, target.properties):
        with pytest.raises(FileNotFoundError):
            look(tmp_path / f"gone{target.extensions[0]}")
        with pytest.raises(IsADirectoryError):
            look(tmp_path)
    with pytest.raises(OSError, match="No such file"):
        target.write(picture(target), tmp_path / "gone" / "a")


@pytest.mark.parametrize("target", NAMES)
def test_reading_leaves_no_file_open(target, tmp_path):
    path, _ = write(target, picture(target), tmp_path)
    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    target.read(path)
    target.properties(path)
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(ReadError):
        target.read(path)
    if before:
        assert len(os.listdir("/proc/self/fd")) == len(before)


@pytest.mark.parametrize("target", NAMES)
def test_pixels_that_were_read_can_be_changed(target, tmp_path):
    path, _ = write(target, picture(target), tmp_path)
    pixels = target.read(path).pixels
    assert pixels.flags.writeable
    assert pixels.dtype.isnative
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize("target", NAMES)
def test_options_are_checked_and_explained(target):
    assert set(target.validate({})) == {option["name"] for option in target.describe()}
    with pytest.raises(RecipeError, match="has no parameter 'colour_of_the_box'"):
        target.validate({"colour_of_the_box": 1})
    for option in target.describe():
        assert option["meaning"], option["name"]


@pytest.mark.parametrize("target", NAMES)
def test_a_format_describes_itself(target):
    assert target.summary
    assert target.holds
    assert not target.holds.endswith(".")
    assert all(extension.startswith(".") and extension == extension.lower() for extension in target.extensions)


def test_no_two_formats_share_an_extension():
    extensions = [extension for each in EVERY for extension in each.extensions]
    assert len(extensions) == len(set(extensions))


@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize("axes", ["YX", "YXS", "CZYX", "IYX"])
def test_a_part_is_what_it_is_in_the_whole(target, axes, tmp_path):
    shape = {"YX": (40, 53), "YXS": (40, 53, 3), "CZYX": (2, 3, 40, 53), "IYX": (4, 40, 53)}[axes]
    image = Image(noise("uint8", shape) // 64 * 64, axes)
    if not target.can_hold(image.properties):
        pytest.skip("holds no such image")
    path, _ = write(target, image, tmp_path)
    back, leading = target.read(path), axes[: axes.index("Y")]
    for window in ({}, {"rows": Span(3, 20)}, {"rows": Span(39, 40), "columns": Span(0, 52)}):
        part = Part(**window, pages=((leading[0], (1,)),) if leading and leading in back.axes else ())
        found, expected = read_part(target, path, part), part.crop(back)
        np.testing.assert_array_equal(found.pixels, expected.pixels)
        assert found.properties == expected.properties


@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize("axes", ["YX", "YXS"])
def test_a_picture_that_may_come_smaller_is_whole_or_tells_its_size(target, axes, tmp_path):
    y, x = np.mgrid[:512, :768]
    soft = np.stack([y / 4 + 60, x / 5 + 40, 200 - y / 8], axis=-1).astype(np.uint8)
    image = Image(soft[..., 0] if axes == "YX" else soft // 64 * 64, axes)
    if not target.can_hold(image.properties):
        pytest.skip("holds no such image")
    path, _ = write(target, image, tmp_path)
    back = target.read(path)
    with target.open(path) as reader:
        assert reader.properties == back.properties
        found = reader.read(Part(shrink=9))
    assert (found.axes, found.pixel_size, found.pixels.dtype) == (back.axes, back.pixel_size, back.pixels.dtype)
    if found.metadata.full_size is None:
        np.testing.assert_array_equal(found.pixels, back.pixels)
        return
    assert found.metadata.full_size == (512, 768)
    assert replace(found.metadata, full_size=None) == back.metadata
    height, width = found.pixels.shape[:2]
    assert 512 / 9 <= height < 512
    assert 512 / height == 768 / width
    assert abs(found.pixels.mean() - back.pixels.mean()) < 0.5
