"""rgb2gray: samples, alpha and colour profile."""

import numpy as np
import pytest

from imgpool.core.image import Image, Metadata
from imgpool.filters.color import rgb2gray

COLOURS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [90, 90, 90]]])


def test_weights_are_those_of_luminance():
    assert rgb2gray(Image(COLOURS.astype("uint8"), "YXS")).pixels.tolist() == [[54, 182, 18, 90]]


@pytest.mark.parametrize(("dtype", "value"), [
    ("uint8", 255), ("uint16", 65535), ("uint32", 2**32 - 1), ("int32", -(2**31)), ("float64", 0.1), ("float16", 0.5),
])  # fmt: skip
def test_grey_colours_keep_their_level(dtype, value):
    grey = rgb2gray(Image(np.full((4, 5, 3), value, dtype), "YXS"))
    assert grey.pixels.dtype == dtype
    assert grey.pixels.shape == (4, 5)
    assert np.allclose(grey.pixels.astype("f8"), float(np.dtype(dtype).type(value)), rtol=1e-15, atol=0)


def test_stacks_lose_only_the_sample_axis():
    stack = Image(np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5, 3), dtype=np.uint8), "TZYXS")
    grey = rgb2gray(stack)
    assert (grey.axes, grey.pixels.shape) == ("TZYX", (2, 3, 4, 5))
    assert np.array_equal(grey.pixels[1, 2], rgb2gray(Image(stack.pixels[1, 2], "YXS")).pixels)


def test_alpha_is_kept():
    grey = rgb2gray(Image(np.array([[[255, 255, 255, 9], [255, 0, 0, 255]]], "uint8"), "YXS"))
    assert grey.pixels.tolist() == [[[255, 9], [54, 255]]]
    assert grey.axes == "YXS"


def test_grey_images_stay_unchanged():
    for image in (Image(np.ones((2, 2), "uint8"), "YX"), Image(np.ones((2, 2, 2), "uint8"), "YXS")):
        assert rgb2gray(image) is image


def test_only_the_colour_profile_is_dropped():
    image = Image(COLOURS.astype("uint8"), "YXS", metadata=Metadata(icc=b"RGB profile", exif=b"II*\0", dpi=(300, 300)))
    assert rgb2gray(image).metadata == Metadata(exif=b"II*\0", dpi=(300, 300))


def test_nan_in_one_sample_is_nan_in_grey():
    image = Image(np.array([[[0.5, np.nan, 0.5], [1, 1, 1]]], "float32"), "YXS")
    assert np.isnan(rgb2gray(image).pixels).tolist() == [[True, False]]
