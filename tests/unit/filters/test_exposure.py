"""Point operations: ranges, groups, dtypes, alpha and NaN."""

import numpy as np
import pytest

from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.image import Image, Metadata
from imgpool.filters.exposure import adjust_gamma, invert, rescale_intensity, to_uint8

NAN = np.nan


def image(values, dtype="uint16", axes=""):
    return Image.from_array(np.array(values, dtype), axes)


def test_default_stretches_the_image_to_its_dtype():
    assert rescale_intensity(image([[100, 200, 300]])).pixels.tolist() == [[0, 32768, 65535]]
    assert rescale_intensity(image([[-10, 0, 10]], "int8")).pixels.tolist() == [[-128, 0, 127]]
    assert rescale_intensity(image([[0, 5]], "int8")).pixels.tolist() == [[0, 127]]


def test_12_bit_and_16_bit_ranges_differ():
    assert rescale_intensity(image([[0, 2048, 4095]]), **{"in": "uint12", "out": "uint8"}).pixels.tolist() == [
        [0, 128, 255]
    ]
    result = rescale_intensity(image([[0, 65535]]), out="uint10")
    assert (result.pixels.dtype, result.pixels.max()) == (np.uint16, 1023)


def test_output_levels_keep_the_dtype_and_clip():
    assert rescale_intensity(image([[0, 255]], "uint8"), out="100..300").pixels.tolist() == [[100, 255]]
    assert rescale_intensity(image([[0, 255]], "uint8"), out_range=(-50, 50)).pixels.tolist() == [[0, 50]]


@pytest.mark.parametrize(("per", "expected"), [
    ("channel", [[[[0, 64]], [[191, 255]]], [[[0, 102]], [[204, 255]]]]),
    ("plane", [[[[0, 255]], [[0, 255]]], [[[0, 255]], [[0, 255]]]]),
    ("image", [[[[0, 18]], [[55, 73]]], [[[91, 157]], [[222, 255]]]]),
])  # fmt: skip
def test_rescale_shares_one_range_per_group(per, expected):
    stack = image([[[[0, 10]], [[30, 40]]], [[[50, 86]], [[122, 140]]]], axes="CZYX")
    assert rescale_intensity(stack, out="uint8", per=per).pixels.tolist() == expected


def test_samples_of_a_colour_share_one_range():
    assert rescale_intensity(image([[[0, 50, 100]]], "uint8")).pixels.tolist() == [[[0, 128, 255]]]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_a_constant_image_is_only_clipped(dtype):
    constant = image(np.full((3, 3), 1), dtype)
    assert (rescale_intensity(constant).pixels == 1).all()
    assert (rescale_intensity(image(np.full((3, 3), 1000)), out="uint8").pixels == 255).all()


def test_lookup_table_gives_the_same_result():
    values = np.random.default_rng(0).integers(0, 4096, (300, 300)).astype("uint16")
    by_table = rescale_intensity(image(values), **{"in": "2%..98%"}).pixels
    by_value = rescale_intensity(
        image(values[:200]), **{"in": f"{np.percentile(values, 2)}..{np.percentile(values, 98)}"}
    )
    assert values.size > 65536 > values[:200].size
    assert np.array_equal(by_table[:200], by_value.pixels)


def test_alpha_is_scaled_to_the_new_dtype():
    pixels = [[[0, 0, 0, 255], [255, 255, 255, 0], [10, 20, 200, 51]]]
    result = rescale_intensity(image(pixels, "uint8"), out="uint16").pixels
    assert result[..., 3].tolist() == [[65535, 0, 51 * 257]]
    assert rescale_intensity(image(pixels, "uint8"), out="float32").pixels[0, 0, 3] == 1


def test_transparent_pixels_do_not_affect_the_range():
    pixels = [[[10, 10, 10, 255], [20, 20, 20, 128], [255, 255, 255, 0]]]
    assert rescale_intensity(image(pixels, "uint8")).pixels[0, :2, 0].tolist() == [0, 255]


def test_premultiplied_colour_is_rescaled_as_straight_colour():
    straight = image([[[100, 100, 100, 255], [200, 200, 200, 128]]], "uint8")
    pixels = np.array([[[100, 100, 100, 255], [100, 100, 100, 128]]], "uint8")
    premultiplied = Image(pixels, "YXS", metadata=Metadata(premultiplied=True))
    assert rescale_intensity(straight).pixels[0, :, 0].tolist() == [0, 255]
    assert rescale_intensity(premultiplied).pixels[0].tolist() == [[0, 0, 0, 255], [128, 128, 128, 128]]
    assert invert(premultiplied).pixels[0, 0].tolist() == [155, 155, 155, 255]


def test_nan_stays_and_does_not_affect_the_range():
    result = rescale_intensity(image([[1, NAN, 3], [np.inf, 2, -np.inf]], "float32")).pixels
    assert np.array_equal(result, np.array([[0, NAN, 1], [1, 0.5, 0]], "float32"), equal_nan=True)


def test_nan_is_refused_or_replaced_for_integers():
    holey = image([[0, NAN, 2]], "float32")
    for filter_, parameters in ((rescale_intensity, {"out": "uint8"}), (to_uint8, {})):
        with pytest.raises(FilterError, match="NaN") as refusal:
            filter_(holey, **parameters)
        assert "nan=0" in refusal.value.hint
        assert filter_(holey, nan=7, **parameters).pixels.tolist() == [[0, 7, 255]]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_image_of_only_nan_stays_nan(dtype):
    nothing = image(np.full((300, 300), NAN), dtype)
    for parameters in ({}, {"in": "1%..99%"}, {"out": "image"}):
        assert np.isnan(rescale_intensity(nothing, **parameters).pixels).all()


@pytest.mark.parametrize(("parameters", "message"), [
    ({"out": "1%..99%"}, "out must be a range of grey levels, for example 0..4095, not 1%"),
    ({"in": "99%..1%"}, "in must be .* a range from a lower to a higher value, for example .*, not 99%"),
    ({"out": "uint7"}, "uint7"),
    ({"per": "pixel"}, "channel"),
])  # fmt: skip
def test_invalid_ranges_are_refused_with_the_recipe(parameters, message):
    with pytest.raises(RecipeError, match=message):
        rescale_intensity.load(parameters)


def test_gamma_clips_and_keeps_the_ends():
    assert adjust_gamma(image([[0, 65535]]), gamma=2.2).pixels.tolist() == [[0, 65535]]
    assert adjust_gamma(image([[0, 40000, 65535]]), gain=2).pixels.tolist() == [[0, 65535, 65535]]
    assert adjust_gamma(image([[0.25, 4.0, NAN]], "float32"), gamma=0.5).pixels[0, :2].tolist() == [0.5, 2.0]


def test_gamma_refuses_negative_grey_levels():
    for pixels, remedy in ((image([[-1, 5]], "int16"), "0..32767"), (image([[-0.5, 1]], "float32"), "0..1")):
        with pytest.raises(FilterError, match="0 or more") as refusal:
            adjust_gamma(pixels)
        assert remedy in refusal.value.hint
        assert adjust_gamma(rescale_intensity(pixels, out_range=remedy)) is not None


@pytest.mark.parametrize("gamma", [0, -1])
def test_gamma_must_be_positive(gamma):
    with pytest.raises(RecipeError, match="greater than 0"):
        adjust_gamma.load({"gamma": gamma})


@pytest.mark.parametrize(("dtype", "values", "expected"), [
    ("bool", [True, False], [False, True]),
    ("uint8", [0, 255], [255, 0]),
    ("uint64", [0, 2**64 - 1], [2**64 - 1, 0]),
    ("int16", [-32768, 32767], [32767, -32768]),
    ("float32", [0, 0.25], [1, 0.75]),
])  # fmt: skip
def test_invert_is_exact(dtype, values, expected):
    result = invert(image([values], dtype))
    assert result.pixels.tolist() == [expected]
    assert np.array_equal(invert(result).pixels, np.array([values], dtype))


def test_invert_keeps_alpha():
    assert invert(image([[[1, 2, 3, 4]]], "uint8")).pixels.tolist() == [[[254, 253, 252, 4]]]
    assert invert(image([[1, -0.5]], "float32"), signed_float=True).pixels.tolist() == [[-1, 0.5]]


def test_to_uint8_stretches_or_keeps_values():
    assert to_uint8(image([[0, 4095]])).pixels.tolist() == [[0, 255]]
    labels = np.arange(200, dtype="uint16").reshape(10, 20)
    assert len(np.unique(to_uint8(image(labels)).pixels)) == 200
    assert np.array_equal(to_uint8(image(labels), **{"in": "0..255"}).pixels, labels)


def test_to_uint8_keeps_uint8_and_converts_booleans():
    bytes_ = image([[3, 7]], "uint8")
    assert to_uint8(bytes_) is bytes_
    assert to_uint8(image([[True, False]], "bool")).pixels.tolist() == [[255, 0]]


@pytest.mark.parametrize(("dtype", "values", "expected"), [
    ("uint16", [0, 4095, 65535], [0, 16, 255]),
    ("int16", [-5, 0, 32767], [0, 0, 255]),
    ("float32", [-0.5, 0.5, 1.5], [0, 128, 255]),
    ("uint64", [0, 2**63, 2**64 - 1], [0, 128, 255]),
])  # fmt: skip
def test_to_uint8_by_dtype_is_the_same_for_all_images(dtype, values, expected):
    assert to_uint8(image([values], dtype), in_range="dtype").pixels.tolist() == [expected]


@pytest.mark.parametrize("filter_", [rescale_intensity, adjust_gamma, invert, to_uint8])
def test_complex_numbers_are_refused(filter_):
    with pytest.raises(FilterError, match="complex64"):
        filter_(image([[1j]], "complex64"))


@pytest.mark.parametrize(("dtype", "value", "clipped"), [
    ("uint16", 40000, 1000), ("uint16", 5, 100), ("float32", 2.5, 100), ("int16", -7, 100), ("float32", 500, 500),
])  # fmt: skip
def test_constant_image_is_clipped_to_the_output_levels(dtype, value, clipped):
    """As in scikit-image."""
    image = Image(np.full((4, 5), value, dtype), "YX")
    assert np.unique(rescale_intensity(image, out_range="100..1000").pixels).tolist() == [clipped]


@pytest.mark.parametrize("filter_", [adjust_gamma, invert], ids=["adjust_gamma", "invert"])
def test_alpha_above_1_counts_as_opaque(filter_):
    colour = np.full((2, 2, 3), 0.25, np.float32)
    alpha = np.array([[[1.0], [1.0]], [[2.0], [np.inf]]], np.float32)
    image = Image(np.concatenate([colour, alpha], axis=-1), "YXS", metadata=Metadata(premultiplied=True))
    result = filter_(image).pixels
    assert (result[..., :3] == result[0, 0, :3]).all()
    assert (result[..., 3:] == alpha).all()
