"""Functions of scikit-image as filters, by their full names, such as ``skimage.filters.sobel_h``.

They complement the catalogue. A function qualifies if its first parameter is the image and it returns an image of the
same height and width.
"""

import contextlib
import functools
import importlib
import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator

from imgpool.core.axes import Pixels, map_planes
from imgpool.core.dtypes import Floats, check_numeric, full_scale, restore
from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.filter import Filter, image_filter
from imgpool.core.hint import Hint
from imgpool.core.image import Image
from imgpool.core.parameters import suggest_name
from imgpool.core.safe_yaml import load_yaml
from imgpool.core.shorten import quote

MODULES = (
    "skimage.exposure",
    "skimage.filters",
    "skimage.morphology",
    "skimage.restoration",
    "skimage.segmentation",
    "skimage.transform",
    "skimage.util",
)
RESAMPLING = {
    "downscale_local_mean", "pyramid_expand", "pyramid_gaussian", "pyramid_laplacian", "pyramid_reduce", "rescale",
    "resize", "resize_local_mean", "warp", "warp_polar",
}  # fmt: skip
"""Functions whose result has another size than the image, and any size that their parameters ask for."""

HIDDEN_PARAMETERS = {"channel_axis", "rng", "out"}

MAX_NUMBER = 2**16
"""Largest number that a parameter may be or contain if `LIMITS` does not name it: enough for 16-bit grey levels."""

_AREAS = {"area_threshold", "diameter_threshold", "min_size", "max_size"}

_LEVELS = {
    "center", "cval", "h", "high", "in_range", "initial_guess", "low", "new_value", "offset", "out_range", "r",
    "seed_point", "sigma_color", "tolerance",
}  # fmt: skip
"""Grey levels and positions: any takes the same time."""

_WINDOWS = {"block_size", "window_size"}
"""Sides of neighbourhoods of which a larger one takes hardly longer."""

_EXTENTS = {
    "sigma", "sigma_x", "sigma_y", "sigma_spatial", "low_sigma", "high_sigma", "truncate", "n_stds", "radius",
    "kernel_size", "win_size", "ksize", "patch_size", "patch_distance", "max_dist", "npad", "scale_range",
    "output_shape",
}  # fmt: skip
"""Parameters on which the size of a neighbourhood depends, and with it the time or the memory for each pixel."""

LIMITS: Mapping[str, float] = {
    **dict.fromkeys(_AREAS, 1e9),
    **dict.fromkeys(_LEVELS, 1e20),
    **dict.fromkeys(_WINDOWS, 2048),
    **dict.fromkeys(_EXTENTS, 512),
}
"""Largest number by the name of a parameter."""

PLAIN_TYPES = (bool, int, float, str, tuple, list, types.NoneType)


@functools.cache
def find(name: str) -> Filter:
    """Return the filter with a full name, such as ``skimage.filters.sobel_h``.

    Raises
    ------
    RecipeError
        If scikit-image has no such function, or its first parameter is not an image.
    """
    module_name, _, function_name = name.rpartition(".")
    if module_name not in MODULES:
        raise RecipeError(
            f"no filter is called {quote(name)}", f"use a function of {', '.join(MODULES[:-1])} or {MODULES[-1]}"
        )
    functions = _functions(importlib.import_module(module_name))
    if function_name not in functions:
        raise RecipeError(f"{module_name} has no function {quote(function_name)} that takes an image",
                          suggest_name(function_name, functions))  # fmt: skip
    if function_name in RESAMPLING:
        raise RecipeError(f"{name} changes the size of the image", "use the filter resize")
    declare = image_filter(tiles="no", libraries=(module_name,))
    return declare(_filter_function(name, functions[function_name]))


def _functions(module: types.ModuleType) -> dict[str, Callable[..., Any]]:
    public = {name: getattr(module, name) for name in module.__all__}
    return {name: function for name, function in public.items() if callable(function) and _takes_image(function)}


def _takes_image(function: Callable[..., Any]) -> bool:
    return inspect.isfunction(function) and next(iter(inspect.signature(function).parameters), "") == "image"


def _filter_function(name: str, function: Callable[..., Any]) -> Callable[..., Image]:
    """Wrap a function of scikit-image as a function of an `Image`, with its parameters as keywords."""
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
    """Return the parameters that a recipe may set: those without a default, or with plain data as the default."""
    rest = list(inspect.signature(function).parameters.values())[1:]
    return {
        each.name: each.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=_plain_type(each.name))
        for each in rest
        if each.kind in {each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY}
        and (each.default is each.empty or isinstance(each.default, PLAIN_TYPES))
        and each.name not in HIDDEN_PARAMETERS
    }


def _plain_type(name: str) -> object:
    """Return the type of a parameter: plain data whose numbers are within limits."""
    return Annotated[Any, BeforeValidator(functools.partial(_parse_plain, name))]


def _parse_plain(name: str, value: object) -> object:
    """Parse a text from the command line as a number, boolean, text or list, and check the numbers in it."""
    if isinstance(value, str):
        try:
            value = load_yaml(value)
        except RecipeError:
            raise ValueError("must be a number, boolean, text or list") from None
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = float(value)  # 1e9 is a text in YAML 1.1
    limit = LIMITS.get(name, MAX_NUMBER)
    if any(abs(number) > limit for number in _numbers(value)):
        raise ValueError(f"must be a number from -{limit:g} to {limit:g}, or contain only such")
    return value


def _numbers(value: object) -> Iterator[float]:
    """Iterate over all numbers in plain data."""
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, list | tuple | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _numbers(each)


def _apply(name: str, function: Callable[..., Any], plane: Pixels, given: Mapping[str, Any]) -> Pixels:
    """Filter (Y, X) or (Y, X, S), sample by sample if the function has no channel_axis; alpha stays."""
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
        raise FilterError(
            f"{name} returns a mask or labels, which cannot have alpha", f"add {Hint('filters', 'rgb2gray')} before it"
        )
    return np.concatenate([np.atleast_3d(colour), alpha], axis=-1)


def _call(name: str, function: Callable[..., Any], values: Pixels, given: Mapping[str, Any]) -> Pixels:
    """Call scikit-image on floats, with integers scaled to 0..1, and convert the result back to the dtype."""
    scale = full_scale(values.dtype)
    unit: Floats = np.divide(values, scale, dtype=None if values.dtype.kind == "f" else np.float64)
    try:
        result = np.asarray(function(unit, **given))
    except (TypeError, ValueError, AttributeError, ImportError, RuntimeError) as error:
        raise FilterError(f"{name}: {error}", f"`imgpool filters {name}` explains its parameters") from error
    if result.shape[:2] != values.shape[:2] or result.ndim != values.ndim:
        raise FilterError(f"{name} returns an array of shape {result.shape} for a plane of shape {values.shape}",
                          "use a function that preserves height and width")  # fmt: skip
    if result.dtype == bool:
        return np.where(result, np.uint8(255), np.uint8(0))
    if result.dtype.kind in "ui":
        return result.astype(np.min_scalar_type(int(result.max())), copy=False)
    return restore(result * scale, values.dtype)


def _help(name: str, function: Callable[..., Any]) -> str:
    return (
        f"{inspect.getdoc(function) or name}\n\n"
        "imgpool applies this function to each plane, as floats. Integers are scaled to 0..1 and back, and their data\n"
        "type is kept. A mask becomes uint8, 0 or 255; labels get the smallest unsigned type."
    )
