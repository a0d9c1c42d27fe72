"""Properties of point operations, transforms, masks and labels that hold for any image."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from imgpool.core.image import Image
from imgpool.filters.color import rgb2gray
from imgpool.filters.exposure import adjust_gamma, invert, rescale_intensity, to_uint8
from imgpool.filters.geometry import crop
from imgpool.filters.segmentation import label, threshold
from imgpool.filters.transform import resize, rotate

INTEGERS = st.sampled_from(["uint8", "uint16", "uint32", "int8", "int16", "int32"])
SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=12)

quick = settings(max_examples=40, deadline=None)


@st.composite
def planes(draw, dtypes=INTEGERS):
    return Image(draw(arrays.arrays(draw(dtypes), draw(SHAPES))), "YX")


def in_order(image, result):
    """Whether no pixel has become darker than one that it was brighter than."""
    before, after = image.pixels.ravel(), result.pixels.ravel()
    order = np.argsort(before, kind="stable")
    return (np.diff(after[order].astype(np.float64)) >= 0).all()


@quick
@given(planes())
def test_rescaling_fills_the_range_and_keeps_the_order(image):
    result = rescale_intensity(image)
    assert in_order(image, result)
    assume(image.pixels.min() < image.pixels.max())
    limits = np.iinfo(image.pixels.dtype)
    assert result.pixels.max() == limits.max
    assert result.pixels.min() == (0 if image.pixels.min() >= 0 else limits.min)


@quick
@given(planes(), st.sampled_from(["1%..99%", "dtype", "image", "uint12"]))
def test_to_uint8_keeps_the_order(image, in_range):
    result = to_uint8(image, in_range=in_range)
    assert result.pixels.dtype == np.uint8
    assert in_order(image, result)


@quick
@given(planes(st.sampled_from(["uint8", "uint16", "uint32"])), st.floats(0.1, 5), st.floats(0.1, 5))
def test_gamma_keeps_the_order_for_any_gain(image, gamma, gain):
    assert in_order(image, adjust_gamma(image, gamma=gamma, gain=gain))


@quick
@given(planes())
def test_inverting_twice_changes_nothing(image):
    assert np.array_equal(invert(invert(image)).pixels, image.pixels)


@quick
@given(planes(), st.integers(1, 3))
def test_grey_stored_as_rgb_stays_the_same_grey(image, copies):
    colour = Image(np.stack([np.tile(image.pixels, (copies, 1))] * 3, axis=-1), "YXS")
    assert np.array_equal(rgb2gray(colour).pixels, np.tile(image.pixels, (copies, 1)))


@quick
@given(planes(), st.integers(1, 30), st.integers(1, 30), st.sampled_from(["linear", "area", "nearest"]))
def test_resizing_stays_within_the_range(image, height, width, interpolation):
    result = resize(image, height=height, width=width, interpolation=interpolation)
    assert result.pixels.shape == (height, width)
    assert image.pixels.min() <= result.pixels.min()
    assert result.pixels.max() <= image.pixels.max()


@quick
@given(planes(), st.integers(-4, 4))
def test_rotating_back_changes_nothing(image, turns):
    there = rotate(image, angle=90 * turns)
    assert np.array_equal(rotate(there, angle=-90 * turns).pixels, image.pixels)


@quick
@given(planes(), st.floats(-400, 400))
def test_rotation_stays_within_the_range_and_cval(image, angle):
    result = rotate(image, angle=angle)
    assert min(image.pixels.min(), 0) <= result.pixels.min()
    assert result.pixels.max() <= max(image.pixels.max(), 0)


@quick
@given(planes(), st.data())
def test_crop_equals_a_slice(image, data):
    rows, columns = image.pixels.shape
    top, left = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    height, width = data.draw(st.integers(1, rows - top)), data.draw(st.integers(1, columns - left))
    result = crop(image, top=top, left=left, height=height, width=width)
    assert np.array_equal(result.pixels, image.pixels[top : top + height, left : left + width])


@quick
@given(planes(), st.sampled_from(["otsu", "li", "triangle", "yen", "isodata", "mean"]))
def test_mask_is_everything_above_a_level(image, method):
    mask = threshold(image, method=method).pixels
    assert set(np.unique(mask)) <= {0, 255}
    inside, outside = image.pixels[mask > 0], image.pixels[mask == 0]
    assert not inside.size or not outside.size or inside.min() > outside.max()


@quick
@given(planes(), st.sampled_from(["otsu", "mean"]))
def test_masks_of_both_backgrounds_are_complementary(image, method):
    assume(image.pixels.min() < image.pixels.max())
    dark, bright = (threshold(image, method=method, background=each).pixels for each in ("dark", "bright"))
    assert (dark + bright == 255).all()


@quick
@given(arrays.arrays(bool, SHAPES), st.integers(1, 2), st.integers(0, 5), st.booleans())
def test_labels_have_no_gaps_and_cover_only_the_mask(mask, connectivity, min_area, clear):
    labels = label(Image(mask, "YX"), connectivity=connectivity, min_area=min_area, clear_border=clear).pixels
    numbers, first, counts = np.unique(labels[labels > 0], return_index=True, return_counts=True)
    assert numbers.tolist() == list(range(1, len(numbers) + 1))
    assert (np.diff(first) > 0).all(), "in the order of rows"
    assert (counts >= min_area).all()
    assert not (labels > 0)[~mask].any()
    if not clear and min_area <= 1:
        assert ((labels > 0) == mask).all()
