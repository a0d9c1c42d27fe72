"""Pre- and postprocessing in descriptions: the operations of bioimage.io, with all defaults filled in.

https://github.com/bioimage-io/spec-bioimage-io, ``src/bioimageio/spec/model/v0_5.py``
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from imgpool.core.errors import RecipeError
from imgpool.core.model import Operation
from imgpool.core.parameters import suggest_name
from imgpool.models.packages.fields import Fields, Numbers, invalid_value

DEFAULT_EPS = 1e-6
"""Added to divisors; default and limit are those of the specification."""

MAX_EPS = 0.1
MIN_STD = 1e-6
MAX_PERCENT = 100

DTYPES = (
    *("float32", "float64", "uint8", "int8", "uint16", "int16"),
    *("uint32", "int32", "uint64", "int64", "bool"),
)
UNSUPPORTED = {
    "stardist_postprocessing": "the package stardist",
    "cellpose_flow_dynamics": "the package cellpose",
    "custom": "code that comes with the model",
}
"""Operations that need more than the description, and what they need."""


@dataclass(frozen=True, slots=True)
class AxisDialect:
    """How one version of the specification writes axes.

    Attributes
    ----------
    tensor_letters
        The axes of the tensor: "BCYX".
    parse_axes
        Reads ``axes``, given its value and its path; returns the letters of the axes that a statistic covers.
    parse_axis
        Reads ``axis``, given its value and its path; returns the letter of the axis with one value per entry.
    input_names
        Names of the input tensors.
    """

    tensor_letters: str
    parse_axes: Callable[[object, str], str]
    parse_axis: Callable[[object, str], str]
    input_names: tuple[str, ...]


def parse_operation(name: str, fields: Fields, dialect: AxisDialect) -> Operation:
    """Read and check one step of processing.

    Raises
    ------
    RecipeError
        If the operation is not supported, or a parameter is missing or wrong.
    """
    if name in UNSUPPORTED:
        raise RecipeError(
            f"its {fields.path} asks for {name!r}, which needs {UNSUPPORTED[name]}",
            "use a model whose output does not need it, or remove this step from the description",
        )
    if name not in PARSERS:
        raise RecipeError(
            f"its {fields.path} asks for {name!r}, which imgpool does not support", suggest_name(name, PARSERS)
        )
    return Operation(name, PARSERS[name](fields, dialect))


def ensure_dtype(dtype: str) -> Operation:
    """Make the operation that converts a tensor to `dtype`."""
    return Operation("ensure_dtype", {"dtype": dtype})


def final_dtype(operations: tuple[Operation, ...]) -> str:
    """The dtype that the last operation sets; empty if it does not set one."""
    last = operations[-1] if operations else None
    return str(last.parameters["dtype"]) if last and last.name == "ensure_dtype" else ""


def with_output_dtype(operations: tuple[Operation, ...], dtype: str) -> tuple[Operation, ...]:
    """Add a conversion to `dtype` after postprocessing, unless the last step determines the dtype."""
    if final_dtype(operations) or (operations and operations[-1].name == "binarize"):
        return operations
    return (*operations, ensure_dtype(dtype))


def check_dtype(value: str, path: str) -> str:
    """Return the dtype; raise `RecipeError` if tensors cannot have it."""
    if value not in DTYPES:
        raise RecipeError(f"its {path} is {value!r}, which is not a dtype of tensors", suggest_name(value, DTYPES))
    return value


def _no_parameters(_fields: Fields, _dialect: AxisDialect) -> Mapping[str, Any]:
    return {}


def _parse_ensure_dtype(fields: Fields, _dialect: AxisDialect) -> Mapping[str, Any]:
    return {"dtype": check_dtype(fields.text("dtype"), fields.path_to("dtype"))}


def _parse_binarize(fields: Fields, dialect: AxisDialect) -> Mapping[str, Any]:
    return _per_entry(fields, dialect, threshold=fields.numbers("threshold"))


def _parse_scale_linear(fields: Fields, dialect: AxisDialect) -> Mapping[str, Any]:
    return _per_entry(fields, dialect, gain=fields.numbers("gain", 1.0), offset=fields.numbers("offset", 0.0))


def _parse_fixed_zero_mean_unit_variance(fields: Fields, dialect: AxisDialect) -> Mapping[str, Any]:
    std = fields.numbers("std")
    if min(std if isinstance(std, tuple) else (std,)) < MIN_STD:
        raise invalid_value(fields.path_to("std"), f"{MIN_STD} or more", std)
    return _per_entry(fields, dialect, mean=fields.numbers("mean"), std=std)


def _parse_clip(fields: Fields, dialect: AxisDialect) -> Mapping[str, Any]:
    limits = {key: fields.number(key) for key in ("min", "max") if _is_limited(fields, key)}
    percentiles = {key: _parse_percentile(fields, key) for key in ("min_percentile", "max_percentile") if key in fields}
    if not limits and not percentiles:
        raise RecipeError(f"its {fields.path} has neither min nor max")
    for key in limits:
        if f"{key}_percentile" in percentiles:
            raise RecipeError(f"its {fields.path} has both {key} and {key}_percentile")
    return limits | percentiles | (_parse_axes(fields, dialect) if percentiles else {})


def _is_limited(fields: Fields, key: str) -> bool:
    return fields.values.get(key) not in (None, math.inf, -math.inf)


def _parse_softmax(fields: Fields, dialect: AxisDialect) -> Mapping[str, Any]:
    axis = dialect.parse_axis(fields.values["axis"], fields.path_to("axis")) if "axis" in fields else "C"
    if axis not in dialect.tensor_letters:
        raise RecipeError(f"its {fields.path} is computed along channels, but the tensor has no channel axis")
    return {"axis": axis}


def _parse_zero_mean_unit_variance(fields: Fields, dialect: AxisDialect) -> Mapping[str, Any]:
    return {"eps": _parse_eps(fields)} | _parse_axes(fields, dialect)


def _parse_scale_range(fields: Fields, dialect: AxisDialect) -> Mapping[str, Any]:
    low, high = _parse_percentile(fields, "min_percentile", 0.0), _parse_percentile(fields, "max_percentile", 100.0)
    if low >= high:
        raise invalid_value(fields.path_to("max_percentile"), f"more than min_percentile ({low:g})", high)
    parameters = {"min_percentile": low, "max_percentile": high, "eps": _parse_eps(fields)}
    reference = _parse_reference(fields, dialect) if "reference_tensor" in fields else {}
    return parameters | _parse_axes(fields, dialect) | reference


def _parse_scale_mean_variance(fields: Fields, dialect: AxisDialect) -> Mapping[str, Any]:
    return {"eps": _parse_eps(fields)} | _parse_reference(fields, dialect) | _parse_axes(fields, dialect)


PARSERS: Mapping[str, Callable[[Fields, AxisDialect], Mapping[str, Any]]] = {
    "binarize": _parse_binarize,
    "clip": _parse_clip,
    "ensure_dtype": _parse_ensure_dtype,
    "fixed_zero_mean_unit_variance": _parse_fixed_zero_mean_unit_variance,
    "scale_linear": _parse_scale_linear,
    "scale_mean_variance": _parse_scale_mean_variance,
    "scale_range": _parse_scale_range,
    "sigmoid": _no_parameters,
    "softmax": _parse_softmax,
    "zero_mean_unit_variance": _parse_zero_mean_unit_variance,
}


def _per_entry(fields: Fields, dialect: AxisDialect, **values: Numbers) -> dict[str, Any]:
    """Give all values the same length: one number for all entries, or one for each entry of an axis."""
    count = max((len(value) for value in values.values() if isinstance(value, tuple)), default=1)
    if count == 1:
        return {key: value[0] if isinstance(value, tuple) else value for key, value in values.items()}
    if "axis" not in fields:
        raise RecipeError(f"its {fields.path} has {count} values, but no axis for them")
    repeated = {key: _repeat(value, count, fields.path_to(key)) for key, value in values.items()}
    return repeated | {"axis": dialect.parse_axis(fields.values["axis"], fields.path_to("axis"))}


def _repeat(value: Numbers, count: int, path: str) -> tuple[float, ...]:
    if not isinstance(value, tuple):
        return (value,) * count
    if len(value) != count:
        raise invalid_value(path, f"one number, or {count}", list(value))
    return value


def _parse_axes(fields: Fields, dialect: AxisDialect) -> dict[str, Any]:
    """The axes of a statistic, in the order of the tensor; empty for all axes."""
    if "axes" not in fields:
        return {}
    letters = dialect.parse_axes(fields.values["axes"], fields.path_to("axes"))
    return {"axes": "".join(letter for letter in dialect.tensor_letters if letter in letters)}


def _parse_reference(fields: Fields, dialect: AxisDialect) -> dict[str, Any]:
    name = fields.text("reference_tensor")
    if name not in dialect.input_names:
        path = fields.path_to("reference_tensor")
        raise RecipeError(f"its {path} is {name!r}, which is not an input", suggest_name(name, dialect.input_names))
    return {"reference_tensor": name}


def _parse_eps(fields: Fields) -> float:
    eps = fields.number("eps", DEFAULT_EPS)
    if not 0 < eps <= MAX_EPS:
        raise invalid_value(fields.path_to("eps"), f"more than 0 and at most {MAX_EPS}", eps)
    return eps


def _parse_percentile(fields: Fields, key: str, default: float | None = None) -> float:
    value = fields.number(key, default)
    if not 0 <= value <= MAX_PERCENT:
        raise invalid_value(fields.path_to(key), "between 0 and 100", value)
    return value
