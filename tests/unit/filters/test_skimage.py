"""Functions of scikit-image as filters, by their full names."""

import re

import numpy as np
import pytest
import skimage.filters
import skimage.morphology

from imgpool.core.catalogue import FILTERS
from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.image import Image
from imgpool.core.recipe import Recipe
from imgpool.core.step import Step


def rng():
    """A new generator for each test, so that tests do not depend on each other."""
    return np.random.default_rng(3)


def test_integer_image_keeps_its_dtype():
    pixels = rng().integers(0, 65536, (20, 30), dtype=np.uint16)
    expected = np.clip(np.rint(skimage.filters.sobel_h(pixels / 65535) * 65535), 0, 65535)
    result = FILTERS["skimage.filters.sobel_h"](Image.from_array(pixels))
    assert result.pixels.dtype == np.uint16
    np.testing.assert_allclose(result.pixels, expected, atol=1)


def test_float_image_is_passed_unscaled():
    pixels = rng().normal(5, 3, (20, 30)).astype(np.float32)
    result = FILTERS["skimage.filters.sobel_h"](Image.from_array(pixels))
    np.testing.assert_allclose(result.pixels, skimage.filters.sobel_h(pixels), rtol=1e-5)


def test_samples_are_not_mixed():
    pixels = np.zeros((15, 15, 3), np.uint8)
    pixels[5:10, 5:10, 0] = 255
    result = FILTERS["skimage.filters.gaussian"](Image.from_array(pixels), sigma="2")
    assert result.pixels[..., 0].any()
    assert not result.pixels[..., 1:].any()


@pytest.mark.parametrize("shape", [(9, 9, 2), (9, 9, 4)])
def test_alpha_is_kept(shape):
    pixels = rng().integers(0, 256, shape, dtype=np.uint8)
    result = FILTERS["skimage.filters.gaussian"](Image(pixels, "YXS"))
    np.testing.assert_array_equal(result.pixels[..., -1], pixels[..., -1])
    assert result.pixels.shape == shape


def test_stacks_are_filtered_plane_by_plane():
    pixels = rng().integers(0, 256, (3, 12, 13), dtype=np.uint8)
    blur = FILTERS["skimage.filters.gaussian"]
    stack = blur(Image.from_array(pixels), sigma=2).pixels
    np.testing.assert_array_equal(stack[1], blur(Image.from_array(pixels[1]), sigma=2).pixels)


def test_mask_becomes_0_and_255():
    result = FILTERS["skimage.morphology.local_maxima"](Image.from_array(np.eye(5, dtype=np.uint8)))
    assert result.pixels.dtype == np.uint8
    assert set(np.unique(result.pixels)) <= {0, 255}


def test_random_functions_are_reproducible():
    image = Image.from_array(np.full((9, 9), 100, np.uint8))
    noise = FILTERS["skimage.util.random_noise"]
    np.testing.assert_array_equal(noise(image).pixels, noise(image).pixels)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("skimage.filters.sobell", "did you mean sobel?"),
        ("skimage.io.imread", "no filter is called"),
        ("skimage.util.apply_parallel", "no function"),
        ("skimage.filters", "no filter is called"),
        ("os.system", "no filter is called"),
        ("skimage.morphology.disk", "no function"),
    ],
)
def test_only_functions_of_an_image_are_accepted(name, words):
    with pytest.raises(RecipeError, match=words.replace("?", r"\?")):
        FILTERS[name]


def test_unknown_parameters_are_refused_with_the_recipe():
    with pytest.raises(RecipeError, match="did you mean sigma"):
        Recipe.from_specs(["skimage.filters.gaussian:sigmaa=2"])


def test_result_of_another_shape_is_refused():
    with pytest.raises(FilterError, match="returns an array of shape"):
        FILTERS["skimage.transform.rotate"](Image.from_array(np.zeros((8, 8))), angle=45, resize=True)


@pytest.mark.parametrize("name", ["rescale", "resize", "pyramid_reduce", "warp"])
def test_function_that_changes_the_size_is_refused(name):
    with pytest.raises(RecipeError, match="changes the size of the image") as caught:
        FILTERS[f"skimage.transform.{name}"]
    assert "resize" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "parameter", "value", "limit"),
    [
        ("filters.gaussian", "sigma", "1e9", "512"),
        ("filters.gaussian", "sigma", "[1, 600]", "512"),
        ("filters.gaussian", "sigma", 513, "512"),
        ("filters.median", "footprint", [[1, 1], [1, -70_000]], "65536"),
        ("restoration.denoise_tv_chambolle", "max_num_iter", "1000000000", "65536"),
        ("morphology.area_opening", "area_threshold", "1e10", r"1e\+09"),
        ("filters.threshold_local", "block_size", 2049, "2048"),
        ("transform.swirl", "output_shape", [100_000, 100_000], "512"),
    ],
)
def test_number_beyond_its_limit_is_refused(name, parameter, value, limit):
    with pytest.raises(RecipeError, match=f"{parameter} must be a number from -{limit}"):
        Step.create(f"skimage.{name}", {parameter: value})


@pytest.mark.parametrize(
    "spec",
    [
        "filters.gaussian:sigma=512",
        "morphology.area_opening:area_threshold=1e9",
        "filters.apply_hysteresis_threshold:low=20000,high=40000",
        "filters.median:cval=65535",
        "filters.threshold_sauvola:window_size=1001,r=32768",
        "filters.threshold_local:block_size=1001",
        "exposure.equalize_hist:nbins=65536",
        "exposure.rescale_intensity:in_range=[0.0, 4294967295.0]",
        "segmentation.flood:seed_point=[10, 90000],tolerance=30000",
        "transform.rotate:angle=3,center=[50000, 70000]",
    ],
)
def test_numbers_of_ordinary_use_are_accepted(spec):
    name, _, parameters = spec.partition(":")
    Step.create(f"skimage.{name}", dict(pair.split("=") for pair in re.split(r",(?=[a-z])", parameters)))


def test_errors_of_scikit_image_are_filter_errors():
    with pytest.raises(FilterError, match=r"skimage\.filters\.gaussian"):
        FILTERS["skimage.filters.gaussian"](Image.from_array(np.zeros((8, 8))), sigma="[1, 2, 3, 4]")


def test_fingerprint_depends_on_the_parameters():
    first, second = (Recipe.from_specs([f"skimage.filters.gaussian:sigma={sigma}"]) for sigma in (1, 2))
    assert first.fingerprint() != second.fingerprint()
    assert first.fingerprint() == Recipe.parse({"steps": [{"skimage.filters.gaussian": {"sigma": 1}}]}).fingerprint()


@pytest.mark.parametrize("value", ["[1", "a: b: c", "!!python/object:os.system x"])
def test_unreadable_parameter_value_is_a_recipe_error(value):
    with pytest.raises(RecipeError, match="sigma"):
        Recipe.from_specs([f"skimage.filters.gaussian:sigma={value}"])
