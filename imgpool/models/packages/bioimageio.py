"""Model descriptions of the bioimage.io specification, version 0.5.

https://github.com/bioimage-io/spec-bioimage-io, ``src/bioimageio/spec/model/v0_5.py``
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from imgpool.core.errors import RecipeError
from imgpool.core.model import ModelAxis, Operation, Size, SizeOf, Tensor
from imgpool.core.parameters import suggest_name
from imgpool.models.packages.fields import Fields, wrong
from imgpool.models.packages.operations import AxisDialect, check_dtype, dtype_after, ensure_dtype, operation
from imgpool.models.packages.tensors import Tensors, check_references

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
"""By the identity of the axis."""

TYPES = {"batch": "batch", "channel": "channel", "time": "time", "space": "x"}
"""The identity that an axis has if it does not say, by its type."""

MOST_CHANNELS = 10_000

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


@dataclass(frozen=True, slots=True)
class _Axis:
    """An axis as read, with its relative scale, and the axis it follows in letters and names."""

    axis: ModelAxis
    scale: float


def read_tensors(description: Fields) -> Tensors:
    """The inputs and outputs of a description.

    Raises
    ------
    RecipeError
        If something is missing, wrong, or not supported.
    """
    given = [(_name(each, "input"), each, _axes(each)) for each in description.mappings("inputs")]
    made = [(_name(each, "output"), each, _axes(each)) for each in description.mappings("outputs")]
    scales = {(name, each.axis.letter): each.scale for name, _, axes in given for each in axes}
    names = tuple(name for name, _, _ in given)
    inputs = tuple(_input(name, fields, _resolve(axes, scales), names) for name, fields, axes in given)
    outputs = tuple(_output(name, fields, _resolve(axes, scales), names) for name, fields, axes in made)
    check_references(inputs, outputs)
    tests = {
        test.text("source"): test.text("sha256", "")
        for _, fields, _ in (*given, *made)
        if (test := fields.inner("test_tensor")).values
    }
    return Tensors(inputs, outputs, tests)


def _input(name: str, fields: Fields, axes: tuple[ModelAxis, ...], inputs: tuple[str, ...]) -> Tensor:
    if fields.values.get("optional"):
        raise RecipeError(f"its input {name!r} is optional, which imgpool does not support", "export it without")
    dtype = _dtype(fields)
    operations = _operations(fields, "preprocessing", axes, inputs)
    if not operations or operations[0].name != "ensure_dtype":
        operations = (ensure_dtype(dtype), *operations)
    return Tensor(name, axes, dtype, operations, fields.inner("test_tensor").text("source", ""))


def _output(name: str, fields: Fields, axes: tuple[ModelAxis, ...], inputs: tuple[str, ...]) -> Tensor:
    dtype = _dtype(fields)
    operations = _operations(fields, "postprocessing", axes, inputs)
    if not dtype_after(operations) and (not operations or operations[-1].name != "binarize"):
        operations = (*operations, ensure_dtype(dtype))
    return Tensor(name, axes, dtype, operations, fields.inner("test_tensor").text("source", ""))


def _name(fields: Fields, default: str) -> str:
    return fields.text("id", default)


def _dtype(fields: Fields) -> str:
    """Of the values as the description has them; what differs among channels does not concern the type."""
    values = fields.values.get("data")
    data = Fields.of(values[0] if isinstance(values, list) and values else values, fields.at("data"))
    return check_dtype(data.text("type", "uint8" if "values" in data else "float32"), data.at("type"))


def _operations(
    fields: Fields, key: str, axes: tuple[ModelAxis, ...], inputs: tuple[str, ...]
) -> tuple[Operation, ...]:
    letters = "".join(axis.letter for axis in axes)

    def axis_letter(value: object, place: str) -> str:
        if not isinstance(value, str) or LETTERS.get(value, "?") not in letters:
            raise wrong(place, f"an axis of the tensor ({letters})", value)
        return LETTERS[value]

    def axes_letters(value: object, place: str) -> str:
        if not isinstance(value, list) or not value:
            raise wrong(place, "a list of axes", value)
        return "".join(axis_letter(each, place) for each in value)

    tongue = AxisDialect(letters, axes_letters, axis_letter, inputs)
    return tuple(operation(each.text("id"), each.inner("kwargs"), tongue) for each in fields.mappings(key))


def _axes(fields: Fields) -> list[_Axis]:
    axes = [_axis(each) for each in fields.mappings("axes")]
    letters = [each.axis.letter for each in axes]
    if not axes or len(set(letters)) < len(letters):
        raise RecipeError(f"its {fields.at('axes')} are {', '.join(letters) or 'missing'}; each has to stand once")
    return axes


def _axis(fields: Fields) -> _Axis:
    kind = fields.text("type")
    identity = fields.text("id", TYPES.get(kind, ""))
    if kind == "index":
        raise RecipeError(f"its {fields.place} is an index axis, which imgpool does not support", "use another output")
    if kind not in TYPES:
        raise RecipeError(f"its {fields.place} is of the unknown type {kind!r}", suggest_name(kind, TYPES))
    letter = LETTERS.get(identity, "")
    if letter not in {"batch": "B", "channel": "C", "time": "T", "space": "ZYX"}[kind] or not letter:
        raise RecipeError(f"its {fields.place} is a {kind} axis called {identity!r}, which imgpool cannot place")
    halo = fields.whole("halo", 0, 0)
    if letter == "B":
        return _Axis(ModelAxis("B", Size(fields.whole("size", 1, 1), 0 if "size" in fields else 1)), 1.0)
    if letter == "C":
        return _Axis(_channels(fields), 1.0)
    scale = fields.number("scale", 1.0)
    if scale <= 0:
        raise wrong(fields.at("scale"), "more than 0", scale)
    unit = fields.text("unit", "")
    micrometres = scale * MICROMETRES[unit] if letter in "ZYX" and unit in MICROMETRES else None
    return _Axis(ModelAxis(letter, _size(fields), halo, scale=micrometres), scale)


def _channels(fields: Fields) -> ModelAxis:
    names = fields.values.get("channel_names")
    if names is None or isinstance(names, str):
        count = fields.whole("size", 1)
        if count > MOST_CHANNELS:
            raise wrong(fields.at("size"), f"{MOST_CHANNELS} or less", count)
        pattern = names or ""
        return ModelAxis("C", Size(count), names=tuple(pattern.replace("{i}", str(i)) for i in range(count) if pattern))
    texts = tuple(fields.texts("channel_names"))
    if not texts:
        raise wrong(fields.at("channel_names"), "a list of names", names)
    return ModelAxis("C", Size(len(texts)), names=texts)


def _size(fields: Fields) -> Size | SizeOf:
    value = fields.values.get("size")
    if not isinstance(value, dict):
        return Size(fields.whole("size", 1))
    size = fields.inner("size")
    if "tensor_id" in size:
        letter = LETTERS.get(size.text("axis_id"), "")
        if not letter:
            raise wrong(size.at("axis_id"), "the name of an axis", value["axis_id"])
        return SizeOf(size.text("tensor_id"), letter, offset=size.number("offset", 0))
    if "step" not in size:
        raise RecipeError(f"its {size.place} depends on the data, which imgpool does not support", "use another output")
    return Size(size.whole("min", 1), size.whole("step", 0))


def _resolve(axes: list[_Axis], scales: Mapping[tuple[str, str], float]) -> tuple[ModelAxis, ...]:
    """The axes; those that follow another with the ratio of the scales: coarse pixels make a short axis."""
    return tuple(_follow(each, scales) for each in axes)


def _follow(each: _Axis, scales: Mapping[tuple[str, str], float]) -> ModelAxis:
    size: Any = each.axis.size
    if isinstance(size, Size):
        return each.axis
    return replace(each.axis, size=replace(size, scale=scales.get((size.tensor, size.letter), 1.0) / each.scale))
