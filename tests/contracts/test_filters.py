"""What every filter promises, tried on a zoo of images; a new filter is tested here unasked."""

import doctest
import json
import pickle
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imgpool.core.catalogue import FILTERS
from imgpool.core.errors import FilterError
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.core.recipe import Step

MODELS = Path(__file__).parents[1] / "data" / "models"
SIZE = (12, 17)
FILES = tempfile.TemporaryDirectory(prefix="imgpool-examples-")
"""The files of examples that need some; removed when the process ends."""

MORE_EXAMPLES = {
    "model": [{"path": str(MODELS / "box3.onnx"), "dtype": "image"}, {"path": str(MODELS / "classes.zip")}],
}
"""Models that do not come with imgpool."""

PIXEL = PixelSize(0.5, 0.5, 2.0)
DTYPES = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
MUST_ACCEPT = {"uint8 grey", "uint16 grey", "float32 grey", "uint8 ZYX", "uint16 CZYX"}
MUST_ACCEPT_INSTEAD = {
    "separate_stains": {"uint8 RGB", "uint16 RGB", "float32 RGB", "uint8 RGBA", "uint8 TYXS"},
    "combine_stains": {"uint8 ZCYX", "float32 CYX"},
}
"""Of filters that are for one kind of image."""


def texture(shape, dtype, seed=0):
    """Soft blobs on a gradient, with a little noise: most of the range of an integer, 0 to 1 for floats."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : shape[-2], 0 : shape[-1]]
    values = 0.3 + 0.3 * np.sin(y / 3) * np.cos(x / 4) + 0.2 * x / shape[-1] + 0.15 * rng.random(shape)
    scale = 1.0 if np.dtype(dtype).kind in "fc" else min(np.iinfo(dtype).max, 2**40)
    return (values * scale).astype(dtype)


def samples(axes, shape, dtype, seed=0):
    """An image with samples; alpha, if any, runs from transparent to opaque."""
    pixels = np.moveaxis(texture((shape[-1], *shape[:-1]), dtype, seed), 0, -1).copy()
    if shape[-1] in {2, 4}:
        opaque = 1 if pixels.dtype.kind == "f" else np.iinfo(dtype).max
        ramp = np.linspace(-0.3, 1.3, shape[-2]).clip(0, 1) * opaque
        pixels[..., -1] = ramp.astype(dtype)
    return Image(pixels, axes, PIXEL)


def with_values(image, *places):
    pixels = image.pixels.copy()
    for index, value in places:
        pixels[index] = value
    return image.with_pixels(pixels)


def make_zoo():
    zoo = {f"{dtype} grey": Image(texture((12, 17), dtype), "YX", PIXEL) for dtype in DTYPES}
    for dtype in ("uint8", "uint16", "int16", "float32"):
        zoo[f"{dtype} LA"] = samples("YXS", (12, 17, 2), dtype)
        zoo[f"{dtype} RGB"] = samples("YXS", (12, 17, 3), dtype)
        zoo[f"{dtype} RGBA"] = samples("YXS", (12, 17, 4), dtype)
    zoo["bool grey"] = Image(texture((12, 17), "float32") > 0.5, "YX", PIXEL)
    zoo["complex grey"] = Image(texture((12, 17), "complex64"), "YX")
    zoo["uint8 ZYX"] = Image(texture((3, 12, 17), "uint8"), "ZYX", PIXEL)
    zoo["uint8 ZCYX"] = Image(texture((2, 3, 12, 17), "uint8"), "ZCYX", PIXEL)
    zoo["float32 CYX"] = Image(texture((3, 12, 17), "float32"), "CYX")
    zoo["uint16 CZYX"] = Image(texture((2, 3, 12, 17), "uint16"), "CZYX", PIXEL)
    zoo["float32 TCYX"] = Image(texture((2, 2, 12, 17), "float32"), "TCYX")
    zoo["uint8 TYXS"] = samples("TYXS", (2, 12, 17, 3), "uint8")
    zoo["premultiplied RGBA"] = replace(samples("YXS", (12, 17, 4), "uint8"), metadata=Metadata(premultiplied=True))
    zoo["transparent RGBA"] = with_values(zoo["uint8 RGBA"], (np.s_[..., -1], 0))
    zoo["opaque RGBA"] = with_values(zoo["uint8 RGBA"], (np.s_[..., -1], 255))
    for dtype, value in (("uint8", 0), ("uint8", 255), ("uint16", 40000), ("uint32", 2**32 - 1), ("float32", 0.25)):
        zoo[f"{dtype} all {value}"] = Image(np.full((12, 17), value, dtype), "YX")
    for shape in ((1, 1), (1, 7), (7, 1), (2, 2)):
        zoo[f"uint8 {shape}"] = Image(texture(shape, "uint8"), "YX", PIXEL)
        zoo[f"float32 {shape}"] = Image(texture(shape, "float32"), "YX", PIXEL)
    nan, inf = np.nan, np.inf
    grey = zoo["float32 grey"]
    zoo["float32 one NaN"] = with_values(grey, (np.s_[5, 6], nan))
    zoo["float64 NaN at edges"] = with_values(zoo["float64 grey"], (np.s_[0], nan), (np.s_[:, -1], nan))
    zoo["float16 NaN"] = with_values(zoo["float16 grey"], (np.s_[3:6, 4:9], nan))
    zoo["float32 RGB NaN"] = with_values(zoo["float32 RGB"], (np.s_[5, 6, 1], nan), (np.s_[0, 0], nan))
    zoo["float32 RGBA NaN"] = with_values(zoo["float32 RGBA"], (np.s_[5, 6, 1], nan))
    zoo["float32 all NaN"] = with_values(grey, (np.s_[:], nan))
    zoo["float32 inf"] = with_values(grey, (np.s_[5, 6], inf), (np.s_[1, 2], -inf))
    zoo["float32 negative"] = Image(texture((12, 17), "float32") - np.float32(0.5), "YX")
    zoo["oblong pixels"] = Image(texture((12, 17), "uint16"), "YX", PixelSize(0.5, 1.0))
    zoo["not contiguous"] = Image(texture((24, 34), "uint16")[::2, ::-2], "YX", PIXEL)
    return zoo


ZOO = make_zoo()


def cases():
    for filter_ in FILTERS:
        folder = Path(FILES.name, filter_.name)
        folder.mkdir()
        examples = [*filter_.example_parameters(folder, SIZE), *MORE_EXAMPLES.get(filter_.name, [])]
        assert examples, f"{filter_.name} declares no examples"
        for parameters in examples:
            name = str(Step(filter_.name, parameters)).replace(f"{folder}/", "")
            yield pytest.param(filter_, parameters, id=name.replace(f"{MODELS}/", ""))


def must_accept(filter_):
    return MUST_ACCEPT_INSTEAD.get(filter_.name, MUST_ACCEPT)


def apply(filter_, parameters, image):
    """The result, or None where the filter refuses as it should: a FilterError with a remedy."""
    try:
        return filter_(image, **parameters)
    except FilterError as error:
        refusal = error
    assert refusal.message, "a refusal says what is wrong"
    assert refusal.hint, f"a refusal names a remedy: {refusal.message}"
    return None


def window(image, rows, columns):
    """These rows and columns of every plane."""
    before = (slice(None),) * image.axes.index("Y")
    return image.with_pixels(image.pixels[(*before, slice(*rows), slice(*columns))])


def equal(one, other, tolerance=0.0):
    """Whether two arrays hold the same, NaN included; `tolerance` in grey levels, or for floats in 1e-5."""
    unit = 1.0 if one.dtype.kind in "uib" else 1e-5
    return one.dtype == other.dtype and np.allclose(
        one.astype("f8"), other.astype("f8"), rtol=0, atol=tolerance * unit, equal_nan=True
    )


CASES = list(cases())
every_case = pytest.mark.parametrize(("filter_", "parameters"), CASES)
every_local_case = pytest.mark.parametrize(  # what moves or regroups pixels ("no") is tested on its own
    ("filter_", "parameters"), [case for case in CASES if case.values[0].tiles != "no"]
)
every_filter = pytest.mark.parametrize("filter_", list(FILTERS), ids=lambda filter_: filter_.name)


def test_the_catalogue_holds_filters():
    assert {"gaussian", "rescale_intensity", "resize", "threshold", "label"} <= set(FILTERS.names())


@every_case
def test_a_filter_takes_every_image_or_refuses_with_a_remedy(filter_, parameters):
    for name, image in ZOO.items():
        before = image.pixels.copy()
        result = apply(filter_, parameters, image)
        assert np.array_equal(image.pixels, before, equal_nan=before.dtype.kind in "fc"), f"{name}: input changed"
        assert result is not None or name not in must_accept(filter_), f"{name}: refused"
        if result is not None:
            assert isinstance(result, Image)
            assert result.pixels.dtype.isnative


@every_case
def test_the_outcome_declared_is_the_real_one(filter_, parameters):
    values = filter_.validate(parameters)
    for name, image in ZOO.items():
        result = apply(filter_, parameters, image)
        if result is None:
            continue
        declared, real = filter_.infer_output(image.properties, values), result.properties
        assert (declared.shape, declared.dtype, declared.axes) == (real.shape, real.dtype, real.axes), name
        assert (declared.pixel_size is None) == (real.pixel_size is None), name
        if real.pixel_size is not None:
            assert declared.pixel_size == pytest.approx(real.pixel_size), name


@every_case
def test_what_the_outcome_refuses_the_filter_refuses(filter_, parameters):
    values = filter_.validate(parameters)
    for name, image in ZOO.items():
        try:
            filter_.infer_output(image.properties, values)
        except FilterError:
            assert apply(filter_, parameters, image) is None, name


@every_case
def test_a_filter_gives_the_same_twice(filter_, parameters):
    for name in ("uint16 CZYX", "uint8 RGB", "float32 one NaN"):
        first, second = (apply(filter_, parameters, ZOO[name]) for _ in range(2))
        assert (first is None) == (second is None)
        if first is not None:
            assert first.pixels.tobytes() == second.pixels.tobytes(), name


@every_case
def test_byte_order_and_memory_layout_do_not_matter(filter_, parameters):
    for name in ("uint16 grey", "float64 grey", "int16 RGB", "uint16 CZYX"):
        image = ZOO[name]
        big_endian = replace(image, pixels=image.pixels.astype(image.pixels.dtype.newbyteorder(">")))
        fortran = image.with_pixels(np.asfortranarray(image.pixels))
        expected = apply(filter_, parameters, image)
        for other in (big_endian, fortran):
            result = apply(filter_, parameters, other)
            assert (result is None) == (expected is None), name
            assert expected is None or equal(result.pixels, expected.pixels), name


@every_case
def test_parameters_survive_json_and_pickle(filter_, parameters):
    canonical = filter_.canonical(parameters)
    stored = json.loads(json.dumps(canonical))
    assert filter_.canonical(stored) == canonical
    step = pickle.loads(pickle.dumps(Step.checked(filter_.name, parameters)))
    image = ZOO[min(must_accept(filter_))]
    assert equal(step.load()(image).pixels, filter_(image, **parameters).pixels)


@every_case
def test_hidden_colour_never_shows(filter_, parameters):
    """Wholly transparent pixels may hold any colour: what is visible afterwards must not depend on it."""
    for name in ("uint8 RGBA", "float32 RGBA", "uint16 LA"):
        image = ZOO[name]
        hidden = image.pixels[..., -1] == 0
        assert hidden.any()
        pixels = image.pixels.copy()
        pixels[hidden, :-1] = 1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max
        dark = with_values(image, ((hidden, slice(-1)), 0))
        bright_result, dark_result = (apply(filter_, parameters, each) for each in (image.with_pixels(pixels), dark))
        if dark_result is None or not dark_result.has_alpha:
            continue
        seen = dark_result.pixels[..., -1] > 0
        assert equal(bright_result.pixels[seen], dark_result.pixels[seen]), name


@every_case
def test_opaque_alpha_changes_nothing(filter_, parameters):
    for dtype, opaque in (("uint8", 255), ("uint16", 65535), ("float32", 1)):
        rgb = ZOO[f"{dtype} RGB"]
        alpha = np.full((*rgb.pixels.shape[:-1], 1), opaque, dtype)
        rgba = rgb.with_pixels(np.concatenate([rgb.pixels, alpha], axis=-1))
        expected, result = apply(filter_, parameters, rgb), apply(filter_, parameters, rgba)
        assert (expected is None) == (result is None)
        if result is None or not result.has_alpha:
            continue
        colour = result.pixels[..., :-1].reshape(expected.pixels.shape)
        full = result.pixels[..., -1] == (1 if result.pixels.dtype.kind == "f" else np.iinfo(result.pixels.dtype).max)
        assert full.any()
        assert equal(colour[full], expected.pixels[full], tolerance=1), dtype


@every_local_case
def test_nan_stays_in_place(filter_, parameters):
    for name in ("float32 one NaN", "float64 NaN at edges", "float16 NaN", "float32 all NaN"):
        image = ZOO[name]
        result = apply(filter_, parameters, image)
        if result is not None:
            assert np.array_equal(np.isnan(result.pixels), np.isnan(image.pixels)), name


@every_local_case
def test_planes_are_filtered_one_by_one(filter_, parameters):
    for name in ("uint16 CZYX", "float32 TCYX", "uint8 TYXS"):
        image = ZOO[name]
        result = apply(filter_, parameters, image)
        if result is None:
            continue
        leading = image.axes.index("Y")
        for index in np.ndindex(image.pixels.shape[:leading]):
            plane = apply(filter_, parameters, replace(image, pixels=image.pixels[index], axes=image.axes[leading:]))
            assert equal(result.pixels[index], plane.pixels), f"{name} {index}"


@every_case
def test_tile_with_halo_equals_the_same_tile_of_the_whole(filter_, parameters):
    halo = filter_.halo(filter_.validate(parameters), PIXEL)
    assert isinstance(halo, int)
    assert halo >= 0
    if filter_.tiles == "no":
        return
    tolerance = 0.1 if filter_.tiles == "exact" else 1
    images = [Image(texture((61, 57), dtype), "YX", PIXEL) for dtype in ("uint8", "uint16", "float32")]
    images += [samples("YXS", (61, 57, count), "uint8") for count in (3, 4)]
    images += [Image(texture((3, 61, 57), "float32"), "CYX")]
    wholes = [apply(filter_, parameters, image) for image in images]
    assert any(wholes)
    for image, whole in zip(images, wholes, strict=True):
        for top, left, size in ((0, 0, 16), (20, 23, 16), (45, 41, 16)) if whole else ():
            y0, x0 = max(top - halo, 0), max(left - halo, 0)
            surroundings = window(image, (y0, top + size + halo), (x0, left + size + halo))
            tile = window(apply(filter_, parameters, surroundings), (top - y0, None), (left - x0, None))
            tile = window(tile, (0, size), (0, size))
            expected = window(whole, (top, top + size), (left, left + size))
            assert equal(tile.pixels, expected.pixels, tolerance)


@every_case
def test_a_filter_that_asks_for_a_smaller_picture_makes_of_it_what_the_whole_becomes(filter_, parameters):
    if filter_.shrink is None:
        return
    values, whole = filter_.validate(parameters), samples("YXS", (24, 48, 3), "uint8")
    factor = filter_.shrink(whole.properties, values)
    assert factor >= 1
    if factor < 2:
        return
    smaller = replace(whole, pixels=whole.pixels[::2, ::2], metadata=Metadata(full_size=(24, 48)))
    result = apply(filter_, parameters, smaller)
    assert result.properties == apply(filter_, parameters, whole).properties
    assert result.metadata.full_size is None


@every_filter
def test_the_docstring_is_a_help_page(filter_):
    first, _, rest = filter_.help.partition("\n")
    assert first.endswith("."), "the first line is a sentence"
    assert len(first) < 100
    assert not rest or rest.startswith("\n"), "the summary is one line"
    assert "type" in filter_.help, "states dtype in → dtype out"
    for entry in filter_.describe():
        assert entry["meaning"], f"{filter_.name}: {entry['name']} is not explained"
        json.dumps(entry)


@every_filter
def test_the_examples_in_the_docstring_hold(filter_):
    names = {"np": np, "Image": Image, "PixelSize": PixelSize} | {each.name: each for each in FILTERS}
    examples = doctest.DocTestParser().get_doctest(filter_.help, names, filter_.name, None, None)
    assert not doctest.DocTestRunner(verbose=False).run(examples).failed


@every_filter
def test_a_filter_is_found_by_its_name(filter_):
    assert FILTERS[filter_.name] is filter_
    assert filter_.name == filter_.name.lower()
    assert filter_.tiles in {"exact", "near", "no"}
