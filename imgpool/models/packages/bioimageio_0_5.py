"""Model descriptions of the bioimage.io specification, version 0.5.

https://github.com/bioimage-io/spec-bioimage-io, ``src/bioimageio/spec/model/v0_5.py``
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from imgpool.core.errors import RecipeError
from imgpool.core.model import ModelAxis, Operation, Size, SizeReference, Tensor
from imgpool.core.parameters import suggest_name
from imgpool.models.packages.fields import Fields, invalid_value
from imgpool.models.packages.operations import (
    AxisDialect,
    check_dtype,
    ensure_dtype,
    parse_operation,
    with_output_dtype,
)
from imgpool.models.packages.tensors import Tensors, check_tensors

LETTERS = {
    "batch": "B",
    "b": "B",
    "channel": "C",
    "c": "C",
    "time": "T",
    "t": "T",
    "z": "Z",
    "y": "Y",
    "x": "X",
}
"""Letters of axes, by their ``id``."""

DEFAULT_IDS = {"batch": "batch", "channel": "channel", "time": "time", "space": "x"}
"""The ``id`` of an axis that has none, by its type."""

LETTERS_OF_TYPE = {"batch": "B", "channel": "C", "time": "T", "space": "ZYX"}

MAX_CHANNELS = 10_000

MICROMETRES = {
    "angstrom": 1e-4,
    "centimeter": 1e4,
    "inch": 25_400.0,
    "meter": 1e6,
    "micrometer": 1.0,
    "millimeter": 1e3,
    "nanometer": 1e-3,
    "picometer": 1e-6,
}

Scales = Mapping[tuple[str, str], float]
"""Scales of input axes, by the tensor's name and the axis' letter."""


@dataclass(frozen=True, slots=True)
class _ScaledAxis:
    """An axis as declared, and its scale: a `SizeReference` still lacks the ratio of the scales."""

    axis: ModelAxis
    scale: float = 1.0


def read_tensors(description: Fields) -> Tensors:
    """Read the inputs and outputs of a description.

    Raises
    ------
    RecipeError
        If anything is missing, wrong or not supported.
    """
    declared_inputs = list(description.mappings("inputs"))
    declared_outputs = list(description.mappings("outputs"))
    input_names = tuple(each.text("id", "input") for each in declared_inputs)
    input_axes = [_read_axes(each) for each in declared_inputs]
    scales = {
        (name, each.axis.letter): each.scale
        for name, axes in zip(input_names, input_axes, strict=True)
        for each in axes
    }
    inputs = tuple(
        _read_input(fields, _resolve_sizes(axes, scales), input_names)
        for fields, axes in zip(declared_inputs, input_axes, strict=True)
    )
    outputs = tuple(
        _read_output(fields, _resolve_sizes(_read_axes(fields), scales), input_names) for fields in declared_outputs
    )
    check_tensors(inputs, outputs)
    return Tensors(inputs, outputs, _test_hashes(declared_inputs + declared_outputs))


def _test_hashes(declared: list[Fields]) -> dict[str, str]:
    tests = [fields.mapping("test_tensor") for fields in declared]
    return {test.text("source"): test.text("sha256", "") for test in tests if test.values}


def _read_input(fields: Fields, axes: tuple[ModelAxis, ...], input_names: tuple[str, ...]) -> Tensor:
    name = fields.text("id", "input")
    if fields.values.get("optional"):
        raise RecipeError(
            f"its input {name!r} is optional, which imgpool does not support", "export the model without this input"
        )
    dtype = _read_dtype(fields)
    operations = _read_operations(fields, "preprocessing", axes, input_names)
    if not operations or operations[0].name != "ensure_dtype":
        operations = (ensure_dtype(dtype), *operations)
    return Tensor(name, axes, dtype, operations, fields.mapping("test_tensor").text("source", ""))


def _read_output(fields: Fields, axes: tuple[ModelAxis, ...], input_names: tuple[str, ...]) -> Tensor:
    name, dtype = fields.text("id", "output"), _read_dtype(fields)
    operations = with_output_dtype(_read_operations(fields, "postprocessing", axes, input_names), dtype)
    return Tensor(name, axes, dtype, operations, fields.mapping("test_tensor").text("source", ""))


def _read_dtype(fields: Fields) -> str:
    """The declared dtype; a list has one entry per channel, of which the first counts."""
    values = fields.values.get("data")
    data = Fields.of(values[0] if isinstance(values, list) and values else values, fields.path_to("data"))
    return check_dtype(data.text("type", "uint8" if "values" in data else "float32"), data.path_to("type"))


def _read_operations(
    fields: Fields, key: str, axes: tuple[ModelAxis, ...], input_names: tuple[str, ...]
) -> tuple[Operation, ...]:
    letters = "".join(axis.letter for axis in axes)

    def parse_axis(value: object, path: str) -> str:
        if not isinstance(value, str) or LETTERS.get(value, "?") not in letters:
            raise invalid_value(path, f"an axis of the tensor ({letters})", value)
        return LETTERS[value]

    def parse_axes(value: object, path: str) -> str:
        if not isinstance(value, list) or not value:
            raise invalid_value(path, "a list of axes", value)
        return "".join(parse_axis(each, path) for each in value)

    dialect = AxisDialect(letters, parse_axes, parse_axis, input_names)
    return tuple(parse_operation(each.text("id"), each.mapping("kwargs"), dialect) for each in fields.mappings(key))


def _read_axes(fields: Fields) -> list[_ScaledAxis]:
    axes = [_read_axis(each) for each in fields.mappings("axes")]
    letters = [each.axis.letter for each in axes]
    if not axes:
        raise RecipeError(f"its {fields.path_to('axes')} are missing")
    if len(set(letters)) < len(letters):
        raise RecipeError(f"its {fields.path_to('axes')} are {', '.join(letters)}: each axis must appear once")
    return axes


def _read_axis(fields: Fields) -> _ScaledAxis:
    letter = _read_letter(fields)
    halo = fields.integer("halo", 0, 0)
    if letter == "B":
        return _ScaledAxis(ModelAxis("B", Size(fields.integer("size", 1, 1), 0 if "size" in fields else 1)))
    if letter == "C":
        return _ScaledAxis(_read_channel_axis(fields))
    scale = fields.number("scale", 1.0)
    if scale <= 0:
        raise invalid_value(fields.path_to("scale"), "more than 0", scale)
    unit = fields.text("unit", "")
    pixel_size = scale * MICROMETRES[unit] if letter in "ZYX" and unit in MICROMETRES else None
    return _ScaledAxis(ModelAxis(letter, _read_size(fields), halo, pixel_size=pixel_size), scale)


def _read_letter(fields: Fields) -> str:
    type_ = fields.text("type")
    identity = fields.text("id", DEFAULT_IDS.get(type_, ""))
    if type_ == "index":
        raise RecipeError(f"its {fields.path} is an index axis, which imgpool does not support", "use another output")
    if type_ not in LETTERS_OF_TYPE:
        raise RecipeError(f"its {fields.path} is of the unknown type {type_!r}", suggest_name(type_, LETTERS_OF_TYPE))
    letter = LETTERS.get(identity, "")
    if not letter or letter not in LETTERS_OF_TYPE[type_]:
        raise RecipeError(f"its {fields.path} is a {type_} axis called {identity!r}, which imgpool does not know")
    return letter


def _read_channel_axis(fields: Fields) -> ModelAxis:
    names = fields.values.get("channel_names")
    if names is None or isinstance(names, str):
        return _read_numbered_channels(fields, pattern=names or "")
    texts = tuple(fields.texts("channel_names"))
    if not texts:
        raise invalid_value(fields.path_to("channel_names"), "a list of names", names)
    return ModelAxis("C", Size(len(texts)), channel_names=texts)


def _read_numbered_channels(fields: Fields, pattern: str) -> ModelAxis:
    count = fields.integer("size", 1)
    if count > MAX_CHANNELS:
        raise invalid_value(fields.path_to("size"), f"{MAX_CHANNELS} or less", count)
    names = tuple(pattern.replace("{i}", str(index)) for index in range(count) if pattern)
    return ModelAxis("C", Size(count), channel_names=names)


def _read_size(fields: Fields) -> Size | SizeReference:
    value = fields.values.get("size")
    if not isinstance(value, dict):
        return Size(fields.integer("size", 1))
    size = fields.mapping("size")
    if "tensor_id" in size:
        letter = LETTERS.get(size.text("axis_id"), "")
        if not letter:
            raise invalid_value(size.path_to("axis_id"), "the id of an axis", value["axis_id"])
        return SizeReference(size.text("tensor_id"), letter, offset=size.number("offset", 0))
    if "step" not in size:
        raise RecipeError(f"its {size.path} depends on the data, which imgpool does not support", "use another output")
    return Size(size.integer("min", 1), size.integer("step", 0))


def _resolve_sizes(axes: list[_ScaledAxis], scales: Scales) -> tuple[ModelAxis, ...]:
    """Complete size references with the ratio of the scales: coarser pixels make a shorter axis."""
    return tuple(_resolve_size(each, scales) for each in axes)


def _resolve_size(each: _ScaledAxis, scales: Scales) -> ModelAxis:
    size = each.axis.size
    if isinstance(size, Size):
        return each.axis
    reference_scale = scales.get((size.tensor, size.letter), 1.0)
    return replace(each.axis, size=replace(size, scale=reference_scale / each.scale))
