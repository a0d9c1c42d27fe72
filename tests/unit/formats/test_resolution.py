"""One field for two things: a microscope's pixel size, or a resolution for print."""

import numpy as np
import pytest

from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.formats._resolution import density, is_microscopic, kept_by_density, pixel_size_or_dpi, whole_density


def image(pixel_size=None, dpi=None):
    return Image(np.zeros((2, 3), np.uint8), "YX", pixel_size, Metadata(dpi=dpi))


@pytest.mark.parametrize("dpi", [72, 96, 150, 300, 600, 1200])
def test_print_resolutions_are_no_pixel_size(dpi):
    assert pixel_size_or_dpi(dpi, dpi, "inch") == (None, (dpi, dpi))


@pytest.mark.parametrize(
    ("horizontal", "vertical", "unit", "size"),
    [
        (30_769.230769, 15_384.615385, "cm", PixelSize(y=0.65, x=0.325)),
        (3_076_923.0769, 1_538_461.5385, "m", PixelSize(y=0.65, x=0.325)),
        (2540, 1270.5, "inch", PixelSize(y=25_400 / 1270.5, x=10)),
    ],
)
def test_microscopic_pixels_are_a_pixel_size(horizontal, vertical, unit, size):
    found, dpi = pixel_size_or_dpi(horizontal, vertical, unit)
    assert found[:2] == pytest.approx(size[:2])
    assert dpi is None


def test_the_border_is_twenty_micrometres():
    assert pixel_size_or_dpi(1270, 1270, "inch") == (None, (1270, 1270))
    assert pixel_size_or_dpi(1270.001, 1270.001, "inch")[0] is not None
    assert pixel_size_or_dpi(2540, 600, "inch") == (None, (2540, 600))  # one of two is large: not a microscope's


@pytest.mark.parametrize("nothing", [0, -1, float("nan"), float("inf")])
def test_senseless_fields_mean_nothing(nothing):
    assert pixel_size_or_dpi(nothing, 300, "inch") == (None, None)
    assert pixel_size_or_dpi(300, nothing, "inch") == (None, None)


@pytest.mark.parametrize("unit", ["inch", "cm", "m"])
@pytest.mark.parametrize(
    ("pixel_size", "dpi"), [(PixelSize(y=0.1, x=0.325), None), (None, (300, 150)), (PixelSize(1, 1), (72, 72))]
)
def test_what_is_written_is_read_again(unit, pixel_size, dpi):
    found, found_dpi = pixel_size_or_dpi(*density(image(pixel_size, dpi), unit), unit)
    if pixel_size:
        assert found[:2] == pytest.approx(pixel_size[:2])
        assert found_dpi is None
    else:
        assert found is None
        assert found_dpi == pytest.approx(dpi)


def test_nothing_known_is_nothing_written():
    assert density(image(), "inch") is None
    assert density(image(PixelSize(25, 25)), "inch") is None
    assert density(image(PixelSize(25, 25), (300, 300)), "inch") == (300, 300)
    assert not is_microscopic(None)


def test_whole_numbers_must_be_near_and_fit():
    assert whole_density(image(dpi=(299.72, 299.72)), "inch", 0xFFFF) == (300, 300)
    assert whole_density(image(dpi=(1.4, 300)), "inch", 0xFFFF) is None
    assert whole_density(image(PixelSize(0.1, 0.1)), "cm", 0xFFFF) is None
    assert whole_density(image(PixelSize(0.1, 0.1)), "m", 2**31 - 1) == (10**7, 10**7)
    assert whole_density(image(PixelSize(1e-5, 1e-5)), "m", 2**31 - 1) is None


def test_a_depth_is_not_kept_by_a_density():
    assert kept_by_density(image(PixelSize(1, 1))) == {"pixel_size"}
    assert kept_by_density(image(PixelSize(1, 1, 2))) == set()
    assert kept_by_density(image(dpi=(72, 72))) == {"dpi"}
