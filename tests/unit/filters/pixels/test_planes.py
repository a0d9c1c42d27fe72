"""Filtering plane by plane with weights for alpha and NaN."""

import numpy as np
import pytest

from imgpool.core.errors import FilterError
from imgpool.core.image import Image, Metadata
from imgpool.filters._pixels.planes import each_sample, fill_missing, map_colour, weighted_mean


def spy(seen):
    """A filter that changes nothing and records its arguments."""

    def function(colour, weight):
        seen.append((colour, weight))
        return colour

    return function


@pytest.mark.parametrize(
    ("axes", "shape", "calls", "given"),
    [
        ("YX", (4, 5), 1, (4, 5)),
        ("CZYX", (2, 3, 4, 5), 6, (4, 5)),
        ("YXS", (4, 5, 3), 1, (4, 5, 3)),
        ("YXS", (4, 5, 2), 1, (4, 5)),
        ("TYXS", (2, 4, 5, 4), 2, (4, 5, 3)),
    ],
)
def test_function_receives_planes_without_alpha(axes, shape, calls, given):
    seen = []
    pixels = np.full(shape, 255, np.uint8)
    map_colour(Image(pixels, axes), "spy", spy(seen))
    assert [colour.shape for colour, _ in seen] == [given] * calls
    assert all(weight is None for _, weight in seen)
    assert all(colour.flags.c_contiguous and colour.dtype == np.uint8 for colour, _ in seen)


def test_nan_has_weight_0_and_is_restored():
    seen = []
    pixels = np.array([[1.0, np.nan]], np.float32)
    result = map_colour(Image(pixels, "YX"), "spy", spy(seen)).pixels
    assert seen[0][0].tolist() == [[1, 0]]
    assert seen[0][1].tolist() == [[1, 0]]
    assert np.array_equal(result, pixels, equal_nan=True)


def test_alpha_is_the_weight_and_hidden_colour_is_dropped():
    seen = []
    pixels = np.array([[[9, 9, 9, 255], [8, 8, 8, 51], [7, 7, 7, 0]]], np.uint8)
    result = map_colour(Image(pixels, "YXS"), "spy", spy(seen)).pixels
    colour, weight = seen[0]
    assert colour.tolist() == [[[9] * 3, [8] * 3, [0] * 3]]
    np.testing.assert_allclose(weight, [[[1] * 3, [0.2] * 3, [0] * 3]])
    assert result.tolist() == [[[9, 9, 9, 255], [8, 8, 8, 51], [0, 0, 0, 0]]]


def test_premultiplied_colour_is_filtered_as_straight():
    seen = []
    pixels = np.array([[[100, 128], [50, 255]]], np.uint8)
    image = Image(pixels, "YXS", metadata=Metadata(premultiplied=True))
    result = map_colour(image, "spy", spy(seen)).pixels
    assert seen[0][0].tolist() == [[199, 50]]
    assert result.tolist() == pixels.tolist()


def test_alpha_above_one_is_opaque_and_nan_is_transparent():
    seen = []
    pixels = np.array([[[3, 255], [4, np.nan]]], np.float32)
    result = map_colour(Image(pixels, "YXS"), "spy", spy(seen)).pixels
    assert seen[0][1].tolist() == [[1, 0]]
    assert np.array_equal(result, [[[3, 255], [0, np.nan]]], equal_nan=True)


def test_other_dtypes_are_refused():
    with pytest.raises(FilterError, match="spy needs integers or floats"):
        map_colour(Image(np.zeros((2, 2), bool), "YX"), "spy", spy([]))


def test_metadata_and_axes_are_kept():
    image = Image(np.zeros((2, 2, 2), np.uint8), "CYX", metadata=Metadata(channel_names=("a", "b")))
    result = map_colour(image, "spy", spy([]))
    assert (result.axes, result.metadata) == (image.axes, image.metadata)


def test_each_sample_is_processed_separately():
    colour = np.arange(12).reshape(2, 2, 3)
    assert np.array_equal(each_sample(lambda plane: plane - plane.min(), colour)[..., 2], [[0, 3], [6, 9]])


def test_weighted_mean_without_any_weight_is_0():
    colour = np.array([[8, 4]], np.uint8)
    weight = np.array([[0.5, 0]], np.float32)
    assert weighted_mean(lambda values: values, colour, weight).tolist() == [[8, 0]]


def test_missing_pixels_take_the_nearest_value():
    colour = np.array([[5, 0, 0, 9]], np.uint8)
    assert fill_missing(colour, np.array([[1, 0, 0, 1]], np.float32)).tolist() == [[5, 5, 9, 9]]
    assert fill_missing(colour, np.zeros((1, 4), np.float32)).tolist() == colour.tolist()


def test_missing_samples_are_filled_from_the_same_sample():
    colour = np.array([[[1, 2, 3], [4, 5, 0]]], np.uint8)
    weight = np.array([[[1, 1, 1], [1, 1, 0]]], np.float32)
    assert fill_missing(colour, weight).tolist() == [[[1, 2, 3], [4, 5, 3]]]
