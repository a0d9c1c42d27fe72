"""Model descriptions of the bioimage.io specification, version 0.4, converted to the terms of 0.5.

https://github.com/bioimage-io/spec-bioimage-io, ``src/bioimageio/spec/model/v0_4.py``
"""

from collections.abc import Mapping
from typing import Any

from imgpool.core.errors import RecipeError
from imgpool.core.model import ModelAxis, Operation, Size, SizeReference, Tensor
from imgpool.models.packages.fields import Fields, invalid_value
from imgpool.models.packages.operations import (
    AxisDialect,
    check_dtype,
    ensure_dtype,
    parse_operation,
    with_output_dtype,
)
from imgpool.models.packages.tensors import Tensors, check_tensors

LETTERS = "BTCZYX"
MODES = {"per_sample", "per_dataset", "fixed"}
STATISTICAL_OPERATIONS = {"zero_mean_unit_variance", "scale_range", "scale_mean_variance"}


def read_tensors(description: Fields) -> Tensors:
    """Read the inputs and outputs of a description.

    Raises
    ------
    RecipeError
        If anything is missing, wrong or not supported.
    """
    _check_run_mode(description)
    declared_inputs = list(description.mappings("inputs"))
    declared_outputs = list(description.mappings("outputs"))
    input_tests = _read_test_names(description, "test_inputs", len(declared_inputs))
    output_tests = _read_test_names(description, "test_outputs", len(declared_outputs))
    input_names = tuple(each.text("name") for each in declared_inputs)
    inputs = tuple(
        _read_input(each, input_names, test) for each, test in zip(declared_inputs, input_tests, strict=True)
    )
    outputs = tuple(_read_output(each, inputs, test) for each, test in zip(declared_outputs, output_tests, strict=True))
    check_tensors(inputs, outputs)
    return Tensors(inputs, outputs, {test: "" for test in (*input_tests, *output_tests) if test})


def _check_run_mode(description: Fields) -> None:
    if "run_mode" in description:
        name = description.mapping("run_mode").text("name", "?")
        raise RecipeError(
            f"it needs the run mode {name!r}, which imgpool does not support", "use a model without a run mode"
        )


def _read_test_names(description: Fields, key: str, count: int) -> list[str]:
    """Names of the test arrays, one per tensor; empty if none are given."""
    names = description.texts(key) or [""] * count
    if len(names) != count:
        raise RecipeError(f"its {key} has {len(names)} entries for {count} tensors")
    return names


def _read_input(fields: Fields, input_names: tuple[str, ...], test: str) -> Tensor:
    letters = _read_letters(fields)
    sizes = _read_input_sizes(fields, len(letters))
    for letter, size in zip(letters, sizes, strict=True):
        if letter == "B" and size != Size(1):
            raise invalid_value(fields.path_to("shape"), "1 along the batch axis", fields.values["shape"])
    axes = tuple(ModelAxis(letter, size) for letter, size in zip(letters, sizes, strict=True))
    dtype = check_dtype(fields.text("data_type", "float32"), fields.path_to("data_type"))
    operations = _read_operations(fields, "preprocessing", letters, input_names)
    if operations:
        operations = (*operations, ensure_dtype("float32"))
    return Tensor(fields.text("name"), axes, dtype, (ensure_dtype(dtype), *operations), test)


def _read_output(fields: Fields, inputs: tuple[Tensor, ...], test: str) -> Tensor:
    letters = _read_letters(fields)
    sizes = _read_output_sizes(fields, letters, {tensor.name: tensor for tensor in inputs})
    halos = fields.integers("halo", len(letters), 0) if "halo" in fields else [0] * len(letters)
    axes = tuple(ModelAxis(*each) for each in zip(letters, sizes, halos, strict=True))
    dtype = check_dtype(fields.text("data_type", "float32"), fields.path_to("data_type"))
    input_names = tuple(tensor.name for tensor in inputs)
    operations = with_output_dtype(_read_operations(fields, "postprocessing", letters, input_names), dtype)
    return Tensor(fields.text("name"), axes, dtype, operations, test)


def _read_letters(fields: Fields) -> str:
    axes = fields.text("axes")
    letters = axes.upper()
    if "I" in letters:
        raise RecipeError(f"its {fields.path_to('axes')} has an index axis (i), which imgpool does not support")
    if not letters or set(letters) - set(LETTERS) or len(set(letters)) < len(letters):
        raise invalid_value(fields.path_to("axes"), f"letters of {LETTERS.lower()}, each once", axes)
    return letters


def _read_input_sizes(fields: Fields, count: int) -> list[Size]:
    if isinstance(fields.values.get("shape"), list):
        return [Size(length) for length in fields.integers("shape", count, 1)]
    shape = fields.mapping("shape")
    pairs = zip(shape.integers("min", count, 1), shape.integers("step", count, 0), strict=True)
    return [Size(minimum, step) for minimum, step in pairs]


def _read_output_sizes(fields: Fields, letters: str, inputs: Mapping[str, Tensor]) -> list[Size | SizeReference]:
    if isinstance(fields.values.get("shape"), list):
        return [Size(length) for length in fields.integers("shape", len(letters), 1)]
    shape = fields.mapping("shape")
    name = shape.text("reference_tensor")
    if name not in inputs:
        raise RecipeError(f"its {shape.path_to('reference_tensor')} is {name!r}, which is not an input")
    scales, offsets = shape.sequence("scale"), shape.numbers("offset")
    if not isinstance(offsets, tuple) or not len(scales) == len(offsets) == len(letters):
        raise invalid_value(shape.path, "one scale and one offset for each axis", shape.values)
    numbers = [Fields({"scale": scale}, shape.path).number("scale", 0.0) for scale in scales]
    relations = zip(letters, numbers, offsets, strict=True)
    # version 0.4 adds the offset at each end
    return [_relative_size(inputs[name], letter, scale, 2 * offset, shape.path) for letter, scale, offset in relations]


def _relative_size(reference: Tensor, letter: str, scale: float, offset: float, path: str) -> Size | SizeReference:
    """The size of an axis relative to the input's; a fixed size for batch and channels."""
    if scale == 0:
        return Size(_whole_length(offset, path))
    if letter in "TZYX":
        return SizeReference(reference.name, letter, scale, offset)
    axis = reference.axis(letter)
    if axis is None or not isinstance(axis.size, Size):
        raise RecipeError(f"its {path} refers to the {letter} axis of {reference.name!r}, which does not exist")
    return Size(_whole_length(axis.size.minimum * scale + offset, path), axis.size.step)


def _whole_length(value: float, path: str) -> int:
    if value < 1 or value != int(value):
        raise invalid_value(path, "such that each axis has a whole length", value)
    return int(value)


def _read_operations(fields: Fields, key: str, letters: str, input_names: tuple[str, ...]) -> tuple[Operation, ...]:
    def parse_axes(value: object, path: str) -> str:
        if not isinstance(value, str) or not value or set(value.upper()) - set(letters):
            raise invalid_value(path, f"letters of {letters.lower()}", value)
        return value.upper()

    dialect = AxisDialect(letters, parse_axes, parse_axes, input_names)
    return tuple(_read_operation(each, dialect) for each in fields.mappings(key))


def _read_operation(fields: Fields, dialect: AxisDialect) -> Operation:
    name, kwargs = fields.text("name"), fields.mapping("kwargs")
    mode = kwargs.text("mode", "fixed" if name == "zero_mean_unit_variance" else "per_sample")
    if mode == "per_dataset" and name in STATISTICAL_OPERATIONS:
        raise RecipeError(
            f"its {name} is per_dataset, which imgpool does not support: results would depend on the other images",
            "use per_sample or fixed values in the description",
        )
    if name == "zero_mean_unit_variance" and mode == "fixed":
        return parse_operation("fixed_zero_mean_unit_variance", _axes_to_axis(kwargs, dialect), dialect)
    if mode not in MODES:
        raise invalid_value(kwargs.path_to("mode"), "per_sample or fixed", mode)
    return parse_operation(name, _axes_to_axis(kwargs, dialect) if name == "scale_linear" else kwargs, dialect)


def _axes_to_axis(fields: Fields, dialect: AxisDialect) -> Fields:
    """Replace ``axes`` (those that share a value) by ``axis`` (the one with a value per entry), as in 0.5."""
    letters = dialect.tensor_letters
    shared = fields.text("axes", letters.lower()).upper()
    rest = [letter for letter in letters if letter not in {*shared, "B"}]
    if len(rest) > 1:
        raise invalid_value(fields.path_to("axes"), "all axes but one", shared.lower())
    values: dict[Any, Any] = dict(fields.values)
    return Fields(values | {"axis": rest[0] if rest else None}, fields.path)
