"""Processing before and after a model: the operations of bioimage.io, with every default spelled out.

https://github.com/bioimage-io/spec-bioimage-io, ``src/bioimageio/spec/model/v0_5.py``
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from imgpool.core.errors import RecipeError
from imgpool.core.model import Operation
from imgpool.core.parameters import suggest_name
from imgpool.models.packages.fields import Fields, wrong

EPS = 1e-6
DTYPES = (
    *("float32", "float64", "uint8", "int8", "uint16", "int16"),
    *("uint32", "int32", "uint64", "int64", "bool"),
)
FOREIGN = {
    "stardist_postprocessing": "the package stardist",
    "cellpose_flow_dynamics": "the package cellpose",
    "custom": "code that comes with the model",
}


@dataclass(frozen=True, slots=True)
class AxisDialect:
    """How one version of the specification writes axes.

    Attributes
    ----------
    letters
        The axes of the tensor: "BCYX".
    axes
        Reads the value of ``axes``: the letters of those that are taken together.
    axis
        Reads the value of ``axis``: the letter of the one along which values differ.
    inputs
        The names of the input tensors.
    """

    letters: str
    axes: Callable[[object, str], str]
    axis: Callable[[object, str], str]
    inputs: tuple[str, ...]


def operation(name: str, fields: Fields, tongue: AxisDialect) -> Operation:
    """One step of processing, checked.

    Raises
    ------
    RecipeError
        If imgpool does not have it, or a parameter does not fit.
    """
    if name in FOREIGN:
        hint = "use a model whose output needs none of it, or take the step out of its description"
        raise RecipeError(f"it asks for {name!r} ({fields.place}), which needs {FOREIGN[name]}", hint)
    if name not in READERS:
        raise RecipeError(
            f"it asks for {name!r} ({fields.place}), which imgpool does not have", suggest_name(name, READERS)
        )
    return Operation(name, READERS[name](fields, tongue))


def ensure_dtype(dtype: str) -> Operation:
    """The operation that makes a tensor this type."""
    return Operation("ensure_dtype", {"dtype": dtype})


def dtype_after(operations: tuple[Operation, ...]) -> str:
    """The type that the last operation gives for certain; empty if it does not say."""
    last = operations[-1] if operations else None
    return str(last.parameters["dtype"]) if last and last.name == "ensure_dtype" else ""


def check_dtype(value: str, place: str) -> str:
    """A type that tensors can have."""
    if value not in DTYPES:
        raise RecipeError(f"its {place} is {value!r}, which is no type of a tensor", suggest_name(value, DTYPES))
    return value


def _no_parameters(_fields: Fields, _tongue: AxisDialect) -> Mapping[str, Any]:
    return {}


def _dtype(fields: Fields, _tongue: AxisDialect) -> Mapping[str, Any]:
    return {"dtype": check_dtype(fields.text("dtype"), fields.at("dtype"))}


def _binarize(fields: Fields, tongue: AxisDialect) -> Mapping[str, Any]:
    return _along(fields, tongue, threshold=fields.numbers("threshold"))


def _scale_linear(fields: Fields, tongue: AxisDialect) -> Mapping[str, Any]:
    return _along(fields, tongue, gain=fields.numbers("gain", 1.0), offset=fields.numbers("offset", 0.0))


def _fixed_zero_mean_unit_variance(fields: Fields, tongue: AxisDialect) -> Mapping[str, Any]:
    std = fields.numbers("std")
    if min(std if isinstance(std, tuple) else (std,)) < EPS:
        raise wrong(fields.at("std"), f"{EPS} or more", std)
    return _along(fields, tongue, mean=fields.numbers("mean"), std=std)


def _clip(fields: Fields, tongue: AxisDialect) -> Mapping[str, Any]:
    ends = [key for key in ("min", "max") if fields.values.get(key) not in (None, math.inf, -math.inf)]
    found: dict[str, Any] = {key: fields.number(key) for key in ends}
    percentiles = [key for key in ("min_percentile", "max_percentile") if key in fields]
    found |= {key: _percentile(fields, key) for key in percentiles}
    if not found:
        raise RecipeError(f"its {fields.place} has neither min nor max")
    for end in ("min", "max"):
        if {end, f"{end}_percentile"} <= found.keys():
            raise RecipeError(f"its {fields.place} has both {end} and {end}_percentile")
    return found | (_together(fields, tongue) if percentiles else {})


def _softmax(fields: Fields, tongue: AxisDialect) -> Mapping[str, Any]:
    axis = tongue.axis(fields.values["axis"], fields.at("axis")) if "axis" in fields else "C"
    if axis not in tongue.letters:
        raise RecipeError(f"its {fields.place} goes along channels, of which the tensor has none")
    return {"axis": axis}


def _zero_mean_unit_variance(fields: Fields, tongue: AxisDialect) -> Mapping[str, Any]:
    return {"eps": _eps(fields)} | _together(fields, tongue)


def _scale_range(fields: Fields, tongue: AxisDialect) -> Mapping[str, Any]:
    low, high = _percentile(fields, "min_percentile", 0.0), _percentile(fields, "max_percentile", 100.0)
    if low >= high:
        raise wrong(fields.at("max_percentile"), f"more than min_percentile ({low:g})", high)
    found = {"min_percentile": low, "max_percentile": high, "eps": _eps(fields)} | _together(fields, tongue)
    return found | (_reference(fields, tongue) if "reference_tensor" in fields else {})


def _scale_mean_variance(fields: Fields, tongue: AxisDialect) -> Mapping[str, Any]:
    return {"eps": _eps(fields)} | _reference(fields, tongue) | _together(fields, tongue)


READERS: Mapping[str, Callable[[Fields, AxisDialect], Mapping[str, Any]]] = {
    "binarize": _binarize,
    "clip": _clip,
    "ensure_dtype": _dtype,
    "fixed_zero_mean_unit_variance": _fixed_zero_mean_unit_variance,
    "scale_linear": _scale_linear,
    "scale_mean_variance": _scale_mean_variance,
    "scale_range": _scale_range,
    "sigmoid": _no_parameters,
    "softmax": _softmax,
    "zero_mean_unit_variance": _zero_mean_unit_variance,
}


def _along(fields: Fields, tongue: AxisDialect, **values: float | tuple[float, ...]) -> dict[str, Any]:
    """Values that are one for all, or one for each entry along an axis; then all of them are as many."""
    count = max(len(value) if isinstance(value, tuple) else 1 for value in values.values())
    if count == 1:
        return {key: value[0] if isinstance(value, tuple) else value for key, value in values.items()}
    if "axis" not in fields:
        raise RecipeError(f"its {fields.place} has {count} values, and no axis along which they lie")
    spread = {key: value if isinstance(value, tuple) else (value,) * count for key, value in values.items()}
    for key, value in spread.items():
        if len(value) != count:
            raise wrong(fields.at(key), f"one number, or {count}", list(value))
    return spread | {"axis": tongue.axis(fields.values["axis"], fields.at("axis"))}


def _together(fields: Fields, tongue: AxisDialect) -> dict[str, Any]:
    """The axes taken together, in the order of the tensor; without them it is all."""
    if "axes" not in fields:
        return {}
    letters = tongue.axes(fields.values["axes"], fields.at("axes"))
    return {"axes": "".join(letter for letter in tongue.letters if letter in letters)}


def _reference(fields: Fields, tongue: AxisDialect) -> dict[str, Any]:
    name = fields.text("reference_tensor")
    if name not in tongue.inputs:
        raise RecipeError(
            f"its {fields.at('reference_tensor')} is no input: {name!r}", suggest_name(name, tongue.inputs)
        )
    return {"reference_tensor": name}


def _eps(fields: Fields) -> float:
    eps = fields.number("eps", EPS)
    if not 0 < eps <= 0.1:  # noqa: PLR2004 - as the specification has it
        raise wrong(fields.at("eps"), "more than 0, and 0.1 at most", eps)
    return eps


def _percentile(fields: Fields, key: str, default: float | None = None) -> float:
    value = fields.number(key, default)
    if not 0 <= value <= 100:  # noqa: PLR2004 - percent
        raise wrong(fields.at(key), "between 0 and 100", value)
    return value
