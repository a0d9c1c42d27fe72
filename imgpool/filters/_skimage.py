"""scikit-image's own functions as filters, by their full names: ``skimage.filters.sobel_h``.

For what the catalogue does not have. Any public function whose first parameter is the image and that returns an
image of the same height and width will do.
"""

import functools
import importlib
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import numpy as np
import yaml
from pydantic import BeforeValidator

from imgpool.core.axes import Pixels, map_planes
from imgpool.core.dtypes import Floats, check_numeric, full_scale, restore
from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.filter import Filter, image_filter
from imgpool.core.image import Image
from imgpool.core.parameters import suggest_name

MODULES = (
    "skimage.exposure",
    "skimage.filters",
    "skimage.morphology",
    "skimage.restoration",
    "skimage.segmentation",
    "skimage.transform",
    "skimage.util",
)
PLAIN = (bool, int, float, str, tuple, list, types.NoneType)


@functools.cache
def find(name: str) -> Filter:
    """The filter that a full name stands for: ``skimage.filters.sobel_h``.

    Raises
    ------
    RecipeError
        If scikit-image has no such function, or it takes no image.
    """
    module_name, _, function_name = name.rpartition(".")
    if module_name not in MODULES:
        raise RecipeError(f"no filter is called {name!r}", f"functions are taken from {', '.join(MODULES)}")
    functions = _functions(importlib.import_module(module_name))
    if function_name not in functions:
        raise RecipeError(f"{module_name} has no function {function_name!r} of an image",
                          suggest_name(function_name, functions))  # fmt: skip
    declare = image_filter(tiles="no", libraries=(module_name,))
    return declare(_filter_function(name, functions[function_name]))


def _functions(module: types.ModuleType) -> dict[str, Callable[..., Any]]:
    public = {name: getattr(module, name) for name in module.__all__}
    return {name: function for name, function in public.items() if callable(function) and _takes_image(function)}


def _takes_image(function: Callable[..., Any]) -> bool:
    return inspect.isfunction(function) and next(iter(inspect.signature(function).parameters), "") == "image"


def _filter_function(name: str, function: Callable[..., Any]) -> Callable[..., Image]:
    """A function of an `Image`, with scikit-image's parameters as its keywords."""
    parameters = _parameters(function)

    def run(image: Image, **values: object) -> Image:
        check_numeric(image.pixels, name)
        given = {key: value for key, value in values.items() if value != parameters[key].default}
        return image.with_pixels(
            map_planes(lambda plane: _apply(name, function, plane, given), image.pixels, image.axes)
        )

    first = inspect.Parameter("image", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Image)
    run.__name__ = name
    run.__doc__ = _help(name, function)
    run.__signature__ = inspect.Signature([first, *parameters.values()])  # type: ignore[attr-defined]
    run.__annotations__ = {"image": Image, **{key: each.annotation for key, each in parameters.items()}}
    return run


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """What a recipe may give: parameters whose default, if any, is plain data; without channel_axis, which is known."""
    rest = list(inspect.signature(function).parameters.values())[1:]
    return {
        each.name: each.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[Any, BeforeValidator(_plain)])
        for each in rest
        if each.kind in {each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY}
        and (each.default is each.empty or isinstance(each.default, PLAIN))
        and each.name not in {"channel_axis", "rng", "out"}
    }


def _plain(value: object) -> object:
    """A text from the command line as the number, truth value or list that it writes."""
    if not isinstance(value, str):
        return value
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        raise ValueError("it is no number, truth value, text or list") from None


def _apply(name: str, function: Callable[..., Any], plane: Pixels, given: Mapping[str, Any]) -> Pixels:
    """Filter (Y, X), or (Y, X, S) sample by sample where the function knows no channels; alpha stays."""
    samples = plane.shape[2:]
    if samples in {(2,), (4,)}:
        colour = _apply(name, function, plane[..., 0] if samples == (2,) else plane[..., :3], given)
        return _with_alpha(name, colour, plane[..., -1:])
    known = inspect.signature(function).parameters
    fixed: dict[str, Any] = {**given, **({"rng": 0} if "rng" in known else {})}
    if samples and "channel_axis" not in known:
        return np.stack([_call(name, function, plane[..., s], fixed) for s in range(samples[0])], axis=-1)
    return _call(name, function, plane, {**fixed, **({"channel_axis": -1} if samples else {})})


def _with_alpha(name: str, colour: Pixels, alpha: Pixels) -> Pixels:
    if colour.dtype != alpha.dtype:
        raise FilterError(f"{name} makes a mask or labels, which have no alpha", "add -f rgb2gray before it")
    return np.concatenate([np.atleast_3d(colour), alpha], axis=-1)


def _call(name: str, function: Callable[..., Any], values: Pixels, given: Mapping[str, Any]) -> Pixels:
    """Call scikit-image on floats, integers being scaled to 0..1, and bring the result back to the dtype."""
    scale = full_scale(values.dtype)
    unit: Floats = np.divide(values, scale, dtype=None if values.dtype.kind == "f" else np.float64)
    try:
        result = np.asarray(function(unit, **given))
    except (TypeError, ValueError, AttributeError, ImportError, RuntimeError) as error:
        raise FilterError(f"{name}: {error}", f"`imgpool filters {name}` shows what it takes") from error
    if result.shape[:2] != values.shape[:2] or result.ndim != values.ndim:
        raise FilterError(f"{name} gives a result of shape {result.shape} for one of {values.shape}, which is no image",
                          "use a function that keeps height and width")  # fmt: skip
    if result.dtype == bool:
        return np.where(result, np.uint8(255), np.uint8(0))
    if result.dtype.kind in "ui":
        return result.astype(np.min_scalar_type(int(result.max())), copy=False)
    return restore(result * scale, values.dtype)


def _help(name: str, function: Callable[..., Any]) -> str:
    return (
        f"{inspect.getdoc(function) or name}\n\nRun by imgpool plane by plane on floats: integers are scaled to 0..1 "
        "and back, and their data type is kept; a mask becomes uint8 0 and 255, labels the smallest unsigned type."
    )
