"""TIFF files of ImageJ: hyperstacks as ImageJ and tifffile write them."""

from types import MappingProxyType

import numpy as np
import pytest
import tifffile

from imgpool.core.errors import ReadError
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.formats.tiff import TIFF

STACK = np.random.default_rng(2).integers(0, 4096, (3, 4, 2, 20, 30), np.uint16)
METADATA = {
    "axes": "TZCYX", "unit": "um", "spacing": 0.5, "finterval": 2.5, "Info": "plate 7", "Ranges": (1.0, 2.0, 3.0, 4.0),
    "Labels": ["DAPI", "GFP"] * 12, "min": 5.0, "max": 99.0, "mode": "composite", "ROI": b"Iout",
    "Overlays": [b"Iout"], "LUTs": [np.arange(768, dtype=np.uint8).reshape(3, 256)] * 2,
}  # fmt: skip


def read(path):
    image = TIFF.read(path)
    assert TIFF.properties(path) == image.properties
    return image


def imagej_metadata(path):
    with tifffile.TiffFile(path) as tiff:
        return tiff.imagej_metadata


DEPTH = np.random.default_rng(0).integers(0, 4096, (4, 10, 12), np.uint16)


@pytest.fixture
def hyperstack(tmp_path):
    path = tmp_path / "hyper.tif"
    tifffile.imwrite(path, STACK, imagej=True, resolution=(5.0, 5.0), metadata=dict(METADATA))
    return path


def test_metadata_is_read(hyperstack):
    image = read(hyperstack)
    assert image.axes == "TZCYX"
    np.testing.assert_array_equal(image.pixels, STACK)
    assert image.pixel_size == PixelSize(0.2, 0.2, 0.5)
    assert image.metadata.channel_names == ("DAPI", "GFP")
    assert image.metadata.description == "plate 7"
    assert image.metadata.flavour == "imagej"
    assert image.metadata.extra["frame_interval"] == 2.5


@pytest.mark.parametrize(
    "axes", ["TYX", "ZYX", "CYX", "TZYX", "ZCYX", "TCYX", "TZCYX", "YX", "YXS", "ZYXS", "TZYXS", "IYX"]
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_axes_are_kept(axes, dtype, tmp_path):
    if axes.endswith("S") and dtype != "uint8":
        pytest.skip("ImageJ has colours of 8 bits only")
    shape = tuple({"T": 2, "Z": 3, "C": 4, "Y": 5, "X": 6, "S": 3, "I": 7}[axis] for axis in axes)
    image = Image(
        np.arange(np.prod(shape)).reshape(shape).astype(dtype), axes, PixelSize(0.3, 0.4), Metadata(flavour="imagej")
    )
    assert TIFF.write(image, tmp_path / "a.tif") == ()
    back = read(tmp_path / "a.tif")
    assert back.metadata.flavour == "imagej"
    assert back.properties == image.properties
    np.testing.assert_array_equal(back.pixels, image.pixels)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), image.pixels)


def test_unknown_values_are_kept(hyperstack, tmp_path):
    assert TIFF.write(read(hyperstack), tmp_path / "b.tif") == ()
    before, after = imagej_metadata(hyperstack), imagej_metadata(tmp_path / "b.tif")
    for key in ("mode", "min", "max", "finterval", "Ranges", "Labels", "Info", "ROI", "Overlays", "spacing", "slices"):
        assert after[key] == before[key], key
    np.testing.assert_array_equal(after["LUTs"], before["LUTs"])
    TIFF.write(read(tmp_path / "b.tif"), tmp_path / "c.tif")
    assert (tmp_path / "b.tif").read_bytes() == (tmp_path / "c.tif").read_bytes()


def test_values_invalid_for_the_new_pixels_are_dropped(hyperstack, tmp_path):
    image = read(hyperstack)
    TIFF.write(image.with_pixels(image.pixels.astype(np.float32)), tmp_path / "b.tif")
    assert not {"min", "max", "Ranges"} & imagej_metadata(tmp_path / "b.tif").keys()
    assert imagej_metadata(tmp_path / "b.tif")["ROI"] == b"Iout"
    TIFF.write(image.with_pixels(image.pixels[:, 0], "TCYX"), tmp_path / "b.tif")
    assert not {"ROI", "Overlays", "LUTs", "slices"} & imagej_metadata(tmp_path / "b.tif").keys()
    assert imagej_metadata(tmp_path / "b.tif")["Labels"] == ["DAPI", "GFP"] * 3


def test_32_bit_labels_become_ome_with_all_metadata(hyperstack, tmp_path):
    image = read(hyperstack)
    labels = image.with_pixels(image.pixels.astype(np.int32) * 100_000)
    assert TIFF.write(labels, tmp_path / "b.tif") == ()
    back = read(tmp_path / "b.tif")
    assert back.metadata.flavour == "ome"
    assert back.properties == labels.properties
    assert back.metadata.channel_names == ("DAPI", "GFP")
    assert back.metadata.extra["frame_interval"] == 2.5
    np.testing.assert_array_equal(back.pixels, labels.pixels)


@pytest.mark.parametrize(("unit", "size", "dpi"), [
    ("micron", 0.5, None), ("\\u00B5m", 0.5, None), ("um", 0.5, None), ("nm", 0.0005, None), ("mm", 500.0, None),
    ("pixel", None, None), ("", None, None), ("furlong", None, None),
])  # fmt: skip
def test_units_are_converted(unit, size, dpi, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK[0, 0, 0], imagej=True, resolution=(2.0, 2.0), metadata={"unit": unit})
    image = read(tmp_path / "a.tif")
    assert image.pixel_size == (size and PixelSize(size, size))
    assert image.metadata.dpi == dpi


def test_inches_give_a_resolution_for_print(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", STACK[0, 0, 0], imagej=True, resolution=(72.0, 72.0), metadata={"unit": "inch"}
    )
    image = read(tmp_path / "a.tif")
    assert (image.pixel_size, image.metadata.dpi) == (None, (72.0, 72.0))
    assert TIFF.write(image, tmp_path / "b.tif") == ()
    assert read(tmp_path / "b.tif").metadata.dpi == (72.0, 72.0)


def test_numbers_under_a_lookup_table_are_the_pixels(tmp_path):
    table = np.random.default_rng(0).integers(0, 65536, (3, 256), np.uint16)
    pixels = STACK[0, 0, 0].astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, colormap=table)
    image = read(tmp_path / "a.tif")
    assert image.axes == "YX"
    np.testing.assert_array_equal(image.pixels, pixels)
    TIFF.write(image, tmp_path / "b.tif")
    np.testing.assert_array_equal(read(tmp_path / "b.tif").pixels, pixels)
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        np.testing.assert_array_equal(tiff.pages[0].colormap, table)


def test_inverted_display_does_not_change_pixels(tmp_path):
    pixels = STACK[0, 0, 0].astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite", description="ImageJ=1.54f\n", metadata=None)
    np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, pixels)


def test_stack_with_one_directory_is_read(tmp_path):
    path = tmp_path / "virtual.tif"
    tifffile.imwrite(path, STACK, imagej=True, truncate=True, metadata={"axes": "TZCYX"})
    with tifffile.TiffFile(path) as tiff:
        assert len(tiff.pages) == 1
    np.testing.assert_array_equal(read(path).pixels, STACK)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ReadError, match="truncated"):
        TIFF.read(path)


@pytest.mark.parametrize("counts", [
    "images=25", "images=25\nframes=24", "images=48\nslices=48", "images=24\nframes=3\nslices=4\nchannels=3",
    "images=-1", "slices=25", "images=0\nslices=0",
])  # fmt: skip
def test_fewer_images_than_declared_are_refused(counts, tmp_path, capfd):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK.reshape(24, 20, 30), photometric="minisblack", metadata=None,
                     description=f"ImageJ=1.54f\n{counts}\nhyperstack=true\n")  # fmt: skip
    with pytest.raises(ReadError):
        TIFF.read(path)
    assert capfd.readouterr() == ("", "")


def test_stack_without_named_axes_stays_one(tmp_path):
    image = Image(STACK[0, 0], "IYX", metadata=Metadata(flavour="imagej", extra=MappingProxyType({})))
    TIFF.write(image, tmp_path / "a.tif")
    assert imagej_metadata(tmp_path / "a.tif")["images"] == 2
    assert "slices" not in imagej_metadata(tmp_path / "a.tif")


@pytest.mark.parametrize(("unit", "spacing", "depth"), [("nm", 500.0, 0.5), ("micron", 2.0, 2.0), ("mm", -0.003, 3.0)])
def test_slice_distance_is_in_the_unit_of_the_file(unit, spacing, depth, tmp_path):
    path = tmp_path / "a.tif"
    metadata = {"axes": "ZYX", "unit": unit, "spacing": spacing}
    tifffile.imwrite(path, DEPTH, imagej=True, resolution=(4.0, 4.0), metadata=metadata)
    assert TIFF.properties(path).pixel_size.z == pytest.approx(depth)
    TIFF.write(TIFF.read(path), tmp_path / "b.tif")
    assert TIFF.properties(tmp_path / "b.tif").pixel_size == pytest.approx(TIFF.properties(path).pixel_size)


def test_labels_of_removed_slices_are_dropped(tmp_path):
    labels = ["first", "second", "third", "fourth"]
    tifffile.imwrite(tmp_path / "a.tif", DEPTH, imagej=True, metadata={"axes": "ZYX", "Labels": labels})
    image = TIFF.read(tmp_path / "a.tif")
    for name, kept in (("all", image), ("some", image.with_pixels(image.pixels[2:]))):
        TIFF.write(kept, tmp_path / f"{name}.tif")
        with tifffile.TiffFile(tmp_path / f"{name}.tif") as tiff:
            assert tiff.imagej_metadata.get("Labels") == (labels if name == "all" else None)
