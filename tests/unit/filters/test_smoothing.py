"""gaussian and median."""

import numpy as np
import pytest
from scipy.ndimage import median_filter

from imgpool.core.catalogue import FILTERS
from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.filters.smoothing import gaussian, median


def spot(dtype=np.float64):
    pixels = np.zeros((21, 21), dtype)
    pixels[10, 10] = 1000
    return pixels


def red_beside_hidden_green():
    pixels = np.zeros((8, 16, 4), np.uint8)
    pixels[:, :8] = [200, 0, 0, 255]
    pixels[:, 8:] = [0, 255, 0, 0]
    return pixels


@pytest.mark.parametrize("blur", [gaussian, median])
def test_transparent_green_does_not_bleed(blur):
    result = blur(Image(red_beside_hidden_green(), "YXS")).pixels
    assert (result[:, :8] == [200, 0, 0, 255]).all()
    assert (result[..., 1] == 0).all()
    assert (result[:, 8:, 3] == 0).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int8", "int16", "int32"])
@pytest.mark.parametrize("extreme", ["min", "max"])
@pytest.mark.parametrize("sigma", [0.7, 5, 33])
def test_constant_extremes_stay_constant(dtype, extreme, sigma):
    pixels = np.full((9, 11), getattr(np.iinfo(dtype), extreme), dtype)
    assert np.array_equal(gaussian(Image(pixels, "YX"), sigma=sigma).pixels, pixels)


def test_sigma_with_a_unit_is_converted_per_axis():
    image = Image(spot(), "YX", PixelSize(y=1.0, x=0.5))
    result = gaussian(image, sigma="1um").pixels
    spread_y, spread_x = (np.sqrt((profile * (np.arange(21) - 10) ** 2).sum() / 1000)
                          for profile in (result.sum(axis=1), result.sum(axis=0)))  # fmt: skip
    assert (round(spread_y, 2), round(spread_x, 2)) == (1.0, 2.0)


def test_sigma_with_a_unit_needs_a_pixel_size():
    with pytest.raises(FilterError) as caught:
        gaussian(Image(spot(), "YX"), sigma="650nm")
    assert "`pixel_size=" in caught.value.hint


def test_huge_sigma_is_refused():
    with pytest.raises(FilterError, match="8000000 px") as caught:
        gaussian(Image(spot(), "YX", PixelSize(0.325, 0.325)), sigma="650mm")
    assert "unit" in caught.value.hint


def test_truncate_ends_the_kernel():
    assert np.count_nonzero(gaussian(Image(spot(), "YX"), sigma=2, truncate=1).pixels.any(axis=0)) == 5


@pytest.mark.parametrize("wrong", [{"sigma": 0}, {"sigma": -1}, {"sigma": "2kg"}, {"truncate": 0}, {"sigmas": 2}])
def test_gaussian_refuses_invalid_parameters(wrong):
    with pytest.raises(RecipeError):
        gaussian.validate(wrong)


def test_halo_is_the_reach_of_the_kernel():
    halo = gaussian.halo(gaussian.validate({"sigma": "1um"}), PixelSize(y=1.0, x=0.5))
    assert halo == 8


def test_infinity_spreads_to_the_reach_of_the_kernel():
    pixels = spot()
    pixels[10, 10] = np.inf
    assert np.isinf(gaussian(Image(pixels, "YX")).pixels).sum() == 81


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int16", "float32", "float64"])
@pytest.mark.parametrize("given", [{}, {"size": 5}, {"size": 7}, {"radius": 1}, {"radius": 4}, {"radius": 9}])
def test_median_removes_a_dead_pixel(dtype, given):
    pixels = np.full((15, 15), 20, dtype)
    pixels[7, 7] = 100
    assert (median(Image(pixels, "YX"), **given).pixels == 20).all()


@pytest.mark.parametrize("size", [3, 5, 7, 11, 13, 19])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "uint32"])
def test_all_median_algorithms_agree(size, dtype):
    pixels = np.random.default_rng(3).integers(0, 200, (30, 35)).astype(dtype)
    expected = median_filter(pixels, size=size, mode="nearest")
    assert np.array_equal(median(Image(pixels, "YX"), size=size).pixels, expected)


def test_median_of_a_wide_image_is_exact():
    pixels = np.random.default_rng(4).integers(0, 60000, (70, 2**13), dtype=np.uint16)
    expected = median_filter(pixels, footprint=[[0, 1, 0], [1, 1, 1], [0, 1, 0]], mode="nearest")
    assert np.array_equal(median(Image(pixels, "YX"), radius=1).pixels, expected)


def test_median_ignores_and_keeps_nan():
    pixels = np.array([[1, 2, np.nan, 90, 90]], np.float32)
    result = median(Image(pixels, "YX"), size=3).pixels
    assert np.array_equal(result, [[1, 2, np.nan, 90, 90]], equal_nan=True)


def test_median_of_an_even_number_is_the_upper_one():
    pixels = np.array([[np.nan, 3, 8]], np.float64)
    # around 3: 3 and 8, three times each
    assert np.array_equal(median(Image(pixels, "YX")).pixels, [[np.nan, 8, 8]], equal_nan=True)


def test_many_missing_pixels_are_processed_in_chunks(monkeypatch):
    pixels = np.random.default_rng(5).random((12, 13))
    pixels[pixels < 0.2] = np.nan
    at_once = median(Image(pixels, "YX"), radius=2).pixels
    monkeypatch.setattr("imgpool.filters._kernels.median.MAX_GATHERED_VALUES", 50)
    assert np.array_equal(median(Image(pixels, "YX"), radius=2).pixels, at_once, equal_nan=True)


def test_median_orders_infinity_like_other_values():
    pixels = np.array([[1, np.inf, 2]], np.float32)
    assert median(Image(pixels, "YX"), radius=1).pixels.tolist() == [[1, np.inf, 2]]
    assert median(Image(pixels.T, "YX"), size=3).pixels.ravel().tolist() == [1, 2, 2]


@pytest.mark.parametrize("wrong", [{"size": 4}, {"size": 0}, {"radius": 0}, {"size": 3, "radius": 1}])
def test_median_refuses_invalid_parameters(wrong):
    with pytest.raises(RecipeError):
        median.load(wrong)


def test_even_size_is_refused():
    with pytest.raises(RecipeError, match="must be odd"):
        median.load({"size": 4})


def test_radius_with_a_unit_uses_each_images_pixel_size():
    pixels = np.random.default_rng(0).integers(0, 255, (20, 20), dtype=np.uint8)
    near, far = (Image(pixels, "YX", PixelSize(size, size)) for size in (0.5, 1.0))
    load = median.load({"radius": "2um"})
    assert np.array_equal(load(near).pixels, median(Image(pixels, "YX"), radius=4).pixels)
    assert np.array_equal(load(far).pixels, median(Image(pixels, "YX"), radius=2).pixels)


@pytest.mark.parametrize("blur", [gaussian, median])
def test_metadata_and_pixel_size_are_kept(blur):
    image = Image(spot(), "YX", PixelSize(0.1, 0.1), Metadata(icc=b"profile"))
    result = blur(image)
    assert (result.metadata, result.pixel_size) == (image.metadata, image.pixel_size)


@pytest.mark.parametrize(("name", "tiles"), [("gaussian", "near"), ("median", "exact")])
def test_tiles_are_declared(name, tiles):
    assert FILTERS[name].tiles == tiles


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32"])
@pytest.mark.parametrize(("height", "sigma"), [(256, 2), (257, 2), (700, 2), (900, 40), (300, 200)])
def test_blur_in_strips_equals_blur_of_the_whole(dtype, height, sigma):
    pixels = np.random.default_rng(4).integers(0, 200, (height, 9)).astype(dtype)
    result = gaussian(Image(pixels, "YX"), sigma=sigma).pixels
    expected = gaussian(Image(pixels.astype("f8"), "YX"), sigma=sigma).pixels
    assert np.abs(result - expected).max() <= 0.501
