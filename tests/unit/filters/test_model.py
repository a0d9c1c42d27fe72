"""The filter `model`: which images it accepts, and what it returns."""

from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import yaml

from imgpool import Image, Metadata
from imgpool.core.catalogue import FILTERS
from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.image import PixelSize
from imgpool.core.recipe import Recipe
from imgpool.core.step import Step
from imgpool.models.axes import infer_result
from imgpool.models.plan import describe_model, largest_tile_shape, plan_model
from tests.support.onnx_files import expected, onnx_bytes, write_onnx, write_package

DATA = Path(__file__).parents[2] / "data" / "models"
MODEL = FILTERS["model"]
ENSURE = {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}


@pytest.fixture
def make(tmp_path):
    """Write a package, and return a function that filters images with it."""

    def write(kind, parameters=None, **package):
        path = write_package(tmp_path / f"{kind}{len(list(tmp_path.iterdir()))}", kind, **package)
        return lambda image, **more: MODEL(image, path=str(path), **(parameters or {}), **more)

    return write


def pixels(*shape, dtype="float32", seed=0):
    return (np.random.default_rng(seed).random(shape) * 200).astype(dtype)


def refusal_of(filtered, image):
    with pytest.raises(FilterError) as refusal:
        filtered(image)
    assert refusal.value.hint
    return refusal.value


def infer_output(parameters, image):
    """Properties of the result, from the header of the image alone."""
    return MODEL.infer_output(image.properties, MODEL.validate(parameters))


def test_stored_models_are_up_to_date():
    assert (DATA / "box3.onnx").read_bytes() == onnx_bytes("box3")
    with ZipFile(DATA / "classes.zip") as archive:
        assert archive.read("weights.onnx") == onnx_bytes("classes")


# axes


@pytest.mark.parametrize(("shape", "axes"), [
    ((9, 8), "YX"), ((3, 9, 8), "ZYX"), ((2, 9, 8), "CYX"), ((2, 3, 9, 8), "TCYX"), ((4, 9, 8), "IYX"),
    ((1, 9, 8), "CYX"),
])  # fmt: skip
def test_model_of_one_channel_takes_each_plane_by_itself(make, shape, axes):
    values = pixels(*shape)
    result = make("double")(Image(values, axes))
    assert (result.axes, result.pixels.dtype) == (axes, np.float32)
    assert np.array_equal(result.pixels, values * 3)


@pytest.mark.parametrize("axes", ["BYX", "YX", "YXC", "XY"])
def test_order_of_the_models_axes_does_not_matter(make, axes):
    values = pixels(9, 8)
    assert np.array_equal(make("double", axes=axes)(Image(values, "YX")).pixels, values * 3)


def test_image_channels_become_model_channels(make):
    values = pixels(2, 3, 9, 8)
    names = Metadata(channel_names=("DAPI", "GFP"))
    result = make("mean", channels=2)(Image(values, "CZYX", metadata=names))
    assert (result.axes, result.metadata.channel_names) == ("ZYX", ())
    assert np.allclose(result.pixels, values.mean(0))
    after = make("mean", channels=2)(Image(values.swapaxes(0, 1), "ZCYX"))
    assert after.axes == "ZYX"
    assert np.array_equal(after.pixels, result.pixels)


def test_output_channels_get_their_names(make):
    model = make("classes", channel_names=["nucleus", "background"])
    flat = model(Image(pixels(9, 8), "YX"))
    assert (flat.axes, flat.metadata.channel_names) == ("CYX", ("nucleus", "background"))
    assert np.array_equal(flat.pixels[0], -flat.pixels[1])
    stack = model(Image(pixels(3, 2, 9, 8), "TZYX"))
    assert (stack.axes, stack.pixels.shape) == ("TCZYX", (3, 2, 2, 9, 8))
    assert np.array_equal(stack.pixels[:, 0], pixels(3, 2, 9, 8))


def test_outputs_of_each_channel_are_in_order(make):
    values = pixels(2, 9, 8)
    model = make("classes", channel_names=["in", "out"])
    result = model(Image(values, "CYX", metadata=Metadata(channel_names=("DAPI", "GFP"))))
    assert result.metadata.channel_names == ("DAPI in", "DAPI out", "GFP in", "GFP out")
    assert np.array_equal(result.pixels, [values[0], -values[0], values[1], -values[1]])
    assert model(Image(values, "CYX")).metadata.channel_names == ()


def test_model_of_three_channels_takes_colours(make):
    values = pixels(9, 8, 3, dtype="uint8")
    rgb = Image(values, "YXS")
    model = make("double", channels=3, scale=0.5)
    result = model(rgb)
    assert (result.axes, result.pixels.shape) == ("CYX", (3, 9, 8))
    assert np.array_equal(result.pixels, np.moveaxis(values, -1, 0) / 2)
    back = model(rgb, dtype="image")
    assert (back.axes, back.pixels.dtype) == ("YXS", np.uint8)
    assert np.array_equal(back.pixels, np.rint(values / 2))
    grey = make("mean", channels=3)(replace(rgb, metadata=Metadata(icc=b"colours")))
    assert (grey.axes, grey.metadata.icc) == ("YX", None)


def test_model_of_volumes_takes_whole_stacks(make):
    values = pixels(2, 5, 9, 8)
    result = make("box3", axes="BCZYX", halo=1)(Image(values, "TZYX"))
    volumes = expected("box3", values[:, None, None], "TBCZYX")[:, 0, 0]
    assert np.allclose(result.pixels, volumes, atol=1e-4)


def test_model_of_volumes_may_take_a_plane(make):
    values = pixels(9, 8)
    assert np.array_equal(make("double", axes="BCZYX")(Image(values, "YX")).pixels, values * 3)


def test_model_of_any_channels_takes_all_channels(tmp_path):
    """The output has as many channels if the file does not say how many; any other number is refused."""
    values = pixels(4, 32, 32)
    path = write_onnx(tmp_path / "m.onnx", "double", channels="any")
    result = MODEL(Image(values, "CYX"), path=str(path))
    assert (result.axes, result.pixels.shape) == ("CYX", values.shape)
    assert np.array_equal(result.pixels, values * 3)
    other = write_onnx(tmp_path / "other.onnx", "classes", channels="any")
    for image in (Image(values, "CYX"), Image(values[0], "YX")):
        assert "the model returns" in refusal_of(lambda each: MODEL(each, path=str(other)), image).message


@pytest.mark.parametrize(("package", "shape", "axes", "words", "remedy"), [
    ({}, (9, 8, 3), "YXS", "grey", "rgb2gray"),
    ({}, (9, 8, 4), "YXS", "grey", "rgb2gray"),
    ({"channels": 3}, (9, 8), "YX", "3 channels", "images"),
    ({"channels": 2}, (4, 9, 8), "CYX", "2 channels (channel0, channel1), but the image has 4", "select:c=0..1"),
    ({"channels": 2}, (9, 8, 3), "YXS", "three colours", "images"),
    ({"axes": "BCZYX", "minimum": 4}, (9, 8), "YX", "slices", "axis Z"),
    ({"axes": "BCZYX", "minimum": 4}, (5, 9, 8), "IYX", "does not say whether its pages", "OME-TIFF"),
    ({"axes": "BTCYX", "minimum": 4}, (9, 8), "YX", "time series", "axis T"),
])  # fmt: skip
def test_unfit_image_is_refused_by_header_and_filter(tmp_path, package, shape, axes, words, remedy):
    parameters = {"path": str(write_package(tmp_path / "m", "identity", **package))}
    image = Image(pixels(*shape), axes)
    if shape[-1] == 4 and axes == "YXS":
        image.pixels[..., 3] = 1
    for refused in (lambda image: MODEL(image, **parameters), lambda image: infer_output(parameters, image)):
        refusal = refusal_of(refused, image)
        assert words in refusal.message
        assert remedy in refusal.hint


# sizes


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (31, 33), (64, 64)])
@pytest.mark.parametrize(("kind", "scale"), [("up2", 2), ("down2", 0.5)])
def test_resizing_model_adapts_size_and_pixel_size(make, kind, scale, shape):
    values = pixels(*shape)
    result = make(kind, {"tile": 16, "overlap": 2})(Image(values, "YX", PixelSize(0.5, 0.25)))
    assert result.pixel_size == (0.5 / scale, 0.25 / scale, None)
    padded = np.pad(values, [(0, length % 2 if kind == "down2" else 0) for length in shape], mode="symmetric")
    whole = expected(kind, padded, "YX")
    assert result.pixels.shape == whole.shape
    assert np.allclose(result.pixels, whole)


@pytest.mark.parametrize("shape", [(1, 1), (5, 40), (64, 64)])
@pytest.mark.parametrize("tile", [None, 16])
def test_border_that_a_model_omits_is_mirrored(make, tile, shape):
    values = pixels(*shape)
    result = make("valid7", {"tile": tile}, minimum=7, step=1)(Image(values, "YX")).pixels
    whole = expected("valid7", np.pad(values, 3, mode="symmetric"), "YX")
    assert np.allclose(result, whole, atol=1e-4)


def test_model_of_fixed_size_takes_images_of_any_size(make):
    model = make("box3", size=32, halo=1)
    for shape in ((1, 1), (32, 32), (33, 31), (100, 64)):
        values = pixels(*shape)
        inside = np.s_[1:-1, 1:-1]
        result = model(Image(values, "YX")).pixels
        assert result.shape == shape
        assert np.allclose(result[inside], expected("box3", values, "YX")[inside], atol=1e-4)


@pytest.mark.parametrize(("parameters", "package", "words"), [
    ({"tile": 100}, {"size": 64}, "it takes 64 pixels along Y, not a tile of 100"),
    ({"tile": 100}, {"minimum": 64, "step": 16}, "64 + n × 16"),
    ({"overlap": 32}, {"size": 64}, "leave none of 64 pixels"),
    ({"output": "z"}, {}, "no output 'z'"),
])  # fmt: skip
def test_unfit_parameters_are_refused_before_the_run(tmp_path, parameters, package, words):
    path = write_package(tmp_path / "m", "identity", **package)
    with pytest.raises(RecipeError) as refusal:
        Step.create("model", {"path": str(path), **parameters})
    assert words in refusal.value.message
    assert str(path) in refusal.value.message
    assert refusal.value.hint


def test_bare_onnx_file_takes_images_of_any_size(tmp_path):
    path = write_onnx(tmp_path / "m.onnx", "double")
    values = pixels(40, 33)
    assert np.array_equal(MODEL(Image(values, "YX"), path=str(path)).pixels, values * 3)


def test_axis_may_have_the_length_of_another(tmp_path):
    """Sides that must be equal are equal for every image."""
    path = write_package(tmp_path / "m", "box3", minimum=16, step=16, halo=1)
    text = (path / "bioimageio.yaml").read_text()
    following = "size:\n      tensor_id: x\n      axis_id: y"
    text = text.replace("id: x\n    size: *id001", f"id: x\n    {following}").replace("axis_id: x", "axis_id: y")
    (path / "bioimageio.yaml").write_text(text)
    values = pixels(40, 700)
    assert {tiling.minimum for tiling in plan_model(describe_model(str(path))).tilings.values()} == {512}
    result = MODEL(Image(values, "YX"), path=str(path)).pixels
    assert np.allclose(result[:39, :699], expected("box3", values, "YX")[:39, :699], atol=1e-4)


def test_output_is_chosen_by_name(make):
    values = pixels(9, 8)
    model = make("pair")
    assert np.array_equal(model(Image(values, "YX")).pixels, values)
    assert np.array_equal(model(Image(values, "YX"), output="n").pixels, -values)


def test_rehearsal_uses_the_largest_tile(tmp_path):
    path = str(write_package(tmp_path / "m", "double", minimum=100, step=16, halo=10))
    assert largest_tile_shape(plan_model(describe_model(path))) == (1, 500, 500)
    MODEL.load({"path": path}).rehearse()


# values


def test_dtype_that_the_model_cannot_hold_is_refused(tmp_path):
    plan = plan_model(describe_model(str(write_package(tmp_path / "m", "identity"))))
    narrow = replace(plan, input=replace(plan.input, dtype="uint8", operations=()))
    assert infer_result(Image(pixels(9, 8, dtype="uint8"), "YX").properties, narrow, "model").shape == (9, 8)
    refusal = refusal_of(lambda image: infer_result(image.properties, narrow, "model"), Image(pixels(9, 8), "YX"))
    assert "uint8" in refusal.message


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float16", "float64", "uint32"])
def test_dtype_image_rounds_and_clips(make, dtype):
    values = pixels(9, 8, dtype=dtype)
    result = make("double", {"dtype": "image"}, scale=1.7)(Image(values, "YX")).pixels
    assert result.dtype == dtype
    wide = values.astype(np.float32) * np.float32(1.7)
    exact = wide if result.dtype.kind == "f" else np.clip(np.rint(wide), np.iinfo(dtype).min, np.iinfo(dtype).max)
    assert np.array_equal(result, exact.astype(dtype))


def test_mask_is_0_and_255(make):
    values = pixels(9, 8) - 100
    result = make("mask")(Image(values, "YX")).pixels
    assert result.dtype == np.uint8
    assert np.array_equal(result, np.where(values > 0, 255, 0))


def test_statistics_are_those_of_the_whole_image(make):
    """Those of a tile would differ: the image gets brighter from left to right."""
    values = pixels(64, 64) + np.arange(64, dtype=np.float32) * 10
    unit = {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}
    result = make("identity", {"tile": 16}, preprocessing=[ENSURE, unit])(Image(values, "YX")).pixels
    assert np.allclose(result, (values - values.mean(dtype="f8")) / values.std(dtype="f8"), atol=1e-5)
    stretch = {"id": "scale_range", "kwargs": {"min_percentile": 0.0, "max_percentile": 100.0}}
    result = make("identity", {"tile": 16}, postprocessing=[stretch])(Image(values, "YX")).pixels
    assert (result.min(), result.max()) == (0, pytest.approx(1))


def test_each_plane_has_its_own_statistics(make):
    unit = {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}
    model = make("identity", preprocessing=[ENSURE, unit])
    stack = pixels(3, 9, 8) * np.array([1, 10, 100], np.float32)[:, None, None]
    planes = [model(Image(plane, "YX")).pixels for plane in stack]
    assert np.array_equal(model(Image(stack, "ZYX")).pixels, planes)


def test_mean_and_deviation_of_the_image_can_be_restored(make):
    values = pixels(64, 50, dtype="uint16")
    unit = {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}
    back = {"id": "scale_mean_variance", "kwargs": {"axes": ["y", "x"], "reference_tensor": "x"}}
    model = make("identity", {"dtype": "image"}, preprocessing=[ENSURE, unit], postprocessing=[back])
    assert np.array_equal(model(Image(values, "YX")).pixels, values)


def test_nan_stays_in_place(make):
    values = np.full((20, 20), 0.5, np.float32)
    values[7, 9] = np.nan
    unit = {"id": "scale_range", "kwargs": {"min_percentile": 0.0, "max_percentile": 100.0}}
    result = make("box3", preprocessing=[ENSURE, unit])(Image(values, "YX")).pixels
    assert np.argwhere(np.isnan(result)).tolist() == [[7, 9]]
    assert np.nanmax(np.abs(result)) == 0, "NaN does not affect the range"
    larger = make("up2")(Image(values, "YX")).pixels
    assert np.argwhere(np.isnan(larger)).tolist() == [[14, 18], [14, 19], [15, 18], [15, 19]]
    assert np.isnan(make("classes")(Image(values, "YX")).pixels[:, 7, 9]).all()
    assert np.isnan(make("double")(Image(np.full((5, 5), np.nan), "YX")).pixels).all()
    assert make("mask")(Image(values, "YX")).pixels[7, 9] == 0


def test_nan_is_filled_from_the_same_channel(make):
    values = np.stack([np.full((5, 5), 1.0), np.full((5, 5), 9.0)]).astype(np.float32)
    values[0, 2, 2] = np.nan
    result = make("mean", channels=2)(Image(values, "CYX")).pixels
    assert np.isnan(result[2, 2])
    assert np.nanmax(result) == np.nanmin(result) == 5


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_pixels_are_refused(make, value):
    values = pixels(9, 8)
    values[3, 4] = value
    assert "infinite" in refusal_of(make("identity"), Image(values, "YX")).message


def test_model_that_returns_nan_fails_the_image(make):
    values = pixels(9, 8)
    assert make("sqrt")(Image(values, "YX")).pixels.shape == (9, 8)
    assert "NaN or infinite" in refusal_of(make("sqrt"), Image(values - 100, "YX")).message


def test_opaque_alpha_is_dropped_and_transparency_refused(make):
    grey = pixels(9, 8, dtype="uint8")
    opaque = Image(np.stack([grey, np.full_like(grey, 255)], -1), "YXS")
    model = make("double")
    result = model(opaque)
    assert result.axes == "YX"
    assert np.array_equal(result.pixels, model(Image(grey, "YX")).pixels)
    opaque.pixels[0, 0, 1] = 254
    assert "transparent" in refusal_of(model, opaque).message


def test_dtype_image_keeps_colours_and_alpha(make):
    rgb = pixels(2, 9, 8, 3, dtype="uint8")
    model = make("double", {"dtype": "image"}, scale=0.5)
    result = model(Image(rgb, "TYXS"))
    assert result.axes == "TYXS"
    assert np.array_equal(result.pixels, np.rint(rgb / 2))
    for colours in (rgb, rgb[..., :1]):
        opaque = np.concatenate([colours, np.full((2, 9, 8, 1), 255, np.uint8)], -1)
        result = model(Image(opaque, "TYXS"))
        assert result.axes == "TYXS"
        assert np.array_equal(result.pixels, np.concatenate([np.rint(colours / 2), opaque[..., -1:]], -1))
    assert make("up2", {"dtype": "image"})(Image(opaque, "TYXS")).pixels.shape == (2, 18, 16, 2)


@pytest.mark.parametrize("dtype", [bool, complex])
def test_bool_and_complex_pixels_are_refused(make, dtype):
    refusal_of(make("identity"), Image(np.ones((5, 5), dtype), "YX"))


# as part of a recipe


def test_metadata_pixel_size_and_input_are_kept(make):
    values = pixels(9, 8)
    before = values.copy()
    metadata = Metadata(description="plate 7", dpi=(300.0, 300.0), flavour="imagej", icc=b"grey")
    image = Image(values, "YX", PixelSize(0.325, 0.325), metadata)
    result = make("double")(image)
    assert (result.pixel_size, result.metadata) == (image.pixel_size, metadata)
    assert np.array_equal(image.pixels, before)


def test_fingerprint_covers_the_model_but_not_its_path(tmp_path):
    one, other = (write_package(tmp_path / name / "m", "double") for name in ("a", "b"))
    changed = write_package(tmp_path / "c" / "m", "double", scale=2.0)
    fingerprints = [Recipe.from_specs([f"model:path={path}"]).fingerprint() for path in (one, other, changed)]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]
    known = Step.create("model", {"path": str(one)}).provenance["path"]
    assert (known["model"], known["version"]) == ("small model", "1.2")
    assert known["runtime"].startswith("onnxruntime ")
    assert {len(known[name]) for name in ("sha256", "digest")} == {64}


def test_only_the_constructor_loads_the_model(tmp_path):
    """A model that cannot be loaded can be described, and fails when it is loaded."""
    path = str(write_package(tmp_path / "m", "broken"))
    step = Step.create("model", {"path": path})
    image = Image(pixels(9, 8), "YX")
    assert replace(MODEL.infer_output(image.properties, step.values), dtype=image.pixels.dtype) == image.properties
    with pytest.raises(Exception, match="does not load"):
        step.load()


# pixel size


def sized_plan(**sizes):
    """The plan of a model that declares a pixel size in µm for some of its axes."""
    plan = plan_model(describe_model(str(DATA / "box3.onnx")))
    axes = tuple(replace(axis, pixel_size=sizes.get(axis.letter)) for axis in plan.input.axes)
    return replace(plan, input=replace(plan.input, axes=axes))


def infer_with(plan, size):
    return infer_result(replace(Image(pixels(64, 64), "YX"), pixel_size=size).properties, plan, "model")


@pytest.mark.parametrize("size", [PixelSize(0.65, 0.65), PixelSize(0.6, 0.72), PixelSize(0.53, 0.8, 5.0), None])
def test_image_of_about_the_models_pixel_size_is_taken(size):
    assert infer_with(sized_plan(Y=0.65, X=0.65), size).shape == (64, 64)


def test_other_pixel_size_is_refused_with_the_scale_to_apply():
    with pytest.raises(
        FilterError, match=r"pixels of 0\.65 µm along Y, but those of the image have 0\.325 µm"
    ) as caught:
        infer_with(sized_plan(Y=0.65, X=0.65), PixelSize(0.325, 0.325))
    assert 'add `filters=["resize:scale=0.5"]` before the model' in caught.value.hint
    with pytest.raises(FilterError, match="along X"):
        infer_with(sized_plan(X=0.65), PixelSize(0.65, 1.0))


def test_pixels_of_another_shape_are_resized_to_height_and_width():
    plan, size = sized_plan(Y=0.65, X=0.65), PixelSize(0.65, 0.325)
    with pytest.raises(FilterError, match=r"0\.65 µm along X") as caught:
        infer_with(plan, size)
    assert 'add `filters=["resize:height=64,width=32"]` before the model' in caught.value.hint
    resized = FILTERS["resize"](Image(pixels(64, 64), "YX", size), height=64, width=32)
    assert infer_result(resized.properties, plan, "model").shape == (64, 32)


def test_absurd_pixel_size_is_named_instead_of_a_resize_step():
    with pytest.raises(FilterError, match="have 100 µm") as caught:
        infer_with(sized_plan(Y=0.65, X=0.65), PixelSize(100.0, 100.0))
    assert caught.value.hint.startswith("check the pixel size in the file")


def test_pixel_size_is_not_compared_if_none_is_declared():
    assert infer_with(sized_plan(), PixelSize(100.0, 0.001)).shape == (64, 64)


def test_refused_pixel_size_fits_after_the_step_in_the_hint():
    image = Image(pixels(64, 64), "YX", PixelSize(0.325, 0.325))
    resized = FILTERS["resize"](image, scale=0.5)
    assert infer_with(sized_plan(Y=0.65, X=0.65), resized.pixel_size)


def test_filter_compares_the_pixel_size_in_the_description(tmp_path):
    package = write_package(tmp_path / "package", "double")
    file = package / "bioimageio.yaml"
    description = yaml.safe_load(file.read_text("utf-8"))
    for axis in description["inputs"][0]["axes"] + description["outputs"][0]["axes"]:
        if axis["type"] == "space":
            axis |= {"unit": "nanometer", "scale": 650}
    file.write_text(yaml.safe_dump(description), "utf-8")
    parameters = {"path": str(package)}
    assert MODEL(Image(pixels(9, 8), "YX", PixelSize(0.7, 0.7)), **parameters).pixel_size == PixelSize(0.7, 0.7)
    small = Image(pixels(9, 8), "YX", PixelSize(0.1, 0.1))
    for refused in (lambda: MODEL(small, **parameters), lambda: infer_output(parameters, small)):
        with pytest.raises(FilterError, match=r"pixels of 0\.65 µm along Y"):
            refused()
