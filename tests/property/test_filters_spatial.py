"""Properties of neighbourhood filters that hold for any image."""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgpool.core.catalogue import FILTERS
from imgpool.core.image import Image, Metadata

CASES = [
    ("gaussian", {"sigma": 1.3}),
    ("median", {"size": 3}),
    ("median", {"size": 7}),
    ("median", {"radius": 2}),
    ("unsharp_mask", {"radius": 1.5, "amount": 0.7}),
    ("sobel", {}),
    ("white_tophat", {"radius": 2}),
    ("white_tophat", {"size": 3}),
    ("equalize_adapthist", {"kernel_size": 4}),
    ("clahe", {"tile_grid": 2}),
]
BLURS = [case for case in CASES if case[0] in {"gaussian", "median", "unsharp_mask"}]
NEIGHBOURHOODS = [case for case in CASES if case[0] not in {"equalize_adapthist", "clahe"}]
TILED = [case for case in NEIGHBOURHOODS if case[0] != "unsharp_mask"]  # its limits depend on the whole image
DTYPES = ["uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "float32", "float64"]

every_case = pytest.mark.parametrize(("name", "parameters"), CASES, ids=str)
every_neighbourhood = pytest.mark.parametrize(("name", "parameters"), NEIGHBOURHOODS, ids=str)
few = settings(max_examples=12, deadline=None)


def values(dtype):
    """Any integer of the dtype; floats from -1000 to 1000, including NaN."""
    if np.dtype(dtype).kind != "f":
        return None
    numbers = st.floats(-1000, 1000, width=16)
    return numbers | st.just(np.nan)


@st.composite
def images(draw, layouts=("YX", "YXS", "ZYX", "TYXS"), dtypes=DTYPES, samples=(2, 3, 4)):
    axes = draw(st.sampled_from(layouts))
    dtype = draw(st.sampled_from(dtypes))
    lengths = {"Y": st.integers(1, 12), "X": st.integers(1, 12), "S": st.sampled_from(samples)}
    shape = tuple(draw(lengths.get(axis, st.integers(1, 3))) for axis in axes)
    return Image(draw(arrays.arrays(dtype, shape, elements=values(dtype))), axes)


def run(name, parameters, pixels, axes="YXS", metadata=None):
    return FILTERS[name](Image(pixels, axes, metadata=metadata or Metadata()), **parameters).pixels


@every_case
@few
@given(image=images())
def test_input_dtype_shape_alpha_and_nan_are_kept(name, parameters, image):
    before = image.pixels.copy()
    result = FILTERS[name](image, **parameters)
    assert np.array_equal(image.pixels, before, equal_nan=image.pixels.dtype.kind == "f")
    assert (result.pixels.dtype, result.pixels.shape, result.axes) == (before.dtype, before.shape, image.axes)
    assert np.array_equal(np.isnan(result.pixels), np.isnan(before))
    if image.has_alpha:
        assert np.array_equal(result.pixels[..., -1], before[..., -1], equal_nan=before.dtype.kind == "f")


@pytest.mark.parametrize(("name", "parameters"), BLURS, ids=str)
@few
@given(data=st.data())
def test_constant_image_stays_constant(name, parameters, data):
    dtype = data.draw(st.sampled_from(DTYPES))
    value = data.draw(arrays.arrays(dtype, (), elements=st.floats(0, 1, width=16) if dtype[0] == "f" else None))
    pixels = np.full(data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9))), value)
    result = run(name, parameters, pixels, "YX")
    if dtype[0] == "f":
        np.testing.assert_allclose(result, pixels, rtol=1e-6, atol=0)
    else:
        # scikit-image clips signed values to ± the maximum, which excludes the minimum
        lowest = -np.iinfo(dtype).max if name == "unsharp_mask" else value
        assert (result == max(int(value), int(lowest))).all()


@pytest.mark.parametrize(("name", "parameters"), [c for c in NEIGHBOURHOODS if c not in BLURS], ids=str)
@few
@given(image=images(layouts=("YX",), dtypes=["uint8", "uint32", "int16", "float32"]))
def test_constant_image_has_no_edges_and_no_spots(name, parameters, image):
    pixels = np.full_like(image.pixels, np.nan_to_num(image.pixels.flat[0]))
    assert (run(name, parameters, pixels, "YX") == 0).all()


@pytest.mark.parametrize(("name", "parameters"), [c for c in CASES if c[0] in {"equalize_adapthist", "clahe"}], ids=str)
@few
@given(image=images(layouts=("YX", "YXS"), samples=(3,)))
def test_constant_image_is_not_equalised(name, parameters, image):
    pixels = np.full_like(image.pixels, np.nan_to_num(image.pixels.flat[0]))
    assert np.array_equal(run(name, parameters, pixels, image.axes), pixels)


@pytest.mark.parametrize(("name", "parameters"), [c for c in CASES if c[0] != "unsharp_mask"], ids=str)
@few
@given(image=images(layouts=("ZYX", "TYXS"), dtypes=["uint8", "uint16", "int16", "float32"]))
def test_planes_are_filtered_separately(name, parameters, image):
    result = FILTERS[name](image, **parameters).pixels
    for plane, alone in zip(image.pixels, result, strict=True):
        assert np.array_equal(run(name, parameters, plane, image.axes[1:]), alone, equal_nan=alone.dtype.kind == "f")


@every_neighbourhood
@few
@given(image=images(layouts=("YXS",), dtypes=["uint8", "uint16", "uint32"], samples=(3,)))
def test_samples_are_not_mixed(name, parameters, image):
    both = image.pixels.copy()
    both[..., 1] = 0
    both[0, 0, 1] = 1
    before, after = (run(name, parameters, pixels) for pixels in (image.pixels, both))
    assert np.array_equal(before[..., [0, 2]], after[..., [0, 2]], equal_nan=before.dtype.kind == "f")


@every_case
@few
@given(
    image=images(layouts=("YXS",), dtypes=["uint8", "uint16", "int16", "float32"], samples=(2, 4)),
    seed=st.integers(0, 99),
)
def test_hidden_colour_does_not_matter(name, parameters, image, seed):
    rng = np.random.default_rng(seed)
    pixels = np.nan_to_num(image.pixels)
    hidden = rng.random(pixels.shape[:2]) < 0.4
    pixels[hidden, -1] = 0
    other = pixels.copy()
    other[hidden, :-1] = rng.integers(-100, 100, other[hidden, :-1].shape).astype(other.dtype)
    one, two = (run(name, parameters, each) for each in (pixels, other))
    assert np.array_equal(one, two)


@every_case
@few
@given(image=images(layouts=("YX", "YXS"), dtypes=["uint8", "uint16", "float32"], samples=(3,)))
def test_opaque_alpha_changes_nothing(name, parameters, image):
    colour = image.pixels if image.has_samples else image.pixels[..., np.newaxis]
    opaque = np.full(
        (*colour.shape[:2], 1), np.iinfo(colour.dtype).max if colour.dtype.kind == "u" else 1, colour.dtype
    )
    expected = FILTERS[name](image, **parameters).pixels.reshape(colour.shape)
    for premultiplied in (False, True):
        with_alpha = np.concatenate([colour, opaque], axis=-1)
        result = run(name, parameters, with_alpha, metadata=Metadata(premultiplied=premultiplied))
        assert np.array_equal(result[..., :-1], expected, equal_nan=colour.dtype.kind == "f")


@pytest.mark.parametrize(("name", "parameters"), TILED, ids=str)
@few
@given(image=images(layouts=("YX", "YXS")), data=st.data())
def test_tile_with_halo_equals_the_same_tile_of_the_whole(name, parameters, image, data):
    chosen = FILTERS[name]
    assert chosen.tiles in {"exact", "near"}
    halo = chosen.halo(chosen.validate(parameters), image.pixel_size)
    height, width = image.pixels.shape[:2]
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    bottom, right = data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width))
    y, x = max(0, top - halo), max(0, left - halo)
    tile = run(name, parameters, image.pixels[y : bottom + halo, x : right + halo], image.axes)
    whole = chosen(image, **parameters).pixels[top:bottom, left:right]
    part = tile[top - y : bottom - y, left - x : right - x]
    if chosen.tiles == "near":
        np.testing.assert_allclose(part.astype(float), whole.astype(float), rtol=1e-3, atol=1)
    else:
        np.testing.assert_allclose(part, whole, rtol=1e-5, atol=1e-3 if whole.dtype.kind == "f" else 0)
