"""A resolution field: the pixel size of a microscope, or a resolution for print."""

import numpy as np
import pytest

from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.formats._resolution import (
    integer_pixels_per_unit,
    is_microscopic,
    pixel_size_or_dpi,
    pixels_per_unit,
    stored_by_resolution,
)


def image(pixel_size=None, dpi=None):
    return Image(np.zeros((2, 3), np.uint8), "YX", pixel_size, Metadata(dpi=dpi))


@pytest.mark.parametrize("dpi", [72, 96, 150, 300, 600, 1200])
def test_resolution_for_print_is_dpi(dpi):
    assert pixel_size_or_dpi(dpi, dpi, "inch") == (None, (dpi, dpi))


@pytest.mark.parametrize(
    ("horizontal", "vertical", "unit", "size"),
    [
        (30_769.230769, 15_384.615385, "cm", PixelSize(y=0.65, x=0.325)),
        (3_076_923.0769, 1_538_461.5385, "m", PixelSize(y=0.65, x=0.325)),
        (2540, 1270.5, "inch", PixelSize(y=25_400 / 1270.5, x=10)),
    ],
)
def test_microscopic_resolution_is_a_pixel_size(horizontal, vertical, unit, size):
    found, dpi = pixel_size_or_dpi(horizontal, vertical, unit)
    assert found[:2] == pytest.approx(size[:2])
    assert dpi is None


def test_limit_between_both_is_20_micrometres():
    assert pixel_size_or_dpi(1270, 1270, "inch") == (None, (1270, 1270))
    assert pixel_size_or_dpi(1270.001, 1270.001, "inch")[0] is not None
    assert pixel_size_or_dpi(2540, 600, "inch") == (None, (2540, 600))  # both sides must be microscopic


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_invalid_resolution_is_ignored(value):
    assert pixel_size_or_dpi(value, 300, "inch") == (None, None)
    assert pixel_size_or_dpi(300, value, "inch") == (None, None)


@pytest.mark.parametrize("unit", ["inch", "cm", "m"])
@pytest.mark.parametrize(
    ("pixel_size", "dpi"), [(PixelSize(y=0.1, x=0.325), None), (None, (300, 150)), (PixelSize(1, 1), (72, 72))]
)
def test_written_resolution_is_read_back(unit, pixel_size, dpi):
    found, found_dpi = pixel_size_or_dpi(*pixels_per_unit(image(pixel_size, dpi), unit), unit)
    if pixel_size:
        assert found[:2] == pytest.approx(pixel_size[:2])
        assert found_dpi is None
    else:
        assert found is None
        assert found_dpi == pytest.approx(dpi)


def test_unknown_resolution_is_not_written():
    assert pixels_per_unit(image(), "inch") is None
    assert pixels_per_unit(image(PixelSize(25, 25)), "inch") is None
    assert pixels_per_unit(image(PixelSize(25, 25), (300, 300)), "inch") == (300, 300)
    assert not is_microscopic(None)


def test_integer_resolution_must_be_close_and_in_range():
    assert integer_pixels_per_unit(image(dpi=(299.72, 299.72)), "inch", 0xFFFF) == (300, 300)
    assert integer_pixels_per_unit(image(dpi=(1.4, 300)), "inch", 0xFFFF) is None
    assert integer_pixels_per_unit(image(PixelSize(0.1, 0.1)), "cm", 0xFFFF) is None
    assert integer_pixels_per_unit(image(PixelSize(0.1, 0.1)), "m", 2**31 - 1) == (10**7, 10**7)
    assert integer_pixels_per_unit(image(PixelSize(1e-5, 1e-5)), "m", 2**31 - 1) is None


def test_resolution_field_does_not_store_a_depth():
    assert stored_by_resolution(image(PixelSize(1, 1))) == {"pixel_size"}
    assert stored_by_resolution(image(PixelSize(1, 1, 2))) == set()
    assert stored_by_resolution(image(dpi=(72, 72))) == {"dpi"}
