"""unsharp_mask: clipping, alpha and NaN."""

import numpy as np
import pytest

from imgpool.core.errors import RecipeError
from imgpool.core.image import Image, PixelSize
from imgpool.filters.sharpening import unsharp_mask


def step(low, high, dtype):
    return np.repeat(np.array([[low] * 6 + [high] * 6], dtype), 5, axis=0)


def test_step_overshoots_on_both_sides():
    result = unsharp_mask(Image(step(100, 150, np.uint8), "YX")).pixels[2]
    assert result[5] < 100
    assert result[6] > 150
    assert (result[[0, -1]] == [100, 150]).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int16"])
def test_integers_are_clipped(dtype):
    white = np.iinfo(dtype).max
    result = unsharp_mask(Image(step(0, white, dtype), "YX"), amount=20).pixels
    assert np.array_equal(result, step(0, white, dtype))


def test_negative_results_need_negative_input():
    assert unsharp_mask(Image(step(0, 100, np.int16), "YX")).pixels.min() == 0
    assert unsharp_mask(Image(step(-1, 100, np.int16), "YX")).pixels.min() < -1


def test_floats_within_0_to_1_stay_there():
    result = unsharp_mask(Image(step(0, 1, np.float32), "YX"), amount=5).pixels
    assert (result.min(), result.max()) == (0, 1)


def test_floats_beyond_1_are_not_clipped():
    result = unsharp_mask(Image(step(0, 4000, np.float32), "YX")).pixels
    assert result.min() < -100
    assert result.max() > 4100


def test_one_plane_beyond_1_decides_for_the_stack():
    stack = np.stack([step(0, 1, np.float32), step(0, 7, np.float32)])
    assert unsharp_mask(Image(stack, "ZYX")).pixels[0].max() > 1


def test_hidden_colour_does_not_affect_clipping():
    pixels = np.stack([step(0, 1, np.float32), np.ones((5, 12), np.float32)], axis=-1)
    pixels[0, 0] = [5000, 0]
    assert unsharp_mask(Image(pixels, "YXS")).pixels[..., 0].max() == 1


def test_fully_transparent_or_nan_images_are_accepted():
    hidden = np.zeros((3, 3, 2), np.float32)
    assert (unsharp_mask(Image(hidden, "YXS")).pixels == 0).all()
    assert np.isnan(unsharp_mask(Image(np.full((3, 3), np.nan), "YX")).pixels).all()


def test_amount_0_changes_nothing_and_negative_blurs():
    pixels = step(10, 90, np.uint8)
    assert np.array_equal(unsharp_mask(Image(pixels, "YX"), amount=0).pixels, pixels)
    assert np.ptp(unsharp_mask(Image(pixels, "YX"), amount=-0.9).pixels[2, 5:7].astype(int)) < 40


def test_nan_does_not_affect_its_neighbours():
    pixels = np.full((7, 7), 0.5)
    pixels[3, 3] = np.nan
    result = unsharp_mask(Image(pixels, "YX")).pixels
    assert np.isnan(result[3, 3])
    np.testing.assert_allclose(result[~np.isnan(result)], 0.5)


@pytest.mark.parametrize("wrong", [{"radius": 0}, {"amount": "nan"}, {"sigma": 1}])
def test_invalid_parameters_are_refused(wrong):
    with pytest.raises(RecipeError):
        unsharp_mask.validate(wrong)


def test_radius_with_a_unit_sets_the_halo():
    assert unsharp_mask.halo(unsharp_mask.validate({"radius": "1um"}), PixelSize(0.5, 0.5)) == 8
