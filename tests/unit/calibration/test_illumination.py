"""Estimation of the illumination that images share."""

import numpy as np
import pytest

from imgpool import Image
from imgpool.calibration.illumination import MAX_SIDE_PX, enlarge, estimate_illumination, reduce_channels, smooth
from tests.support.fields import light, rms, stack

HEIGHT, WIDTH = 96, 128
LIGHT = light(HEIGHT, WIDTH).astype(np.float32)


@pytest.mark.parametrize("absorbing", [False, True], ids=["bright cells", "dark cells"])
@pytest.mark.parametrize(("count", "cover"), [(10, 0.05), (10, 0.3), (40, 0.5)])
def test_illumination_is_closer_to_the_truth_than_a_median(count, cover, absorbing):
    images = stack(LIGHT, count, cover, absorbing=absorbing)
    found = rms(estimate_illumination(images), LIGHT)
    assert found < 0.3
    assert found < rms(np.median(images, axis=0), LIGHT) / 5


def test_illumination_is_found_in_one_image_without_noise():
    assert rms(estimate_illumination(700 * LIGHT[np.newaxis]), LIGHT) < 0.05


def test_even_images_have_even_illumination():
    np.testing.assert_allclose(estimate_illumination(np.full((3, 20, 30), 7, np.float32)), 1, rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 2), (128, 4)])
def test_illumination_of_any_size_is_positive_with_mean_1(shape):
    values = np.random.default_rng(0).random(shape).astype(np.float32)
    for field in (smooth(values), enlarge(smooth(values), (shape[0] * 5, shape[1] * 7))):
        assert field.min() > 0
        assert field.mean() == pytest.approx(1, abs=1e-4)


def test_enlarged_illumination_is_right_up_to_the_border():
    large = light(900, 1200)
    image = Image((1000 * large).astype(np.float32), "YX")
    (small,) = reduce_channels(image)
    assert small.shape == (MAX_SIDE_PX * 3 // 4, MAX_SIDE_PX)
    assert np.abs(enlarge(smooth(small), large.shape) / large - 1).max() < 0.002


def test_channels_are_reduced_separately_and_planes_averaged():
    pixels = np.arange(2 * 3 * 2, dtype=np.uint16).reshape(2, 3, 2, 1, 1) * np.ones((5, 6), np.uint16)
    reduced = reduce_channels(Image(pixels, "TCZYX"))
    assert reduced.shape == (3, 5, 6)
    np.testing.assert_allclose(reduced[:, 0, 0], pixels.mean(axis=(0, 2, 3, 4)))
    colour = np.ones((5, 6, 4), np.uint8) * np.uint8([10, 20, 30, 99])
    np.testing.assert_allclose(reduce_channels(Image(colour, "YXS"))[:, 2, 2], [10, 20, 30])
