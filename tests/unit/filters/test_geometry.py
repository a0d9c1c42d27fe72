"""crop and auto_orient."""

import io

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageOps

from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.exif import orientation
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.filters.geometry import auto_orient, crop

PIXELS = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
PHOTO = Image(PIXELS, "YXS")


def exif_block(value):
    exif = PillowImage.Exif()
    exif[0x010F], exif[0x0112] = "Camera maker", value
    return exif.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize(("window", "expected"), [
    ({"top": 1, "left": 2, "height": 3, "width": 4}, np.s_[1:4, 2:6]),
    ({"top": 2}, np.s_[2:]),
    ({"width": 3}, np.s_[:, :3]),
    ({"margin": 1}, np.s_[1:-1, 1:-1]),
    ({"margin": 0}, np.s_[:]),
    ({"height": "3px"}, np.s_[:3]),
])  # fmt: skip
def test_crop_takes_a_window_or_a_margin(window, expected):
    assert np.array_equal(crop(PHOTO, **window).pixels, PIXELS[expected])


def test_every_plane_is_cropped_and_the_pixel_size_stays():
    stack = Image(np.zeros((2, 3, 5, 7), np.uint16), "CZYX", PixelSize(0.5, 0.5, 2))
    result = crop(stack, top=1, height=2, width=3)
    assert (result.pixels.shape, result.pixel_size) == ((2, 3, 2, 3), stack.pixel_size)


def test_lengths_use_the_pixel_size_of_their_axis():
    image = Image(PIXELS, "YXS", PixelSize(0.5, 0.25))
    assert crop(image, height="1um", width="1um").pixels.shape == (2, 4, 3)
    assert crop(image, margin="500nm").pixels.shape == (3, 3, 3)
    with pytest.raises(FilterError, match="needs the pixel size"):
        crop(PHOTO, height="1um")


@pytest.mark.parametrize("window", [{"height": 6}, {"top": 5}, {"top": 3, "height": 3}, {"left": 9}, {"margin": 3}])
def test_window_beyond_the_image_is_refused(window):
    with pytest.raises(FilterError, match="5 px high and 7 px wide"):
        crop(PHOTO, **window)
    with pytest.raises(FilterError, match="5 px high and 7 px wide"):
        crop.infer_output(PHOTO.properties, crop.validate(window))


@pytest.mark.parametrize("window", [{}, {"margin": 1, "top": 1}, {"margin": 0, "width": 3}, {"top": -1}, {"height": 0}])
def test_invalid_windows_are_refused_with_the_recipe(window):
    with pytest.raises(RecipeError):
        crop.load(window)


def test_result_does_not_keep_the_source_alive():
    assert crop(PHOTO, margin=1).pixels.base is None


@pytest.mark.parametrize("value", range(1, 9))
def test_every_orientation_agrees_with_pillow(value):
    buffer = io.BytesIO()
    PillowImage.fromarray(PIXELS).save(buffer, "PNG", exif=b"Exif\0\0" + exif_block(value))
    expected = np.asarray(ImageOps.exif_transpose(PillowImage.open(buffer)))
    image = Image(PIXELS, "YXS", PixelSize(1, 2), Metadata(exif=exif_block(value), dpi=(72, 144)))
    upright = auto_orient(image)
    assert np.array_equal(upright.pixels, expected)
    assert orientation(upright.metadata.exif) == 1
    assert b"Camera maker" in upright.metadata.exif
    sideways = value > 4
    assert upright.pixel_size == (PixelSize(2, 1) if sideways else PixelSize(1, 2))
    assert upright.metadata.dpi == ((144, 72) if sideways else (72, 144))
    assert orientation(image.metadata.exif) == value, "the input is not changed"


def test_second_auto_orient_changes_nothing():
    upright = auto_orient(Image(PIXELS, "YXS", metadata=Metadata(exif=exif_block(6))))
    assert auto_orient(upright) is upright


def test_every_plane_of_a_stack_is_reoriented():
    stack = Image(np.arange(24).reshape(2, 3, 4), "ZYX", metadata=Metadata(exif=exif_block(6)))
    assert np.array_equal(auto_orient(stack).pixels, np.rot90(stack.pixels, -1, (1, 2)))


@pytest.mark.parametrize("exif", [None, b"", b"no exif at all"])
def test_image_without_orientation_stays_unchanged(exif):
    image = Image(PIXELS, "YXS", metadata=Metadata(exif=exif))
    assert auto_orient(image) is image


def test_top_and_left_use_the_pixel_size_of_their_axis():
    pixels = np.arange(600, dtype=np.uint16).reshape(20, 30)
    result = crop(Image(pixels, "YX", PixelSize(y=1.0, x=0.2)), top="2um", left="2um").pixels
    assert np.array_equal(result, pixels[2:, 10:])
