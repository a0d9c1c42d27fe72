import numpy as np
import pytest

from imgpool.core.errors import RecipeError
from imgpool.core.image import Image, PixelSize
from imgpool.filters.morphology import white_tophat


def spots_on_a_slope(dtype):
    pixels = np.add.outer(np.arange(40), np.arange(40)).astype(dtype)
    pixels[10:12, 10:12] += 40
    pixels[20:38, 20:38] += 40
    return pixels


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int16", "float32", "float64"])
@pytest.mark.parametrize("given", [{"radius": 4}, {"size": 7}])
def test_small_spots_stay_and_background_and_large_ones_go(dtype, given):
    result = white_tophat(Image(spots_on_a_slope(dtype), "YX"), **given).pixels
    assert (result[10:12, 10:12] >= 35).all()
    assert result[24:34, 24:34].max() < 15
    assert result[:5].max() < 15


def test_a_height_that_the_type_cannot_hold_is_clipped():
    pixels = np.full((5, 5), -128, np.int8)
    pixels[2, 2] = 127
    assert white_tophat(Image(pixels, "YX")).pixels[2, 2] == 127
    assert white_tophat(Image(pixels.astype(np.int16) * 256, "YX")).pixels[2, 2] == 32767


@pytest.mark.parametrize("hole", [np.nan, "transparent"])
def test_a_hole_is_neither_valley_nor_spot(hole):
    pixels = np.full((9, 9, 2), 5, np.float32)
    pixels[..., 1] = 1
    pixels[4, 6, 0] = 9
    pixels[4, 4] = [-1000, 0] if hole == "transparent" else [np.nan, 1]
    result = white_tophat(Image(pixels, "YXS"), radius=2).pixels[..., 0]
    expected = np.zeros((9, 9))
    expected[4, 6] = 4
    expected[4, 4] = 0 if hole == "transparent" else np.nan
    assert np.array_equal(result, expected, equal_nan=True)


def test_an_infinite_plateau_has_no_height_and_an_infinite_spot_is_infinite():
    pixels = np.zeros((9, 9), np.float32)
    pixels[:4] = np.inf
    pixels[7, 7] = np.inf
    result = white_tophat(Image(pixels, "YX")).pixels
    expected = np.zeros((9, 9))
    expected[7, 7] = np.inf
    assert np.array_equal(result, expected)


def test_the_halo_is_twice_the_reach():
    assert white_tophat.halo(white_tophat.validate({"radius": "1um"}), PixelSize(0.25, 0.25)) == 8
    assert white_tophat.halo(white_tophat.validate({"size": 9}), None) == 8
    assert white_tophat.halo(white_tophat.validate({}), None) == 2


@pytest.mark.parametrize("wrong", [{"size": 2}, {"radius": -1}, {"size": 3, "radius": 1}])
def test_what_does_not_fit_is_refused_before_any_image(wrong):
    with pytest.raises(RecipeError):
        white_tophat.load(wrong)
