"""flat_field: frames, matching images and dead pixels."""

import numpy as np
import pytest

import imgpool
from imgpool.core.catalogue import FILTERS
from imgpool.core.errors import FilterError, RecipeError, WorkerError
from imgpool.core.image import Image, Metadata
from imgpool.core.recipe import Recipe

FLAT = np.array([[50, 100, 150], [100, 200, 0]], np.float32)
flat_field = FILTERS["flat_field"]


@pytest.fixture
def frame(tmp_path):
    """Save a frame and return its path."""

    def save(pixels, axes="YX", name="flat.tif"):
        imgpool.write(Image(np.asarray(pixels), axes), tmp_path / name)
        return str(tmp_path / name)

    return save


def test_dead_pixels_of_the_flat_are_ignored(frame):
    even = flat_field(Image(np.full((2, 3), 60, np.uint16), "YX"), flat=frame(FLAT)).pixels
    assert np.array_equal(even, [[144, 72, 48], [72, 36, 60]])  # the mean of the others is 120


def test_nan_in_the_flat_is_a_dead_pixel(frame):
    flat = np.where(FLAT == 0, np.nan, FLAT).astype(np.float32)
    image = Image(np.full((2, 3), 60, np.uint8), "YX")
    assert np.array_equal(flat_field(image, flat=frame(flat)).pixels, flat_field(image, flat=frame(FLAT)).pixels)


def test_values_below_the_dark_frame_become_0(frame):
    image = Image(np.array([[5, 10, 255]], np.uint8), "YX")
    flat, dark = frame(np.float32([[20, 30, 20]])), frame(np.uint8([[10, 10, 10]]), name="dark.tif")
    assert np.array_equal(flat_field(image, flat=flat, dark=dark).pixels, [[0, 0, 255]])
    assert np.array_equal(flat_field(image, flat=flat, offset=10).pixels, [[0, 0, 255]])


def test_normalized_flat_is_not_dark_corrected_again(frame):
    image = Image(np.array([[110, 120]], np.uint8), "YX")
    flat = frame(np.float32([[0.5, 1.5]]))
    assert np.array_equal(flat_field(image, flat=flat, offset=100, normalized=True).pixels, [[20, 13]])
    with pytest.raises(WorkerError, match="nowhere brighter than the dark level") as caught:
        flat_field(image, flat=flat, offset=100)
    assert "normalized=true" in caught.value.hint


def test_channels_and_samples_have_separate_frames(frame):
    flat = np.float32([[[1, 3]], [[30, 10]]])
    pixels = np.full((2, 2, 1, 2), 60, np.uint16)
    expected = np.array([[[120, 40]], [[40, 120]]])
    assert np.array_equal(
        flat_field(Image(pixels, "TCYX"), flat=frame(flat, "CYX", "flat.ome.tif")).pixels, [expected] * 2
    )
    colour = np.float32([[[1, 30, 5], [3, 10, 5]]])
    result = flat_field(Image(np.full((1, 2, 3), 60, np.uint8), "YXS"), flat=frame(colour, "YXS")).pixels
    assert np.array_equal(result, [[[120, 40, 60], [40, 120, 60]]])


def test_frame_with_one_plane_applies_to_all(frame):
    path, plane = frame(FLAT), np.random.default_rng(0).integers(0, 99, (2, 3), np.uint8)
    expected = flat_field(Image(plane, "YX"), flat=path).pixels
    stack = flat_field(Image(np.stack([plane] * 4).reshape(2, 2, 2, 3), "CZYX"), flat=path).pixels
    assert (stack == expected).all()
    colour = flat_field(Image(np.stack([plane] * 3, -1), "YXS"), flat=path).pixels
    assert (colour == expected[..., np.newaxis]).all()


def test_premultiplied_colour_is_corrected_as_straight(frame):
    pixels = np.array([[[100, 128], [0, 0], [50, 255]]], np.uint8)
    image = Image(pixels, "YXS", metadata=Metadata(premultiplied=True))
    result = flat_field(image, flat=frame(np.float32([[3, 2, 1]])), offset=20, normalized=True).pixels
    straight = 100 / 128 * 255  # of which two thirds are left
    assert result[0, :, 0] == pytest.approx([(straight - 20) * 2 / 3 * 128 / 255, 0, 60], abs=1)
    assert np.array_equal(result[..., 1], pixels[..., 1])


@pytest.mark.parametrize(
    ("shape", "axes", "complaint"),
    [
        ((3, 2), "YX", "the flat frame is 3×2 px, the image 2×3 px"),
        ((4, 6), "YX", "the flat frame is 3×2 px, the image 6×4 px"),
    ],
)
def test_different_size_is_refused(frame, shape, axes, complaint):
    with pytest.raises(FilterError, match=complaint) as caught:
        flat_field(Image(np.ones(shape, np.uint8), axes), flat=frame(FLAT))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("flat_axes", "shape", "axes"),
    [("CYX", (2, 3), "YX"), ("CYX", (3, 2, 3), "CYX"), ("CYX", (2, 3, 3), "YXS"), ("YXS", (2, 3), "YX")],
)
def test_different_channels_are_refused(frame, flat_axes, shape, axes):
    flat = np.ones((2, 2, 3) if flat_axes == "CYX" else (2, 3, 3), np.float32)
    with pytest.raises(FilterError, match="the flat frame has"):
        flat_field(Image(np.ones(shape, np.uint8), axes), flat=frame(flat, flat_axes, "flat.ome.tif"))


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"flat": "absent.tif"}, "there is no .*absent.tif"),
        ({"flat": "text.txt"}, "has an unknown extension"),
        ({"flat": "text.tif"}, "text.tif cannot be read"),
        ({"flat": "folder.tif"}, "not a regular file"),
        ({"flat": "stack.tif"}, "has axes TYX"),
        ({"flat": "flat.tif", "dark": "small.tif"}, "small.tif is 1×1 px, .*flat.tif is 3×2 px"),
        ({"flat": "flat.tif", "dark": "flat.tif", "offset": 3}, "dark or offset, not both"),
        ({"flat": "flat.tif", "dark": "colour.tif"}, "dark has 3 samples per pixel, flat one channel"),
        ({}, "needs the parameter 'flat'"),
    ],
)
def test_unusable_frames_are_refused_with_the_recipe(frame, tmp_path, parameters, complaint):
    frame(FLAT)
    frame(np.ones((1, 1), np.uint8), name="small.tif")
    frame(np.ones((2, 3, 3), np.uint8), "YXS", name="colour.tif")
    frame(np.ones((4, 2, 3), np.uint8), "TYX", name="stack.tif")
    (tmp_path / "text.tif").write_text("no image")
    (tmp_path / "text.txt").write_text("no image")
    (tmp_path / "folder.tif").mkdir()
    files = {name: str(tmp_path / value) if name != "offset" else value for name, value in parameters.items()}
    with pytest.raises(RecipeError, match=complaint) as caught:
        flat_field.validate(files)
    assert caught.value.hint


def test_fingerprint_depends_on_the_frame(frame):
    before = Recipe.from_specs([f"flat_field:flat={frame(FLAT)}"]).fingerprint()
    assert Recipe.from_specs([f"flat_field:flat={frame(FLAT)}"]).fingerprint() == before
    assert Recipe.from_specs([f"flat_field:flat={frame(FLAT + 1)}"]).fingerprint() != before
