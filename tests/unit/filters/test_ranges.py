"""Every numeric parameter of the catalogue has an upper limit, or a reason why it needs none; the extremes work.

A parameter that would take absurd memory or time is refused when the recipe is read: on the command line, in YAML and
in Python. What depends on the image fails that image alone, before anything is allocated.
"""

import contextlib
import typing

import numpy as np
import pytest

from imgpool.core.catalogue import FILTERS, FORMATS
from imgpool.core.errors import FilterError, RecipeError, WorkerError
from imgpool.core.image import Image, PixelSize, Properties
from imgpool.core.parameters import Unbounded, has_upper_limit, limits_of, schema
from imgpool.core.quantity import Area, Length, UpTo
from imgpool.core.recipe import Recipe
from imgpool.system.memory import memory_use, reset_peak_memory

NUMBERS = (int, float, Length, Area)
SIDE = 64
MAX_BYTES = 1.5e9
"""Memory that a filter may take with an extreme parameter, and a small image."""

SMALL = Image(np.random.default_rng(5).integers(0, 60_000, (SIDE, SIDE), np.uint16), "YX", PixelSize(1.0, 1.0))
RGB = Image(np.random.default_rng(6).integers(0, 256, (SIDE, SIDE, 3), np.uint8), "YXS", PixelSize(1.0, 1.0))

SLOW = {
    ("clahe", "tile_grid"), ("median", "radius"), ("median", "size"), ("model", "tile"), ("resize", "height"),
    ("resize", "scale"), ("resize", "width"), ("unsharp_mask", "radius"), ("white_tophat", "radius"),
}  # fmt: skip
"""Parameters whose largest value takes a second or more even on a small image."""


def numeric_fields(function):
    """The parameters that are numbers, by name."""
    return {
        name: field for name, field in schema(function).model_fields.items() if is_number(field.annotation)
    }  # fmt: skip


def is_number(annotation):
    parts = typing.get_args(annotation)
    return annotation in NUMBERS or any(is_number(part) for part in parts)


def largest(field):
    """The largest value of a parameter; a huge one if it has no limit."""
    limits = limits_of(field)
    upper = [limit.le for limit in limits if hasattr(limit, "le")]
    upper += [limit.pixels for limit in limits if isinstance(limit, UpTo)]
    return min(upper, default=1e300)


def smallest(field):
    """The smallest value of a parameter; a hugely negative one if it has no limit."""
    limits = limits_of(field)
    lower = [limit.ge for limit in limits if hasattr(limit, "ge")]
    lower += [1e-300 for limit in limits if hasattr(limit, "gt")]
    return max(lower, default=-1e300)


FILTER_PARAMETERS = [(each.name, name) for each in FILTERS.built_in() for name in numeric_fields(each.function)]
FORMAT_OPTIONS = [(each.name, name) for each in FORMATS.built_in() for name in numeric_fields(each.write)]


def test_catalogue_has_numeric_parameters():
    assert {("gaussian", "sigma"), ("resize", "scale"), ("label", "min_area"), ("model", "tile")} <= set(
        FILTER_PARAMETERS
    )
    assert {("jpeg", "quality"), ("tiff", "tile")} <= set(FORMAT_OPTIONS)
    assert len(FILTER_PARAMETERS) > 30


@pytest.mark.parametrize(("filter_name", "parameter"), FILTER_PARAMETERS)
def test_parameter_has_an_upper_limit_or_a_reason(filter_name, parameter):
    field = numeric_fields(FILTERS[filter_name].function)[parameter]
    assert has_upper_limit(field)
    assert all(limit.reason for limit in limits_of(field) if isinstance(limit, Unbounded))


@pytest.mark.parametrize(("format_name", "option"), FORMAT_OPTIONS)
def test_option_of_a_format_has_an_upper_limit(format_name, option):
    assert has_upper_limit(numeric_fields(FORMATS[format_name].write)[option])


def applicable(filter_, parameter, value, folder):
    """The examples of a filter with one parameter replaced, as far as they are valid together."""
    for example in [{}, {"method": "local"}, {"height": 32}, *filter_.example_parameters(folder, (SIDE, SIDE))]:
        others = {name: each for name, each in example.items() if name != parameter}
        for parameters in ({**example, parameter: value}, {**others, parameter: value}, {parameter: value}):
            try:
                filter_.validate(parameters)
            except RecipeError:
                continue
            yield parameters
            break


def attempt(filter_, parameters):
    """Filter a small image, if possible; only an error that names the problem may be raised."""
    for image in (SMALL, RGB):
        with contextlib.suppress(FilterError, WorkerError):
            filter_(image, **parameters)
            break


EXTREMES = [
    pytest.param(*each, extreme, marks=[pytest.mark.slow] if each in SLOW and extreme is largest else [])
    for each in FILTER_PARAMETERS
    for extreme in (smallest, largest)
]


@pytest.mark.parametrize(("filter_name", "parameter", "extreme"), EXTREMES)
def test_extreme_value_takes_bounded_memory(tmp_path, filter_name, parameter, extreme):
    filter_ = FILTERS[filter_name]
    field = numeric_fields(filter_.function)[parameter]
    value = extreme(field)
    valid = list(applicable(filter_, parameter, value, tmp_path))
    assert valid or filter_name == "model", f"{parameter}={value} is never accepted"
    reset_peak_memory()
    before = memory_use().peak
    for parameters in valid:
        attempt(filter_, parameters)
    assert memory_use().peak - before < MAX_BYTES


BEYOND = [
    "gaussian:sigma=1e9", "gaussian:sigma=8001", "gaussian:truncate=101", "gaussian:sigma=5000,truncate=10",
    "gaussian:sigma=1e12um", "unsharp_mask:radius=1e9", "median:size=513", "median:radius=256",
    "white_tophat:radius=2048",
    "white_tophat:size=8193", "clahe:tile_grid=65", "clahe:tile_grid=100000", "clahe:clip_limit=1e300",
    "equalize_adapthist:kernel_size=1e6", "equalize_adapthist:nbins=100000", "resize:scale=1e6", "resize:scale=101",
    "resize:height=300000", "resize:width=1e9", "resize:longest=300000", "richardson_lucy:sigma=101",
    "richardson_lucy:sigma=1,iterations=1001", "threshold:method=local,size=8193", "label:connectivity=4",
    "rotate:angle=10,order=6", "model:path=denoise,tile=2049", "model:path=denoise,overlap=2049",
    "select:z=0..999999+0..999999+0..999999",
]  # fmt: skip


@pytest.mark.parametrize("spec", BEYOND)
def test_value_beyond_its_range_is_refused_before_the_start(spec):
    with pytest.raises(RecipeError) as caught:
        Recipe.from_specs([spec])
    name, _, rest = spec.partition(":")
    assert caught.value.message.startswith(name)
    assert any(f"{pair.partition('=')[0]}" in caught.value.message for pair in rest.split(","))
    assert "\n" not in caught.value.message


def test_yaml_and_python_have_the_same_ranges():
    for refuse in (
        lambda: Recipe.parse({"steps": [{"resize": {"scale": 1e6}}]}),
        lambda: FILTERS["resize"](SMALL, scale=1e6),
        lambda: FILTERS["resize"].canonical({"scale": 1e6}),
    ):
        with pytest.raises(RecipeError, match="resize: scale must be less than or equal to 100"):
            refuse()


TINY_PIXELS = Image(SMALL.pixels, "YX", PixelSize(1e-6, 1e-6))
WRONG_PIXELS = Image(SMALL.pixels, "YX", PixelSize(1e-320, 1e-320))
LINE = Image(np.zeros((1, 60_000), np.uint8), "YX")


@pytest.mark.parametrize(
    ("spec", "image", "message"),
    [
        ("gaussian:sigma=1um", TINY_PIXELS, "above the limit of 32768 px"),
        ("unsharp_mask:radius=1um", TINY_PIXELS, "above the limit of 32768 px"),
        ("median:radius=1um", TINY_PIXELS, "above the limit of 255 px"),
        ("white_tophat:radius=1um", TINY_PIXELS, "above the limit of 2047 px"),
        ("equalize_adapthist:kernel_size=1um", TINY_PIXELS, "above the limit of 65536 px"),
        ("richardson_lucy:sigma=1um", TINY_PIXELS, "above the limit of 100 px"),
        ("crop:top=1um", TINY_PIXELS, "crop would leave nothing"),
        ("gaussian:sigma=1um", WRONG_PIXELS, "the pixel size in the file is wrong"),
        ("crop:top=1um", WRONG_PIXELS, "the pixel size in the file is wrong"),
        ("label:min_area=1um2", WRONG_PIXELS, "the pixel size in the file is wrong"),
        ("equalize_adapthist:kernel_size=2049", SMALL, "kernel_size=2049px is 2,049 px, and the image is smaller"),
        ("equalize_adapthist:kernel_size=1,nbins=16384", SMALL, "4,096 regions of 16,384 bins"),
        ("resize:height=262144", SMALL, "would enlarge the image of 64 × 64 px"),
        ("resize:height=262144,width=262144", SMALL, "would enlarge the image of 64 × 64 px"),
        ("rotate:angle=45,resize=true", LINE, "would enlarge the image of 60,000 × 1 px"),
    ],
)
def test_what_is_absurd_for_one_image_fails_it_before_allocation(spec, image, message):
    recipe = Recipe.from_specs([spec])
    reset_peak_memory()
    before = memory_use().peak
    with pytest.raises(FilterError, match=message):
        recipe.apply(image)
    assert memory_use().peak - before < 200e6


def test_enlargement_is_refused_from_the_header_alone():
    recipe = Recipe.from_specs(["resize:height=262144"])
    with pytest.raises(FilterError, match="would enlarge"):
        recipe.infer_output(Properties((64, 64), np.dtype(np.uint8), "YX"))
    assert recipe.infer_output(Properties((60_000, 10), np.dtype(np.uint8), "YX")).shape == (262_144, 44)


def test_result_that_does_not_fit_into_memory_is_refused(monkeypatch):
    monkeypatch.setattr("imgpool.filters._pixels.result_size.available_memory", lambda: 10**8)
    with pytest.raises(FilterError, match="16000×16000 values: not enough memory: its pixels need 512 MB"):
        FILTERS["resize"](SMALL, height=16_000)
