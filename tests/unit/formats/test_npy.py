"""NPY: any type of numbers, axes from the shape, no pickled objects."""

import io

import numpy as np
import pytest

from imgpool.core.errors import ReadError, WriteError
from imgpool.core.exif import orientation
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.formats.npy import NPY

DTYPES = ["bool", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]
ROTATED_EXIF = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "axes"), [((4, 5), "YX"), ((4, 5, 3), "YXS"), ((2, 4, 5), "ZYX"), ((2, 3, 6, 4, 5), "TCZYX")]
)
def test_every_value_is_kept(tmp_path, dtype, shape, axes):
    pixels = np.random.default_rng(1).integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)
    path = tmp_path / "a.npy"
    assert NPY.write(Image(pixels, axes), path) == ()
    back = NPY.read(path)
    assert back.pixels.dtype == pixels.dtype
    assert np.array_equal(back.pixels, pixels)
    assert back.properties == NPY.properties(path)
    assert back.axes == axes
    assert np.array_equal(np.load(path), pixels)


@pytest.mark.parametrize("order", [">", "<"])
def test_any_byte_order_and_layout_is_read(tmp_path, order):
    pixels = np.asfortranarray(np.arange(12, dtype=f"{order}u2").reshape(3, 4))
    np.save(tmp_path / "a.npy", pixels)
    back = NPY.read(tmp_path / "a.npy")
    assert back.pixels.dtype.isnative
    assert back.pixels.flags.c_contiguous
    assert np.array_equal(back.pixels, pixels)
    assert NPY.properties(tmp_path / "a.npy").dtype == back.pixels.dtype


def test_strided_array_is_written_correctly(tmp_path):
    pixels = np.arange(60, dtype=np.int32).reshape(6, 10)[::-2, ::3]
    NPY.write(Image(pixels, "YX"), tmp_path / "a.npy")
    assert np.array_equal(np.load(tmp_path / "a.npy"), pixels)


@pytest.mark.parametrize(
    "image",
    [
        Image(np.zeros((2, 4, 5), np.uint8), "CYX"),
        Image(np.zeros((2, 5, 4), np.uint8), "ZYX"),  # would be read as RGBA
        Image(np.zeros((4, 5, 2), np.uint8), "YXS"),
        Image(np.zeros((4, 5), np.complex64), "YX"),
    ],
)
def test_image_that_would_be_read_differently_is_refused(tmp_path, image):
    assert not NPY.can_hold(image.properties)
    with pytest.raises(WriteError) as caught:
        NPY.write(image, tmp_path / "a.npy")
    assert caught.value.hint
    assert not (tmp_path / "a.npy").exists()


def test_lost_metadata_is_reported(tmp_path):
    metadata = Metadata(icc=b"i", exif=b"II*\0", dpi=(72, 72), description="d", channel_names=("a",))
    losses = NPY.write(Image(np.zeros((2, 2), np.uint8), "YX", PixelSize(1, 1), metadata), tmp_path / "a.npy")
    assert set(losses) == {"pixel_size", "icc", "exif", "dpi", "description", "channel_names"}


def test_rotated_image_is_refused(tmp_path):
    assert orientation(ROTATED_EXIF) == 6
    image = Image(np.zeros((2, 2), np.uint8), "YX", metadata=Metadata(exif=ROTATED_EXIF))
    with pytest.raises(WriteError, match="orientation 6") as caught:
        NPY.write(image, tmp_path / "a.npy")
    assert caught.value.hint == 'add `filters=["auto_orient"]`'


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[{}, 1]], dtype=object), "its array has the type object"),
        (np.zeros((2, 2), [("a", "u1")]), "its array has the type"),
        (np.zeros((2, 2), np.complex64), "complex64"),
        (np.zeros((2, 2), "U3"), "its array has the type"),
        (np.zeros((2, 2), "M8[s]"), "datetime64"),
        (np.zeros((2, 2), np.longdouble), "its array has the type"),
        (np.zeros(5), "not an image"),
        (np.zeros(()), "not an image"),
        (np.zeros((3, 0)), "not an image"),
        (np.zeros((2, 2, 2, 2, 5, 5)), "too many dimensions"),
    ],
)
def test_arrays_that_are_not_images_are_refused(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    for look in (NPY.read, NPY.properties):
        with pytest.raises(ReadError, match=message) as caught:
            look(tmp_path / "a.npy")
        assert caught.value.hint


def test_truncated_file_is_refused(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.arange(300, dtype=np.uint16).reshape(15, 20))
    data = buffer.getvalue()
    for cut in range(0, len(data), 7):
        (tmp_path / "a.npy").write_bytes(data[:cut])
        with pytest.raises(ReadError):
            NPY.read(tmp_path / "a.npy")
    (tmp_path / "a.npy").write_bytes(data[:428])
    with pytest.raises(ReadError, match="truncated: only 50% of the array"):
        NPY.properties(tmp_path / "a.npy")


def test_second_array_in_the_file_is_refused(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        np.save(file, np.zeros((2, 2)))
        np.save(file, np.zeros((2, 2)))
    with pytest.raises(ReadError, match="more data than its array"):
        NPY.read(tmp_path / "a.npy")


def test_damaged_headers_are_refused(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((15, 20), np.uint16))
    rng = np.random.default_rng(3)
    for _ in range(200):
        data = bytearray(buffer.getvalue())
        data[rng.integers(8, 80)] = rng.integers(256)
        (tmp_path / "a.npy").write_bytes(data)
        try:
            NPY.read(tmp_path / "a.npy")
        except ReadError as error:
            assert "\n" not in error.message  # noqa: PT017 - either outcome is right


def test_forged_shape_allocates_nothing(tmp_path):
    (tmp_path / "a.npy").write_bytes(
        b"\x93NUMPY\1\0\x76\0"
        + b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }".ljust(117)
        + b"\n"
    )
    with pytest.raises(ReadError, match="truncated"):
        NPY.read(tmp_path / "a.npy")
