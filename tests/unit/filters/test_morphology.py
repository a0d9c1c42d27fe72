"""white_tophat."""

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
def test_only_small_spots_are_kept(dtype, given):
    result = white_tophat(Image(spots_on_a_slope(dtype), "YX"), **given).pixels
    assert (result[10:12, 10:12] >= 35).all()
    assert result[24:34, 24:34].max() < 15
    assert result[:5].max() < 15


def test_height_is_clipped_to_signed_types():
    pixels = np.full((5, 5), -128, np.int8)
    pixels[2, 2] = 127
    assert white_tophat(Image(pixels, "YX")).pixels[2, 2] == 127
    assert white_tophat(Image(pixels.astype(np.int16) * 256, "YX")).pixels[2, 2] == 32767


@pytest.mark.parametrize("hole", [np.nan, "transparent"])
def test_hole_is_neither_valley_nor_spot(hole):
    pixels = np.full((9, 9, 2), 5, np.float32)
    pixels[..., 1] = 1
    pixels[4, 6, 0] = 9
    pixels[4, 4] = [-1000, 0] if hole == "transparent" else [np.nan, 1]
    result = white_tophat(Image(pixels, "YXS"), radius=2).pixels[..., 0]
    expected = np.zeros((9, 9))
    expected[4, 6] = 4
    expected[4, 4] = 0 if hole == "transparent" else np.nan
    assert np.array_equal(result, expected, equal_nan=True)


def test_infinite_plateau_becomes_0_and_infinite_spot_stays():
    pixels = np.zeros((9, 9), np.float32)
    pixels[:4] = np.inf
    pixels[7, 7] = np.inf
    result = white_tophat(Image(pixels, "YX")).pixels
    expected = np.zeros((9, 9))
    expected[7, 7] = np.inf
    assert np.array_equal(result, expected)


def test_halo_is_twice_the_reach():
    assert white_tophat.halo(white_tophat.validate({"radius": "1um"}), PixelSize(0.25, 0.25)) == 8
    assert white_tophat.halo(white_tophat.validate({"size": 9}), None) == 8
    assert white_tophat.halo(white_tophat.validate({}), None) == 2


@pytest.mark.parametrize("wrong", [{"size": 2}, {"radius": -1}, {"size": 3, "radius": 1}])
def test_invalid_parameters_are_refused_with_the_recipe(wrong):
    with pytest.raises(RecipeError):
        white_tophat.load(wrong)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16"])
def test_constant_image_with_transparent_columns_has_no_spots(dtype):
    pixels = np.full((9, 12, 2), 100, dtype)
    pixels[..., 1] = np.iinfo(dtype).max
    pixels[:, ::2] = 0
    result = white_tophat(Image(pixels, "YXS"), radius=2).pixels
    assert not result[..., 0].any()


def test_constant_image_with_columns_of_nan_has_no_spots():
    pixels = np.full((9, 12), 100, np.float32)
    pixels[:, ::2] = np.nan
    result = white_tophat(Image(pixels, "YX"), size=5).pixels
    assert np.array_equal(np.unique(result[:, 1::2]), [0])
