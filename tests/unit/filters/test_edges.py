"""sobel."""

import numpy as np
import pytest

from imgpool.core.image import Image
from imgpool.filters.edges import sobel


def step(dtype, high):
    return np.repeat(np.array([[0, 0, 0, high, high, high]], dtype), 6, axis=0)


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_step_gives_an_edge_on_both_sides_only(turn):
    result = np.rot90(sobel(Image(np.rot90(step(np.uint16, 1000), turn).copy(), "YX")).pixels, -turn)
    assert (result == np.array([0, 0, 707, 707, 0, 0])).all()


def test_magnitude_is_clipped_to_signed_types():
    pixels = step(np.int8, 127)
    pixels[pixels == 0] = -128
    assert sobel(Image(pixels, "YX")).pixels.max() == 127


def test_hole_has_no_edge():
    pixels = np.full((7, 7), 300, np.float32)
    pixels[3, 3] = np.nan
    result = sobel(Image(pixels, "YX")).pixels
    assert np.isnan(result[3, 3])
    assert np.nanmax(result) == 0


def test_transparency_has_no_edge():
    pixels = np.zeros((6, 8, 4), np.uint8)
    pixels[:, :4] = [200, 0, 0, 255]
    pixels[:, 4:] = [0, 255, 0, 0]
    assert (sobel(Image(pixels, "YXS")).pixels[..., :3] == 0).all()


def test_half_opaque_neighbours_count_by_half():
    pixels = np.stack([step(np.float64, 1), np.ones((6, 6))], axis=-1)
    pixels[:, 3:, 1] = 0.5
    result = sobel(Image(pixels, "YXS")).pixels[2, :, 0]
    np.testing.assert_allclose(result[2] * 2, result[3])


def test_single_pixel_has_no_edge():
    assert sobel(Image(np.array([[9]], np.uint8), "YX")).pixels.tolist() == [[0]]
