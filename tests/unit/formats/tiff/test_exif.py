"""EXIF in TIFF files: read and written."""

import io

import numpy as np
import PIL.Image
import pytest
import tifffile
from PIL.TiffImagePlugin import IFDRational

from imgpool.core.exif import orientation
from imgpool.core.image import Image, Metadata
from imgpool.formats.tiff import TIFF
from tests.support.tools import run_tool

MAKE, MODEL, TIME, ORIENTATION = 271, 272, 306, 274
EXIF_IFD, GPS_IFD, EXPOSURE, LENS, NOTE = 34665, 34853, 33434, 42036, 37510
PIXELS = np.zeros((9, 8, 3), np.uint8)


def camera(order):
    """Return a block as a camera writes it, in this byte order."""
    exif = PIL.Image.Exif()
    exif.endian = order
    exif[MAKE], exif[MODEL], exif[TIME], exif[ORIENTATION] = (
        "Imaginary",
        "X-1 with a long name",
        "2026:01:02 03:04:05",
        6,
    )
    inner = exif.get_ifd(EXIF_IFD)
    inner[EXPOSURE], inner[LENS], inner[NOTE] = (
        IFDRational(1, 125),
        "a lens of a certain length",
        b"note",
    )
    place = exif.get_ifd(GPS_IFD)
    place[1], place[2] = "N", (IFDRational(47), IFDRational(22), 0.0)
    return exif.tobytes().removeprefix(b"Exif\0\0")


def parsed(block):
    exif = PIL.Image.Exif()
    exif.load(b"Exif\0\0" + block)
    return exif


def meaning(block):
    exif = parsed(block)
    top = {tag: exif[tag] for tag in (MAKE, MODEL, TIME, ORIENTATION)}
    return top, dict(exif.get_ifd(EXIF_IFD)), dict(exif.get_ifd(GPS_IFD))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_exif_of_a_camera_is_kept(order, bigtiff, tmp_path):
    block = camera(order)
    image = Image(PIXELS, "YXS", metadata=Metadata(exif=block))
    assert TIFF.write(image, tmp_path / "a.tif", bigtiff=bigtiff) == ()
    back = TIFF.read(tmp_path / "a.tif")
    assert meaning(back.metadata.exif) == meaning(block)
    assert orientation(back.metadata.exif) == 6
    TIFF.write(back, tmp_path / "b.tif", bigtiff=bigtiff)
    assert TIFF.read(tmp_path / "b.tif").metadata.exif == back.metadata.exif


@pytest.mark.parametrize("order", ["<", ">"])
def test_other_programs_read_written_exif(order, tmp_path):
    TIFF.write(Image(PIXELS, "YXS", metadata=Metadata(exif=camera(order))), tmp_path / "a.tif")
    asked = ["-Make", "-ExposureTime", "-LensModel", "-GPSLatitude", "-Orientation"]
    printed = run_tool("exiftool", "-validate", "-n", *asked, tmp_path / "a.tif").stdout
    values = [line.partition(":")[2].strip() for line in printed.splitlines()]
    assert values[0].startswith("0 "), printed  # no errors; warnings are about what the camera left out
    assert values[-5:] == ["Imaginary", "0.008", "a lens of a certain length", "47.3666666666667", "6"]
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), PIXELS)


def test_exif_of_other_programs_is_read(tmp_path):
    picture = PIL.Image.fromarray(PIXELS)
    picture.save(tmp_path / "a.tif", exif=parsed(camera("<")))
    top, inner, place = meaning(TIFF.read(tmp_path / "a.tif").metadata.exif)
    assert (top[MAKE], top[ORIENTATION]) == ("Imaginary", 6)
    assert inner[LENS] == "a lens of a certain length"
    assert place[1] == "N"


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_orientation_alone_is_read(value, byteorder, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, photometric="rgb", byteorder=byteorder, metadata=None,
                     extratags=[(ORIENTATION, 3, 1, value, True)])  # fmt: skip
    image = TIFF.read(tmp_path / "a.tif")
    assert orientation(image.metadata.exif) == value
    assert (image.metadata.exif is None) == (value == 1)
    TIFF.write(image, tmp_path / "b.tif")
    assert orientation(TIFF.read(tmp_path / "b.tif").metadata.exif) == value


def test_pages_and_description_are_kept(tmp_path):
    stack = np.arange(5 * 9 * 8, dtype=np.uint16).reshape(5, 9, 8)
    for flavour, axes in (("plain", "IYX"), ("plain", "ZYX"), ("ome", "ZYX"), ("imagej", "ZYX")):
        image = Image(stack, axes, metadata=Metadata(exif=camera(">"), description="text", flavour=flavour))
        assert TIFF.write(image, tmp_path / "a.tif") == ()
        back = TIFF.read(tmp_path / "a.tif")
        np.testing.assert_array_equal(back.pixels, stack)
        assert (back.axes, back.metadata.description, back.metadata.flavour) == (axes, "text", flavour)
        assert orientation(back.metadata.exif) == 6


@pytest.mark.parametrize("block", [b"rubbish", b"II*\0\x08\0\0\0", b"II*\0\xff\0\0\0\0\0", b"MM\0*\0\0\0\x08\xff\xff"])
def test_damaged_block_is_reported(block, tmp_path):
    image = Image(PIXELS, "YXS", metadata=Metadata(exif=block))
    assert TIFF.write(image, tmp_path / "a.tif") == ("exif",)
    np.testing.assert_array_equal(TIFF.read(tmp_path / "a.tif").pixels, PIXELS)


def test_block_of_a_jpeg_survives_a_tiff(tmp_path):
    stream = io.BytesIO()
    PIL.Image.fromarray(PIXELS).save(stream, "JPEG", exif=b"Exif\0\0" + camera(">"))
    block = PIL.Image.open(stream).info["exif"].removeprefix(b"Exif\0\0")
    TIFF.write(Image(PIXELS, "YXS", metadata=Metadata(exif=block)), tmp_path / "a.tif")
    assert meaning(TIFF.read(tmp_path / "a.tif").metadata.exif) == meaning(camera(">"))
