"""The image and its properties."""

import copy
import pickle

import numpy as np
import pytest

from imgpool.core.image import Image, Metadata, PixelSize, Properties, guess_axes


def test_axes_must_describe_the_pixels():
    with pytest.raises(ValueError, match="name 3 dimensions"):
        Image(np.zeros((5, 4)), "ZYX")
    with pytest.raises(ValueError, match="no pixels"):
        Image(np.zeros((0, 4)), "YX")


@pytest.mark.parametrize("dtype", ["u2", "i4", "f4", "f8"])
def test_pixels_are_converted_to_native_byte_order(dtype):
    values = np.arange(20).reshape(5, 4)
    image = Image(values.astype(f">{dtype}"), "YX")
    assert image.pixels.dtype == np.dtype(f"={dtype}")
    assert image.pixels.dtype.isnative
    assert np.array_equal(image.pixels, values)


def test_native_pixels_are_not_copied():
    pixels = np.zeros((5, 4), np.uint8)
    assert Image(pixels, "YX").pixels is pixels


def test_image_is_immutable():
    image = Image(np.zeros((5, 4)), "YX")
    with pytest.raises(AttributeError):
        image.axes = "XY"


def test_with_pixels_keeps_metadata_and_checks_axes():
    metadata = Metadata(icc=b"profile", channel_names=("DAPI",))
    image = Image(np.zeros((5, 4, 3)), "YXS", PixelSize(0.5, 0.25), metadata)
    grey = image.with_pixels(np.ones((5, 4)), "YX")
    assert (grey.axes, grey.pixel_size, grey.metadata) == ("YX", PixelSize(0.5, 0.25), metadata)
    assert image.with_pixels(np.ones((5, 4, 3))).axes == "YXS"
    assert image.axes == "YXS"
    with pytest.raises(ValueError, match="name 3 dimensions"):
        image.with_pixels(np.ones((5, 4)))


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((5, 4), "YX"),
        ((5, 3), "YX"),
        ((5, 4, 3), "YXS"),
        ((5, 4, 4), "YXS"),
        ((5, 4, 2), "ZYX"),
        ((3, 64, 64), "ZYX"),
        ((2, 5, 6, 3), "ZYXS"),
        ((2, 3, 5, 6), "TZYX"),
        ((2, 3, 4, 5, 6), "TCZYX"),
        ((2, 3, 4, 5, 6, 3), "TCZYXS"),
    ],
)
def test_axes_of_an_array_are_guessed(shape, axes):
    assert guess_axes(shape) == axes
    assert Image.from_array(np.zeros(shape)).axes == axes


@pytest.mark.parametrize("shape", [(), (5,), (2, 2, 2, 2, 5, 6)])
def test_axes_that_cannot_be_guessed_are_required(shape):
    with pytest.raises(ValueError, match="pass axes="):
        Image.from_array(np.zeros(shape))


def test_given_axes_are_used():
    assert Image.from_array(np.zeros((5, 4, 3)), "ZYX").axes == "ZYX"


def test_from_array_accepts_a_list():
    assert Image.from_array([[1, 2], [3, 4]]).pixels.shape == (2, 2)


def test_samples_and_alpha():
    assert not Image.from_array(np.zeros((5, 4))).has_samples
    assert Image.from_array(np.zeros((5, 4, 3))).has_samples
    assert not Image.from_array(np.zeros((5, 4, 3))).has_alpha
    assert Image.from_array(np.zeros((5, 4, 4))).has_alpha
    assert Image(np.zeros((5, 4, 2)), "YXS").has_alpha


def test_properties_describe_the_image():
    image = Image(np.zeros((3, 5, 4, 3), np.uint16), "ZYXS", PixelSize(1.0, 1.0, 2.0))
    properties = image.properties
    assert properties == Properties((3, 5, 4, 3), np.dtype("uint16"), "ZYXS", PixelSize(1.0, 1.0, 2.0))
    assert (properties.pages, properties.pixel_count, properties.nbytes) == (3, 60, 360)


def test_sizes_beyond_64_bits_are_counted_exactly():
    properties = Properties((2**31, 2**31, 2**31, 4), np.dtype("float64"), "ZYXS")
    assert properties.pixel_count == 2**93
    assert properties.nbytes == 2**98


@pytest.mark.parametrize("again", [copy.deepcopy, lambda image: pickle.loads(pickle.dumps(image))])
def test_image_can_be_copied_and_pickled(again):
    image = Image(np.arange(20).reshape(5, 4), "YX", PixelSize(0.5, 0.5), Metadata(exif=b"II*\0", dpi=(72.0, 72.0)))
    twin = again(image)
    assert np.array_equal(twin.pixels, image.pixels)
    assert (twin.axes, twin.pixel_size, twin.metadata) == (image.axes, image.pixel_size, image.metadata)


def test_images_do_not_share_their_extra_metadata():
    first, second = Metadata(), Metadata()
    first.extra["frame_interval"] = 0.5
    assert second.extra == {}
