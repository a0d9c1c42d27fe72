"""ImageJ's depth has its unit too, and a label belongs to one slice."""

import numpy as np
import pytest
import tifffile

from imgpool.formats.tiff import TIFF

STACK = np.random.default_rng(0).integers(0, 4096, (4, 10, 12), np.uint16)


@pytest.mark.parametrize(("unit", "spacing", "depth"), [("nm", 500.0, 0.5), ("micron", 2.0, 2.0), ("mm", -0.003, 3.0)])
def test_the_depth_of_a_voxel_is_in_the_units_of_the_file(unit, spacing, depth, tmp_path):
    path = tmp_path / "a.tif"
    said = {"axes": "ZYX", "unit": unit, "spacing": spacing}
    tifffile.imwrite(path, STACK, imagej=True, resolution=(4.0, 4.0), metadata=said)
    assert TIFF.properties(path).pixel_size.z == pytest.approx(depth)
    TIFF.write(TIFF.read(path), tmp_path / "b.tif")
    assert TIFF.properties(tmp_path / "b.tif").pixel_size == pytest.approx(TIFF.properties(path).pixel_size)


def test_labels_of_slices_that_are_gone_are_gone(tmp_path):
    labels = ["first", "second", "third", "fourth"]
    tifffile.imwrite(tmp_path / "a.tif", STACK, imagej=True, metadata={"axes": "ZYX", "Labels": labels})
    image = TIFF.read(tmp_path / "a.tif")
    for name, kept in (("all", image), ("some", image.with_pixels(image.pixels[2:]))):
        TIFF.write(kept, tmp_path / f"{name}.tif")
        with tifffile.TiffFile(tmp_path / f"{name}.tif") as tiff:
            assert tiff.imagej_metadata.get("Labels") == (labels if name == "all" else None)
