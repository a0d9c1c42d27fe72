"""threshold and label: groups, alpha, NaN, dtype, order and refusals."""

import numpy as np
import pytest

from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.filters.segmentation import label, threshold

METHODS = ["otsu", "li", "triangle", "yen", "isodata", "mean", "local"]
SPOTS = np.zeros((20, 24), np.uint16)
SPOTS[3:8, 4:9], SPOTS[12:17, 14:21] = 900, 1000


def mask(rows):
    """A mask drawn with # and ."""
    return Image(np.array([[255 * (pixel == "#") for pixel in row] for row in rows.split()], np.uint8), "YX")


def noisy(dtype="uint16", scale=1.0):
    rng = np.random.default_rng(0)
    return Image(((SPOTS + rng.integers(50, 90, SPOTS.shape)) * scale).astype(dtype), "YX")


@pytest.mark.parametrize("method", ["otsu", "li", "triangle", "yen", "isodata", "mean"])
@pytest.mark.parametrize(("dtype", "scale"), [
    ("uint8", 0.2), ("uint16", 1), ("int16", 1), ("uint32", 3e6), ("int64", 1), ("float16", 1e-3), ("float64", 1e-3),
])  # fmt: skip
def test_spots_are_found(method, dtype, scale):
    result = threshold(noisy(dtype, scale), method=method).pixels
    assert result.dtype == np.uint8
    assert (result[SPOTS > 0] == 255).all()
    binned = np.dtype(dtype).kind == "f" or scale > 1  # the centre of a bin is not the end of the background
    assert (result[SPOTS == 0] > 0).mean() <= (0.03 if binned else 0)


def test_signed_integers_do_not_overflow():
    spots = Image(np.where(SPOTS > 0, 32767, -32768).astype("int16"), "YX")
    for method in ("otsu", "li", "mean"):
        assert np.array_equal(threshold(spots, method=method).pixels > 0, SPOTS > 0), method


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("background", ["dark", "bright"])
@pytest.mark.parametrize(("dtype", "value"), [("uint8", 0), ("uint16", 65535), ("float32", 0.1), ("float64", 1 / 3)])
def test_constant_image_has_no_objects(method, background, dtype, value):
    image = Image(np.full((9, 9), value, dtype), "YX")
    assert not threshold(image, method=method, background=background).pixels.any()


@pytest.mark.parametrize("background", ["dark", "bright"])
def test_local_method_ignores_plateaus(background):
    pixels = np.full((60, 60), 65535, np.uint16)
    pixels[:10] = 0
    result = threshold(Image(pixels, "YX"), method="local", size=9, background=background).pixels
    assert not result[30:].any()


def test_dark_objects_on_a_bright_background_are_found():
    image = noisy()
    dark = threshold(image).pixels
    negative = image.with_pixels(65535 - image.pixels)
    assert np.array_equal(threshold(negative, background="bright").pixels, dark)


def test_value_replaces_the_method():
    image = Image(np.array([[1, 2, 3]], np.uint8), "YX")
    assert threshold(image, value=2).pixels.tolist() == [[0, 0, 255]]
    assert threshold(image, value=1.5).pixels.tolist() == [[0, 255, 255]]
    assert threshold(image, value=2, background="bright").pixels.tolist() == [[255, 255, 0]]
    assert threshold(image, value=-1).pixels.tolist() == [[255, 255, 255]]
    assert threshold(image, value=1e9).pixels.tolist() == [[0, 0, 0]]


def test_nan_and_infinities_do_not_affect_the_threshold():
    image = noisy("float32", 1e-3)
    expected = threshold(image).pixels
    pixels = image.pixels.copy()
    pixels[0, :3] = np.nan, np.inf, -np.inf
    for method in METHODS:
        result = threshold(image.with_pixels(pixels), method=method).pixels
        assert result[0, :3].tolist() == [0, 255, 0], method
    assert np.array_equal(threshold(image.with_pixels(pixels)).pixels[1:], expected[1:])
    assert not threshold(image.with_pixels(np.full_like(pixels, np.nan))).pixels.any()


@pytest.mark.parametrize(("per", "found"), [
    ("plane", [[True, True], [True, True]]),
    ("channel", [[False, True], [True, True]]),
    ("image", [[False, False], [True, True]]),
])  # fmt: skip
def test_each_group_has_one_threshold(per, found):
    levels = np.array([[10, 60], [4000, 4000]])  # C, Z: the spots of each plane
    stack = np.where(SPOTS > 0, levels[..., None, None], 0).astype(np.uint16)
    result = threshold(Image(stack, "CZYX"), per=per)
    assert result.axes == "CZYX"
    assert result.pixels.any(axis=(2, 3)).tolist() == found


def test_transparent_pixels_are_background():
    grey = noisy("uint8", 0.2).pixels
    alpha = np.full_like(grey, 255)
    expected = threshold(Image(grey, "YX")).pixels
    grey[:2], alpha[:2] = 255, 0
    image = Image(np.stack([grey, alpha], axis=-1), "YXS")
    assert (threshold(image).axes, label(image).axes) == ("YX", "YX")
    assert np.array_equal(threshold(image).pixels[2:], expected[2:])
    assert not threshold(image).pixels[:2].any()
    assert not label(image).pixels[:2].any()


def test_premultiplied_grey_is_thresholded_as_straight():
    pixels = np.array([[[100, 255], [100, 128], [20, 255]]], np.uint8)
    image = Image(pixels, "YXS", metadata=Metadata(premultiplied=True))
    assert threshold(image, value=150).pixels.tolist() == [[0, 255, 0]]


@pytest.mark.parametrize("filter_", [threshold, label])
def test_colour_is_refused_with_a_remedy(filter_):
    image = Image(np.zeros((4, 4, 3), np.uint8), "YXS")
    with pytest.raises(FilterError, match="colour") as refusal:
        filter_(image)
    assert "rgb2gray" in refusal.value.hint
    with pytest.raises(FilterError, match="colour"):
        filter_.infer_output(image.properties, filter_.validate({}))


def test_minimum_without_two_peaks_is_refused():
    with pytest.raises(FilterError, match="two peaks") as refusal:
        threshold(Image(np.arange(100, dtype=np.uint8).reshape(10, 10), "YX"), method="minimum")
    assert "otsu" in refusal.value.hint


@pytest.mark.parametrize(("filter_", "parameters"), [
    (threshold, {"method": "li", "value": 3}),
    (threshold, {"size": 9}),
    (threshold, {"method": "local", "size": 8}),
    (threshold, {"method": "local", "size": 1}),
    (threshold, {"offset": 3}),
    (threshold, {"method": "magic"}),
    (label, {"connectivity": 3}),
    (label, {"connectivity": 0}),
    (label, {"min_area": -1}),
])  # fmt: skip
def test_invalid_parameters_are_refused_with_the_recipe(filter_, parameters):
    with pytest.raises(RecipeError):
        filter_.load(parameters)


def test_labels_are_in_raster_order():
    result = label(mask("..#.. #...# #.#.#")).pixels
    assert result.tolist() == [[0, 0, 1, 0, 0], [2, 0, 0, 0, 3], [2, 0, 4, 0, 3]]


def test_connectivity_1_separates_corners():
    corners = mask("#.. .#. ..#")
    assert label(corners).pixels.max() == 1
    assert label(corners, connectivity="1").pixels.max() == 3


@pytest.mark.parametrize(("count", "dtype"), [(0, "uint8"), (255, "uint8"), (256, "uint16"), (65536, "uint32")])
def test_dtype_is_the_smallest_that_holds_the_labels(count, dtype):
    dots = np.zeros((520, 520), bool)
    dots[::2, ::2].flat[:count] = True
    result = label(Image(dots, "YX")).pixels
    assert (result.dtype, result.max()) == (np.dtype(dtype), count)


def test_plane_with_most_labels_sets_the_dtype_of_the_stack():
    dots = np.zeros((2, 40, 40), np.uint8)
    dots[1, ::2, ::2] = 1
    assert label(Image(dots, "ZYX")).pixels.dtype == np.uint16


def test_small_objects_are_removed_without_gaps():
    image = mask("#..## ....# ##...")
    assert label(image, min_area=2).pixels.tolist() == [[0, 0, 0, 1, 1], [0, 0, 0, 0, 1], [2, 2, 0, 0, 0]]
    assert label(image, min_area=3).pixels.max() == 1
    sized = Image(image.pixels, "YX", PixelSize(0.5, 0.5))
    assert np.array_equal(label(sized, min_area="0.75um2").pixels, label(image, min_area=3).pixels)
    with pytest.raises(FilterError, match="needs the pixel size"):
        label(image, min_area="0.75um2")


def test_objects_at_the_border_are_removed():
    image = mask("#.... ..#.. ..... .#.## .....")
    assert label(image, clear_border=True).pixels.tolist()[1:4] == [[0, 0, 1, 0, 0], [0] * 5, [0, 2, 0, 0, 0]]


def test_planes_are_numbered_separately_volumes_jointly():
    stack = Image(np.stack([mask("#.# ... ..#").pixels, mask("#.. ... ..#").pixels]), "ZYX")
    assert label(stack).pixels.max(axis=(1, 2)).tolist() == [3, 2]
    volume = label(stack, per="volume").pixels
    assert volume.max() == 3
    assert (volume[1, 0, 0], volume[1, 2, 2]) == (volume[0, 0, 0], volume[0, 2, 2])
    assert label(stack, per="volume", min_area=2).pixels.max() == 2
    with pytest.raises(FilterError, match="volume"):
        label(stack, per="volume", min_area="1um2")


def test_volumes_are_labelled_for_any_position_of_z():
    rng = np.random.default_rng(0)
    zcyx = rng.random((4, 2, 9, 8)) > 0.7
    result = label(Image(zcyx, "ZCYX"), per="volume", connectivity=3).pixels
    for channel in range(2):
        alone = label(Image(zcyx[:, channel], "ZYX"), per="volume", connectivity=3).pixels
        assert np.array_equal(result[:, channel], alone)


def test_all_values_above_0_are_foreground():
    image = Image(np.array([[0.5, -1, np.nan, 1e-9]], "float32"), "YX")
    assert label(image).pixels.tolist() == [[1, 0, 0, 2]]
    assert label(Image(np.array([[7, 9, 0, 7]], np.uint16), "YX")).pixels.tolist() == [[1, 1, 0, 2]]
