"""The contract of filters."""

import atexit
import doctest
import functools
import itertools
import json
import os
import pickle
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from imgpool.core.axes import Pixels
from imgpool.core.catalogue import FILTERS
from imgpool.core.errors import FilterError
from imgpool.core.filter import Filter
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.core.step import Step
from imgpool.system.temporary import temporary_folder
from imgpool.testing.images import (
    IMAGE_SIZE,
    PIXEL_SIZE,
    example_images,
    image_with_samples,
    texture,
    white,
    with_values,
)

Example = Mapping[str, Any]

GREY_IMAGES = frozenset({"uint8 grey", "uint16 grey", "float32 grey", "uint8 ZYX", "uint16 CZYX"})
MAX_SUMMARY_CHARACTERS = 99

TILE_PX = 16
"""Side of the tiles that are compared with the whole image."""

IMAGES = example_images()


class FilterContract:
    """Contract of filters, tested with their examples on `example_images`.

    Attributes
    ----------
    filters
        The filters to test. Set it in the subclass.
    accepted_images
        Names of the example images that the filters must accept. Override it for filters of other images, such as
        ``{"uint8 RGB"}`` for one that works on colours only. All others may be refused with a `FilterError` that has a
        hint.

    Notes
    -----
    Each test runs with every parameter set that the filter declares in ``examples``. Override `examples` to add
    parameter sets that only a test can provide, such as the path of a file of the test data.
    """

    filters: ClassVar[Iterable[Filter]] = ()
    accepted_images: ClassVar[Collection[str]] = GREY_IMAGES

    def examples(self, filter_: Filter) -> Iterable[Example]:
        """Return the parameter sets to test a filter with: by default those that it declares."""
        folder = os.path.join(_example_files(), filter_.name)
        os.makedirs(folder, exist_ok=True)
        return filter_.example_parameters(Path(folder), IMAGE_SIZE)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test with every filter, or with every example of every filter."""
        if "example" in metafunc.fixturenames:
            cases = [
                pytest.param(each, example, id=_example_id(each, example))
                for each in self.filters
                for example in self.examples(each)
            ]
            metafunc.parametrize(("filter_", "example"), cases)
        elif "filter_" in metafunc.fixturenames:
            metafunc.parametrize("filter_", [pytest.param(each, id=each.name) for each in self.filters])

    def test_every_image_is_accepted_or_refused_with_a_hint(self, filter_: Filter, example: Example) -> None:
        """The input stays unchanged, and the result is an image in native byte order."""
        for name, image in IMAGES.items():
            before = image.pixels.copy()
            result = apply(filter_, example, image)
            unchanged = np.array_equal(image.pixels, before, equal_nan=before.dtype.kind in "fc")
            assert unchanged, f"{name}: the filter changed its input"
            if result is None:
                assert name not in self.accepted_images, f"{name}: refused, but accepted_images lists it"
            else:
                assert isinstance(result, Image), f"{name}: the filter returned {type(result).__name__}, not an Image"
                assert result.pixels.dtype.isnative, f"{name}: the result is not in native byte order"

    def test_declared_output_is_the_real_one(self, filter_: Filter, example: Example) -> None:
        """``infer_output`` gives shape, dtype, axes and pixel size of the result, from those of the input."""
        parameters = filter_.validate(example)
        for name, image in IMAGES.items():
            result = apply(filter_, example, image)
            if result is None:
                continue
            declared, real = filter_.infer_output(image.properties, parameters), result.properties
            assert (declared.shape, declared.dtype, declared.axes) == (real.shape, real.dtype, real.axes), name
            assert (declared.pixel_size is None) == (real.pixel_size is None), name
            if real.pixel_size is not None:
                assert declared.pixel_size == pytest.approx(real.pixel_size), name

    def test_filter_refuses_what_infer_output_refuses(self, filter_: Filter, example: Example) -> None:
        """``infer_output`` raises `FilterError` only for images that the filter refuses too."""
        parameters = filter_.validate(example)
        for name, image in IMAGES.items():
            try:
                filter_.infer_output(image.properties, parameters)
            except FilterError:
                assert apply(filter_, example, image) is None, f"{name}: infer_output refuses what the filter accepts"

    def test_the_same_image_gives_the_same_result(self, filter_: Filter, example: Example) -> None:
        """Results are deterministic: seed any random numbers."""
        for name in ("uint16 CZYX", "uint8 RGB", "float32 one NaN"):
            first, second = (apply(filter_, example, IMAGES[name]) for _ in range(2))
            assert (first is None) == (second is None), name
            if first is not None and second is not None:
                assert first.pixels.tobytes() == second.pixels.tobytes(), f"{name}: two runs differ"

    def test_memory_layout_does_not_matter(self, filter_: Filter, example: Example) -> None:
        """Big-endian and Fortran-ordered arrays give the same result as native C-ordered ones."""
        for name in ("uint16 grey", "float64 grey", "int16 RGB", "uint16 CZYX"):
            image = IMAGES[name]
            big_endian = replace(image, pixels=image.pixels.astype(image.pixels.dtype.newbyteorder(">")))
            fortran = image.with_pixels(np.asfortranarray(image.pixels))
            expected = apply(filter_, example, image)
            for layout, other in (("big-endian", big_endian), ("Fortran order", fortran)):
                result = apply(filter_, example, other)
                assert (result is None) == (expected is None), f"{name}, {layout}"
                if result is not None and expected is not None:
                    assert are_equal(result.pixels, expected.pixels), f"{name}, {layout}: another result"

    def test_parameters_survive_json_and_pickle(self, filter_: Filter, example: Example) -> None:
        """A recipe stores parameters as JSON, and a worker receives them pickled."""
        canonical = filter_.canonical(example)
        assert filter_.canonical(json.loads(json.dumps(canonical))) == canonical
        step: Step = pickle.loads(pickle.dumps(Step.create(filter_.name, example)))  # noqa: S301 - made one line above
        image = IMAGES[min(self.accepted_images)]
        assert are_equal(step.load()(image).pixels, filter_(image, **example).pixels)

    def test_colour_of_transparent_pixels_has_no_effect(self, filter_: Filter, example: Example) -> None:
        """Fully transparent pixels may have any colour: nothing visible in the result depends on it."""
        for name in ("uint8 RGBA", "float32 RGBA", "uint16 LA"):
            image = IMAGES[name]
            hidden = image.pixels[..., -1] == 0
            bright = with_values(image, ((hidden, slice(-1)), white(image.pixels.dtype)))
            dark = with_values(image, ((hidden, slice(-1)), 0))
            bright_result, dark_result = apply(filter_, example, bright), apply(filter_, example, dark)
            if bright_result is None or dark_result is None or not dark_result.has_alpha:
                continue
            visible = np.greater(dark_result.pixels[..., -1], 0)
            assert are_equal(bright_result.pixels[visible], dark_result.pixels[visible]), (
                f"{name}: the colour of transparent pixels shows"
            )

    def test_opaque_alpha_changes_nothing(self, filter_: Filter, example: Example) -> None:
        """An RGB image gives the same colours with opaque alpha as without alpha."""
        for dtype in ("uint8", "uint16", "float32"):
            rgb = IMAGES[f"{dtype} RGB"]
            opaque = white(rgb.pixels.dtype)
            alpha = np.full((*rgb.pixels.shape[:-1], 1), opaque, dtype)
            rgba = rgb.with_pixels(np.concatenate([rgb.pixels, alpha], axis=-1))
            expected, result = apply(filter_, example, rgb), apply(filter_, example, rgba)
            assert (expected is None) == (result is None), f"{dtype}: refused with alpha, or without"
            if expected is None or result is None or not result.has_alpha:
                continue
            colour = result.pixels[..., :-1].reshape(expected.pixels.shape)
            full = result.pixels[..., -1] == white(result.pixels.dtype)
            assert full.any(), f"{dtype}: no pixel stayed opaque"
            assert are_equal(colour[full], expected.pixels[full], tolerance=1), f"{dtype}: alpha changes the colour"

    def test_nan_stays_in_place(self, filter_: Filter, example: Example) -> None:
        """A NaN stays where it is and does not reach its neighbours."""
        if filter_.tiles == "no":
            return  # it may move or regroup pixels
        for name in ("float32 one NaN", "float64 NaN at edges", "float16 NaN", "float32 all NaN"):
            image = IMAGES[name]
            result = apply(filter_, example, image)
            if result is not None:
                assert np.array_equal(np.isnan(result.pixels), np.isnan(image.pixels)), f"{name}: NaN moved or spread"

    def test_planes_are_filtered_one_by_one(self, filter_: Filter, example: Example) -> None:
        """A plane of a stack gives the same result as the plane alone."""
        if filter_.tiles == "no":
            return  # it may combine planes
        for name in ("uint16 CZYX", "float32 TCYX", "uint8 TYXS"):
            image = IMAGES[name]
            result = apply(filter_, example, image)
            if result is None:
                continue
            leading = image.axes.index("Y")
            for index in np.ndindex(image.pixels.shape[:leading]):
                alone = replace(image, pixels=image.pixels[index], axes=image.axes[leading:])
                plane = apply(filter_, example, alone)
                assert plane is not None, f"{name} {index}: a plane alone is refused"
                assert are_equal(result.pixels[index], plane.pixels), f"{name} {index}: planes mix"

    def test_tile_with_halo_equals_the_same_tile_of_the_whole(self, filter_: Filter, example: Example) -> None:
        """The filter declares how exactly: except for rounding of floats ("exact"), or within 1 grey level ("near")."""
        halo = filter_.halo(filter_.validate(example), PIXEL_SIZE)
        assert isinstance(halo, int)
        assert halo >= 0
        if filter_.tiles == "no":
            return
        tolerance = 0.1 if filter_.tiles == "exact" else 1
        height, width = 45 + 2 * halo, 41 + 2 * halo  # a tile in the middle has its complete halo
        corners = ((0, 0), (halo + 7, halo + 9), (height - TILE_PX, width - TILE_PX))
        wholes = [(image, apply(filter_, example, image)) for image in _large_images(height, width)]
        assert any(whole for _, whole in wholes), "every image is refused"
        for (image, whole), (top, left) in itertools.product(wholes, corners):
            if whole is not None:
                tile = filter_tile(filter_, example, image, (top, left), halo)
                expected = crop(whole, (top, top + TILE_PX), (left, left + TILE_PX))
                assert are_equal(tile.pixels, expected.pixels, tolerance), (
                    f"{image.pixels.dtype} {image.axes}: the tile at ({top}, {left}) with a halo of {halo} px differs"
                )

    def test_shrunk_input_gives_an_output_of_the_same_size(self, filter_: Filter, example: Example) -> None:
        """A filter with ``shrink`` gives an image that was read at reduced size the properties of the whole result."""
        if filter_.shrink is None:
            return
        parameters, whole = filter_.validate(example), image_with_samples("YXS", (24, 48, 3), "uint8")
        factor = filter_.shrink(whole.properties, parameters)
        assert factor >= 1
        if factor < 2:
            return
        smaller = replace(whole, pixels=whole.pixels[::2, ::2], metadata=Metadata(full_size=(24, 48)))
        result, expected = filter_(smaller, **example), filter_(whole, **example)
        assert result.properties == expected.properties
        assert result.metadata.full_size is None

    def test_docstring_is_a_help_page(self, filter_: Filter) -> None:
        """One sentence as the first line, the types that it takes and gives, and each parameter's meaning."""
        first, _, rest = filter_.help.partition("\n")
        assert first.endswith("."), f"the first line is not a sentence: {first!r}"
        assert len(first) <= MAX_SUMMARY_CHARACTERS, f"the first line is too long: {first!r}"
        assert not rest or rest.startswith("\n"), "the summary takes more than one line"
        assert "type" in filter_.help, "the docstring does not say which types it takes and gives"
        for parameter in filter_.describe():
            assert parameter["meaning"], f"{parameter['name']} is missing in the docstring's Parameters"
            json.dumps(parameter)

    def test_examples_in_the_docstring_hold(self, filter_: Filter) -> None:
        """They are doctests that know ``np``, ``Image``, ``PixelSize`` and every filter."""
        names = {"np": np, "Image": Image, "PixelSize": PixelSize} | {each.name: each for each in FILTERS}
        examples = doctest.DocTestParser().get_doctest(filter_.help, names, filter_.name, None, None)
        assert not doctest.DocTestRunner(verbose=False).run(examples).failed

    def test_filter_declares_valid_examples(self, filter_: Filter) -> None:
        """Each is a set of parameters that the filter accepts."""
        examples = list(self.examples(filter_))
        assert examples, f"{filter_.name} has no examples: declare image_filter(examples=...)"
        for example in examples:
            filter_.validate(example)

    def test_filter_is_found_by_its_name(self, filter_: Filter) -> None:
        """The catalogue finds it: it is installed, and its entry point has its name."""
        assert FILTERS[filter_.name] is filter_
        assert filter_.name == filter_.name.lower()
        assert filter_.tiles in {"exact", "near", "no"}


def apply(filter_: Callable[..., Image], example: Example, image: Image) -> Image | None:
    """Filter an image; None if the filter refuses it with a `FilterError` that says what is wrong and what to do."""
    try:
        return filter_(image, **example)
    except FilterError as error:
        refusal = error
    assert refusal.message, "a FilterError has no message"
    assert refusal.hint, f"a FilterError has no hint: {refusal.message}"
    return None


def crop(image: Image, rows: tuple[int, int], columns: tuple[int, int]) -> Image:
    """Cut these rows and columns out of every plane."""
    leading = (slice(None),) * image.axes.index("Y")
    return image.with_pixels(image.pixels[(*leading, slice(*rows), slice(*columns))])


def filter_tile(filter_: Filter, example: Example, image: Image, corner: tuple[int, int], halo: int) -> Image:
    """Filter a tile alone, with `halo` pixels of context where the image has them, and return the tile."""
    top, left = corner
    y0, x0 = max(top - halo, 0), max(left - halo, 0)
    with_context = crop(image, (y0, top + TILE_PX + halo), (x0, left + TILE_PX + halo))
    result = apply(filter_, example, with_context)
    assert result is not None, "a tile is refused"
    return crop(result, (top - y0, top - y0 + TILE_PX), (left - x0, left - x0 + TILE_PX))


def are_equal(one: Pixels, other: Pixels, tolerance: float = 0.0) -> bool:
    """Whether two arrays have the same values; NaN equals NaN.

    Parameters
    ----------
    one, other
        Arrays of the same dtype.
    tolerance
        Largest difference, in grey levels; for floats in units of 1e-5.
    """
    unit = 1.0 if one.dtype.kind in "uib" else 1e-5
    return one.dtype == other.dtype and np.allclose(
        one.astype("f8"), other.astype("f8"), rtol=0, atol=tolerance * unit, equal_nan=True
    )


@functools.cache
def _example_files() -> str:
    """Return the folder for files that examples refer to; removed when the process ends."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(temporary_folder())


def _example_id(filter_: Filter, example: Example) -> str:
    """Return the step as a recipe writes it, with bare file names, which are equal in all processes of a test run."""
    short = {name: os.path.basename(v) if isinstance(v, str | Path) else v for name, v in example.items()}
    return str(Step(filter_.name, short))


def _large_images(height: int, width: int) -> list[Image]:
    images = [Image(texture((height, width), dtype), "YX", PIXEL_SIZE) for dtype in ("uint8", "uint16", "float32")]
    images += [image_with_samples("YXS", (height, width, count), "uint8") for count in (3, 4)]
    return [*images, Image(texture((3, height, width), "float32"), "CYX", PIXEL_SIZE)]
