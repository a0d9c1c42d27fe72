"""resize and rotate: parameters, alpha, NaN, pixel size and exactness."""

import numpy as np
import pytest

from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.filters.transform import resize, rotate

PHOTO = Image(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8), "YXS")


def rng():
    """A new generator for each test, so that tests do not depend on each other."""
    return np.random.default_rng(0)


def uniform(value, shape=(30, 40), dtype="uint8"):
    return Image(np.full(shape, value, dtype), "YX")


def red_beside_green(alpha):
    """Opaque red on the left, green with the given alpha on the right."""
    pixels = np.zeros((20, 20, 4), np.uint8)
    pixels[:, :10], pixels[:, 10:] = (255, 0, 0, 255), (0, 255, 0, alpha)
    return Image(pixels, "YXS")


@pytest.mark.parametrize(("size", "expected"), [
    ({"height": 15}, (15, 20)),
    ({"width": 20}, (15, 20)),
    ({"width": 7}, (5, 7)),
    ({"height": 5, "width": 40}, (5, 40)),
    ({"scale": 0.5}, (15, 20)),
    ({"scale": 0.001}, (1, 1)),
    ({"longest": 20}, (15, 20)),
    ({"longest": 1}, (1, 1)),
    ({"longest": 4000}, (30, 40)),
])  # fmt: skip
def test_size_is_given_in_one_of_three_ways(size, expected):
    assert resize(PHOTO, **size).pixels.shape == (*expected, 3)


@pytest.mark.parametrize(
    "size", [{}, {"height": 3, "scale": 2}, {"longest": 3, "width": 2}, {"scale": 1, "longest": 3}]
)
def test_other_ways_to_give_a_size_are_refused(size):
    with pytest.raises(RecipeError, match="one size"):
        resize.load(size)


@pytest.mark.parametrize("size", [{"height": 0}, {"width": -3}, {"scale": 0}, {"longest": 0}, {"scale": "big"}])
def test_sizes_must_be_positive(size):
    with pytest.raises(RecipeError):
        resize.load(size)


def test_longest_never_enlarges():
    assert resize(PHOTO, longest=40) is PHOTO


def test_pixel_size_is_adapted_and_dpi_is_kept():
    image = Image(PHOTO.pixels, "YXS", PixelSize(0.5, 0.25, 2), Metadata(dpi=(300, 300)))
    small = resize(image, height=10, width=20)
    assert small.pixel_size == PixelSize(1.5, 0.5, 2)
    assert small.metadata.dpi == (300, 300)


@pytest.mark.parametrize("interpolation", ["linear", "area", "nearest"])
@pytest.mark.parametrize(("dtype", "value"), [
    ("uint8", 255), ("uint16", 65535), ("uint32", 2**32 - 1), ("int8", -128), ("float16", 0.5), ("float64", 0.1),
])  # fmt: skip
def test_constant_image_stays_constant(interpolation, dtype, value):
    for size in ({"longest": 7}, {"scale": 1.7}, {"height": 60, "width": 3}):
        result = resize(uniform(value, dtype=dtype), interpolation=interpolation, **size).pixels
        assert result.dtype == dtype
        assert np.allclose(result.astype("f8"), float(np.dtype(dtype).type(value)), rtol=1e-7, atol=0)


def test_nearest_creates_no_new_labels():
    labels = Image(rng().choice(np.array([0, 7, 300], np.uint16), (31, 17)), "YX")
    for size in ({"scale": 0.4}, {"scale": 3}):
        assert set(np.unique(resize(labels, interpolation="nearest", **size).pixels)) <= {0, 7, 300}
    mask = Image(labels.pixels > 0, "YX")
    assert resize(mask, scale=2, interpolation="nearest").pixels.dtype == np.bool_
    with pytest.raises(FilterError):
        resize(mask, scale=2)


@pytest.mark.parametrize("interpolation", ["linear", "area"])
def test_transparent_green_does_not_bleed_into_red(interpolation):
    small = resize(red_beside_green(0), longest=5, interpolation=interpolation).pixels
    assert small[..., 1].max() == 0
    assert (small[small[..., 3] > 0][:, 0] == 255).all()
    assert 0 < small[0, 2, 3] < 255


def test_half_transparent_colour_counts_by_half():
    one = resize(red_beside_green(85), height=1, width=1, interpolation="area").pixels[0, 0]
    assert one.tolist() == [191, 64, 0, 170]


def test_opaque_pixels_stay_opaque():
    image = Image(np.dstack([rng().random((30, 40, 3)), np.ones((30, 40))]).astype("float32"), "YXS")
    assert (resize(image, longest=9).pixels[..., 3] == 1).all()


def test_premultiplied_colour_is_averaged_directly():
    pixels = np.array([[[200, 0, 0, 255], [0, 0, 0, 0]]], "uint8")
    image = Image(pixels, "YXS", metadata=Metadata(premultiplied=True))
    assert resize(image, width=1, height=1, interpolation="area").pixels.tolist() == [[[100, 0, 0, 128]]]


def test_single_nan_affects_a_single_pixel():
    pixels = rng().random((40, 40)).astype("float32")
    holey = pixels.copy()
    holey[10, 10], holey[20:30, 20:30] = np.nan, np.nan
    small = resize(Image(holey, "YX"), longest=20).pixels
    assert np.isfinite(small[:9]).all()
    assert np.isnan(small[11:14, 11:14]).all()
    assert np.isnan(small).sum() < 40
    assert np.array_equal(small[:, :2], resize(Image(pixels, "YX"), longest=20).pixels[:, :2])


def test_stacks_are_resized_plane_by_plane():
    stack = Image(rng().integers(0, 65536, (2, 3, 20, 30), dtype=np.uint16), "CZYX")
    small = resize(stack, scale=0.4)
    assert small.pixels.shape == (2, 3, 8, 12)
    assert np.array_equal(small.pixels[1, 2], resize(Image(stack.pixels[1, 2], "YX"), scale=0.4).pixels)


@pytest.mark.parametrize("turns", [-1, 0, 1, 2, 3, 5])
@pytest.mark.parametrize("resize_", [False, True])
def test_multiples_of_90_degrees_are_exact(turns, resize_):
    for image in (PHOTO, Image(rng().integers(0, 9, (2, 3, 5), dtype=np.uint64), "ZYX"), Image(np.eye(3) > 0, "YX")):
        axes = tuple(image.axes.index(axis) for axis in "YX")
        turned = rotate(image, angle=90 * turns, resize=resize_)
        assert np.array_equal(turned.pixels, np.rot90(image.pixels, turns, axes))
        assert turned.pixels.flags.c_contiguous


def test_rotation_by_90_degrees_swaps_pixel_size_and_dpi():
    image = Image(PHOTO.pixels, "YXS", PixelSize(0.5, 0.25, 2), Metadata(dpi=(300, 600)))
    turned, upside_down = rotate(image, angle=90), rotate(image, angle=180)
    assert (turned.pixel_size, turned.metadata.dpi) == (PixelSize(0.25, 0.5, 2), (600, 300))
    assert (upside_down.pixel_size, upside_down.metadata.dpi) == (image.pixel_size, (300, 600))


def test_other_angles_need_square_pixels():
    image = Image(PHOTO.pixels, "YXS", PixelSize(0.5, 0.25))
    with pytest.raises(FilterError, match="square pixels") as refusal:
        rotate(image, angle=45)
    assert "resize to square pixels" in refusal.value.hint
    with pytest.raises(FilterError, match="square pixels"):
        rotate.infer_output(image.properties, rotate.validate({"angle": 45}))


def test_rotated_image_is_transparent_outside():
    image = Image(np.full((20, 20, 4), 255, np.uint8), "YXS")
    turned = rotate(image, angle=45, resize=True).pixels
    assert turned.shape == (28, 28, 4)
    assert turned[0, 0].tolist() == [0, 0, 0, 0]
    assert (turned[turned[..., 3] > 0][:, :3] == 255).all(), "no dark fringe"


def test_pixels_outside_have_the_value_cval():
    assert rotate(uniform(9), angle=45, cval=77).pixels[0, 0] == 77
    assert (rotate(uniform(9), angle=45, mode="edge").pixels == 9).all()
    assert rotate(uniform(9), angle=45, cval=-5).pixels[0, 0] == 0, "clipped, not wrapped"


def test_single_nan_is_rotated_too():
    pixels = np.ones((21, 21), "float32")
    pixels[10, 10] = np.nan
    missing = np.isnan(rotate(Image(pixels, "YX"), angle=30, cval=5).pixels)
    assert missing[10, 10]
    assert missing.sum() == 1


def test_rotate_needs_an_angle():
    with pytest.raises(RecipeError, match="angle"):
        rotate.load({})


@pytest.mark.parametrize("interpolation", ["area", "linear"])
def test_a_new_pixel_is_nan_only_if_most_of_its_area_is_nan(interpolation):
    pixels = np.full((4, 8), 5, np.float32)
    pixels[:2, :2] = [[np.nan, 5], [5, 5]]
    pixels[2:, 6:] = [[np.nan, np.nan], [np.nan, 5]]
    result = resize(Image(pixels, "YX"), width=4, interpolation=interpolation).pixels
    assert np.argwhere(np.isnan(result)).tolist() == [[1, 3]]
    assert np.allclose(result[~np.isnan(result)], 5)


def test_rotation_does_not_spread_nan():
    pixels = np.full((21, 21), 5, np.float64)
    pixels[8:13, 8:13] = np.nan
    result = rotate(Image(pixels, "YX"), angle=45).pixels
    assert 19 <= np.isnan(result).sum() <= 29  # 25, within the rounding of the border
