"""Size and direction: how they are given, alpha, NaN, pixel size, exactness."""

import numpy as np
import pytest

from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.filters.transform import resize, rotate

RNG = np.random.default_rng(0)
PHOTO = Image(RNG.integers(0, 256, (30, 40, 3), dtype=np.uint8), "YXS")


def rng():
    """A generator for each test: what one draws does not depend on the others."""
    return np.random.default_rng(0)


def uniform(value, shape=(30, 40), dtype="uint8"):
    return Image(np.full(shape, value, dtype), "YX")


def red_beside_green(alpha):
    """Opaque red on the left; on the right green with this alpha."""
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
def test_the_size_is_given_in_one_of_three_ways(size, expected):
    assert resize(PHOTO, **size).pixels.shape == (*expected, 3)


@pytest.mark.parametrize(
    "size", [{}, {"height": 3, "scale": 2}, {"longest": 3, "width": 2}, {"scale": 1, "longest": 3}]
)
def test_any_other_way_is_refused_before_any_image(size):
    with pytest.raises(RecipeError, match="one size"):
        resize.load(size)


@pytest.mark.parametrize("size", [{"height": 0}, {"width": -3}, {"scale": 0}, {"longest": 0}, {"scale": "big"}])
def test_sizes_are_positive(size):
    with pytest.raises(RecipeError):
        resize.load(size)


def test_longest_never_enlarges():
    assert resize(PHOTO, longest=40) is PHOTO


def test_the_pixel_size_follows_and_the_resolution_for_print_stays():
    image = Image(PHOTO.pixels, "YXS", PixelSize(0.5, 0.25, 2), Metadata(dpi=(300, 300)))
    small = resize(image, height=10, width=20)
    assert small.pixel_size == PixelSize(1.5, 0.5, 2)
    assert small.metadata.dpi == (300, 300)


@pytest.mark.parametrize("interpolation", ["linear", "area", "nearest"])
@pytest.mark.parametrize(("dtype", "value"), [
    ("uint8", 255), ("uint16", 65535), ("uint32", 2**32 - 1), ("int8", -128), ("float16", 0.5), ("float64", 0.1),
])  # fmt: skip
def test_a_constant_image_stays_constant(interpolation, dtype, value):
    for size in ({"longest": 7}, {"scale": 1.7}, {"height": 60, "width": 3}):
        result = resize(uniform(value, dtype=dtype), interpolation=interpolation, **size).pixels
        assert result.dtype == dtype
        assert np.allclose(result.astype("f8"), float(np.dtype(dtype).type(value)), rtol=1e-7, atol=0)


def test_nearest_invents_no_labels():
    labels = Image(rng().choice(np.array([0, 7, 300], np.uint16), (31, 17)), "YX")
    for size in ({"scale": 0.4}, {"scale": 3}):
        assert set(np.unique(resize(labels, interpolation="nearest", **size).pixels)) <= {0, 7, 300}
    mask = Image(labels.pixels > 0, "YX")
    assert resize(mask, scale=2, interpolation="nearest").pixels.dtype == np.bool_
    with pytest.raises(FilterError):
        resize(mask, scale=2)


@pytest.mark.parametrize("interpolation", ["linear", "area"])
def test_hidden_green_does_not_show_beside_opaque_red(interpolation):
    small = resize(red_beside_green(0), longest=5, interpolation=interpolation).pixels
    assert small[..., 1].max() == 0
    assert (small[small[..., 3] > 0][:, 0] == 255).all()
    assert 0 < small[0, 2, 3] < 255


def test_half_transparent_colour_counts_by_half():
    one = resize(red_beside_green(85), height=1, width=1, interpolation="area").pixels[0, 0]
    assert one.tolist() == [191, 64, 0, 170]


def test_opaque_stays_exactly_opaque():
    image = Image(np.dstack([rng().random((30, 40, 3)), np.ones((30, 40))]).astype("float32"), "YXS")
    assert (resize(image, longest=9).pixels[..., 3] == 1).all()


def test_premultiplied_colour_is_resized_as_it_is():
    pixels = np.array([[[200, 0, 0, 255], [0, 0, 0, 0]]], "uint8")
    image = Image(pixels, "YXS", metadata=Metadata(premultiplied=True))
    assert resize(image, width=1, height=1, interpolation="area").pixels.tolist() == [[[100, 0, 0, 128]]]


def test_one_nan_costs_only_the_pixel_it_fills():
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
def test_quarter_turns_are_exact_and_keep_every_pixel(turns, resize_):
    for image in (PHOTO, Image(rng().integers(0, 9, (2, 3, 5), dtype=np.uint64), "ZYX"), Image(np.eye(3) > 0, "YX")):
        axes = tuple(image.axes.index(axis) for axis in "YX")
        turned = rotate(image, angle=90 * turns, resize=resize_)
        assert np.array_equal(turned.pixels, np.rot90(image.pixels, turns, axes))
        assert turned.pixels.flags.c_contiguous


def test_a_quarter_turn_swaps_what_belongs_to_the_sides():
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


def test_a_rotated_image_is_transparent_where_it_is_not():
    image = Image(np.full((20, 20, 4), 255, np.uint8), "YXS")
    turned = rotate(image, angle=45, resize=True).pixels
    assert turned.shape == (28, 28, 4)
    assert turned[0, 0].tolist() == [0, 0, 0, 0]
    assert (turned[turned[..., 3] > 0][:, :3] == 255).all(), "no dark fringe"


def test_what_lies_outside_has_the_grey_level_asked_for():
    assert rotate(uniform(9), angle=45, cval=77).pixels[0, 0] == 77
    assert (rotate(uniform(9), angle=45, mode="edge").pixels == 9).all()
    assert rotate(uniform(9), angle=45, cval=-5).pixels[0, 0] == 0, "clipped, not wrapped"


def test_one_nan_is_turned_along():
    pixels = np.ones((21, 21), "float32")
    pixels[10, 10] = np.nan
    missing = np.isnan(rotate(Image(pixels, "YX"), angle=30, cval=5).pixels)
    assert missing[10, 10]
    assert missing.sum() == 1


def test_rotate_needs_an_angle():
    with pytest.raises(RecipeError, match="angle"):
        rotate.load({})
