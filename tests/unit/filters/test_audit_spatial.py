"""Holes, and pixels that are not square."""

import numpy as np
import pytest

from imgpool.core.image import Image, PixelSize
from imgpool.core.quantity import Length
from imgpool.filters.geometry import crop
from imgpool.filters.morphology import white_tophat
from imgpool.filters.transform import resize, rotate

NAN = np.nan


@pytest.mark.parametrize("interpolation", ["area", "linear"])
def test_a_new_pixel_of_mostly_nan_is_nan_and_of_some_nan_is_the_mean_of_the_rest(interpolation):
    pixels = np.full((4, 8), 5, np.float32)
    pixels[:2, :2] = [[NAN, 5], [5, 5]]
    pixels[2:, 6:] = [[NAN, NAN], [NAN, 5]]
    result = resize(Image(pixels, "YX"), width=4, interpolation=interpolation).pixels
    assert np.argwhere(np.isnan(result)).tolist() == [[1, 3]]
    assert np.allclose(result[~np.isnan(result)], 5)


def test_nan_that_is_turned_does_not_spread():
    pixels = np.full((21, 21), 5, np.float64)
    pixels[8:13, 8:13] = NAN
    result = rotate(Image(pixels, "YX"), angle=45).pixels
    assert 19 <= np.isnan(result).sum() <= 29  # 25, and the rounding of their border


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16"])
def test_between_two_transparent_columns_a_plain_surface_has_no_spots(dtype):
    pixels = np.full((9, 12, 2), 100, dtype)
    pixels[..., 1] = np.iinfo(dtype).max
    pixels[:, ::2] = 0
    result = white_tophat(Image(pixels, "YXS"), radius=2).pixels
    assert not result[..., 0].any()


def test_between_two_columns_of_nan_a_plain_surface_has_no_spots():
    pixels = np.full((9, 12), 100, np.float32)
    pixels[:, ::2] = NAN
    result = white_tophat(Image(pixels, "YX"), size=5).pixels
    assert np.array_equal(np.unique(result[:, 1::2]), [0])


def test_top_and_left_resolve_along_their_own_axes():
    pixels = np.arange(600, dtype=np.uint16).reshape(20, 30)
    two = Length(2.0, "um")
    result = crop(Image(pixels, "YX", PixelSize(y=1.0, x=0.2)), top=two, left=two).pixels
    assert np.array_equal(result, pixels[2:, 10:])
