"""equalize_adapthist and clahe."""

import cv2
import numpy as np
import pytest

from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.image import Image, PixelSize
from imgpool.filters.contrast import clahe, equalize_adapthist

BOTH = pytest.mark.parametrize("equalize", [equalize_adapthist, clahe], ids=["skimage", "opencv"])


def faint(dtype, low=40, high=60, shape=(64, 64)):
    """A faint slope with a little noise."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    noise = np.random.default_rng(0).random(shape)
    return (low + (high - low) * (0.9 * (y + x) / (y + x).max() + 0.1 * noise)).astype(dtype)


@BOTH
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_local_contrast_increases(equalize, dtype):
    pixels = faint(dtype)
    result = equalize(Image(pixels, "YX")).pixels
    block = np.s_[24:32, 24:32]
    share = np.ptp(result[block].astype(float)) / np.ptp(result.astype(float))
    assert share > np.ptp(pixels[block].astype(float)) / np.ptp(pixels.astype(float))


@BOTH
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float16", "float32", "float64"])
@pytest.mark.parametrize("axes", ["YX", "YXS"])
def test_constant_plane_stays_unchanged(equalize, dtype, axes):
    pixels = np.full((20, 20, 3)[: len(axes)], 77, dtype)
    assert np.array_equal(equalize(Image(pixels, axes)).pixels, pixels)


def test_differences_below_16_bits_are_ignored():
    pixels = faint(np.float64, 0.5, 0.5 + 1e-7)
    assert np.array_equal(equalize_adapthist(Image(pixels, "YX")).pixels, pixels)


@BOTH
@pytest.mark.parametrize(("dtype", "low", "high"), [("float32", -500, 4000), ("int32", -70000, 9), ("int16", -9, 9)])
def test_other_dtypes_keep_the_range_of_the_image(equalize, dtype, low, high):
    pixels = faint(dtype, low, high)
    result = equalize(Image(pixels, "YX")).pixels
    assert pixels.min() - 1 <= result.min() < low + (high - low) / 4
    assert high - (high - low) / 4 < result.max() <= pixels.max() + 1


@BOTH
def test_nan_does_not_affect_other_pixels(equalize):
    pixels = faint(np.float32)
    whole = equalize(Image(pixels, "YX")).pixels
    holed = pixels.copy()
    holed[10, 10] = np.nan
    result = equalize(Image(holed, "YX")).pixels
    assert np.isnan(result[10, 10])
    there = ~np.isnan(result)
    assert there.sum() == pixels.size - 1
    assert np.abs(result - whole)[there].max() < 0.02 * np.ptp(whole)


@BOTH
def test_infinite_values_are_refused_with_a_remedy(equalize):
    pixels = faint(np.float32)
    pixels[0, 0] = np.inf
    with pytest.raises(FilterError, match="infinite") as caught:
        equalize(Image(pixels, "YX"))
    assert "rescale_intensity" in caught.value.hint


@BOTH
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_hues_are_preserved(equalize, dtype):
    grey = faint(np.float64, 0.1, 0.3)
    rgb = (np.stack([grey, grey / 2, grey / 4], axis=-1) * (65535 if dtype == "uint16" else 1)).astype(dtype)
    result = equalize(Image(rgb, "YXS")).pixels.astype(float)
    bright = result[..., 0] > 0.05 * result[..., 0].max()
    unclipped = bright & (result[..., 0] < 0.99 * result[..., 0].max())
    np.testing.assert_allclose(result[unclipped, 1] / result[unclipped, 0], 0.5, atol=0.03)
    assert not np.array_equal(result, rgb)


@BOTH
def test_saturated_colour_stays_within_its_range(equalize):
    rgb = np.zeros((40, 40, 3))
    rgb[..., 2] = faint(np.float64, 0, 300, (40, 40))  # blue: much colour, little luminance
    rgb[::2, :, 1] = 300
    result = equalize(Image(rgb, "YXS")).pixels
    assert result.min() >= 0
    assert result.max() <= 300


def test_lightness_of_8_bit_colour_is_equalised():
    rgb = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(2, (8, 8)).apply(lab[..., 0].copy())
    assert np.array_equal(clahe(Image(rgb, "YXS")).pixels, cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))


def test_clahe_of_floats_equals_that_of_16_bits():
    deep = faint(np.uint16, 0, 65535)
    deep.flat[:2] = 0, 65535
    expected = clahe(Image(deep, "YX")).pixels
    result = clahe(Image(deep.astype(np.float64) / 10 - 3, "YX")).pixels
    np.testing.assert_allclose((result + 3) * 10, expected, atol=1e-6)


def test_kernel_size_accepts_a_unit():
    pixels = faint(np.uint8)
    physical = equalize_adapthist(Image(pixels, "YX", PixelSize(0.5, 0.5)), kernel_size="4um").pixels
    assert np.array_equal(physical, equalize_adapthist(Image(pixels, "YX"), kernel_size=8).pixels)


@pytest.mark.parametrize("wrong", [{"clip_limit": 1.5}, {"nbins": 1}, {"kernel_size": 0}])
def test_equalize_adapthist_refuses_invalid_parameters(wrong):
    with pytest.raises(RecipeError):
        equalize_adapthist.validate(wrong)


@pytest.mark.parametrize("wrong", [{"clip_limit": 0}, {"tile_grid": 0}, {"tile_grid": 2.5}])
def test_clahe_refuses_invalid_parameters(wrong):
    with pytest.raises(RecipeError):
        clahe.validate(wrong)
