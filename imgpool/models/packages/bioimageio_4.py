"""Model descriptions of the bioimage.io specification, version 0.4, in the words of 0.5.

https://github.com/bioimage-io/spec-bioimage-io, ``src/bioimageio/spec/model/v0_4.py``
"""

from collections.abc import Mapping
from typing import Any

from imgpool.core.errors import RecipeError
from imgpool.core.model import ModelAxis, Operation, Size, SizeOf, Tensor
from imgpool.models.packages.fields import Fields, wrong
from imgpool.models.packages.operations import AxisDialect, check_dtype, dtype_after, ensure_dtype, operation
from imgpool.models.packages.tensors import Tensors, check_references

LETTERS = "BTCZYX"
FROM_STATISTICS = {"zero_mean_unit_variance", "scale_range", "scale_mean_variance"}


def read_tensors(description: Fields) -> Tensors:
    """The inputs and outputs of a description.

    Raises
    ------
    RecipeError
        If something is missing, wrong, or not supported.
    """
    if "run_mode" in description:
        name = description.inner("run_mode").text("name", "?")
        raise RecipeError(f"it asks for the run mode {name!r}, which imgpool does not have", "use a model without")
    given, made = list(description.mappings("inputs")), list(description.mappings("outputs"))
    names = tuple(each.text("name") for each in given)
    tests = _tests(description, "test_inputs", given), _tests(description, "test_outputs", made)
    inputs = tuple(_input(each, names, test) for each, test in zip(given, tests[0], strict=True))
    known = {tensor.name: tensor for tensor in inputs}
    outputs = tuple(_output(each, names, test, known) for each, test in zip(made, tests[1], strict=True))
    check_references(inputs, outputs)
    return Tensors(inputs, outputs, {test: "" for part in tests for test in part if test})


def _input(fields: Fields, inputs: tuple[str, ...], test: str) -> Tensor:
    letters = _letters(fields)
    sizes = _input_sizes(fields, len(letters))
    for letter, size in zip(letters, sizes, strict=True):
        if letter == "B" and size != Size(1):
            raise wrong(fields.at("shape"), "1 along the batch axis", fields.values["shape"])
    axes = tuple(ModelAxis(letter, size) for letter, size in zip(letters, sizes, strict=True))
    dtype = check_dtype(fields.text("data_type", "float32"), fields.at("data_type"))
    operations = (ensure_dtype(dtype), *_operations(fields, "preprocessing", letters, inputs))
    if len(operations) > 1:
        operations = (*operations, ensure_dtype("float32"))
    return Tensor(fields.text("name"), axes, dtype, operations, test)


def _output(fields: Fields, inputs: tuple[str, ...], test: str, known: Mapping[str, Tensor]) -> Tensor:
    letters = _letters(fields)
    sizes = _output_sizes(fields, letters, known)
    halos = fields.wholes("halo", len(letters), 0) if "halo" in fields else [0] * len(letters)
    axes = tuple(ModelAxis(*each) for each in zip(letters, sizes, halos, strict=True))
    dtype = check_dtype(fields.text("data_type", "float32"), fields.at("data_type"))
    operations = _operations(fields, "postprocessing", letters, inputs)
    if not dtype_after(operations) and (not operations or operations[-1].name != "binarize"):
        operations = (*operations, ensure_dtype(dtype))
    return Tensor(fields.text("name"), axes, dtype, operations, test)


def _tests(description: Fields, key: str, tensors: list[Fields]) -> list[str]:
    """The names of the test arrays, one for each tensor; empty where none are given."""
    names = description.texts(key) or [""] * len(tensors)
    if len(names) != len(tensors):
        raise RecipeError(f"its {key} are {len(names)} for {len(tensors)} tensors")
    return names


def _letters(fields: Fields) -> str:
    axes = fields.text("axes")
    letters = axes.upper()
    if "I" in letters:
        raise RecipeError(f"its {fields.at('axes')} has an index axis (i), which imgpool does not support")
    if not letters or set(letters) - set(LETTERS) or len(set(letters)) < len(letters):
        raise wrong(fields.at("axes"), f"letters of {LETTERS.lower()}, each once", axes)
    return letters


def _input_sizes(fields: Fields, count: int) -> list[Size]:
    if isinstance(fields.values.get("shape"), list):
        return [Size(each) for each in fields.wholes("shape", count, 1)]
    shape = fields.inner("shape")
    pairs = zip(shape.wholes("min", count, 1), shape.wholes("step", count, 0), strict=True)
    return [Size(least, step) for least, step in pairs]


def _output_sizes(fields: Fields, letters: str, known: Mapping[str, Tensor]) -> list[Size | SizeOf]:
    if isinstance(fields.values.get("shape"), list):
        return [Size(each) for each in fields.wholes("shape", len(letters), 1)]
    shape = fields.inner("shape")
    name = shape.text("reference_tensor")
    if name not in known:
        raise RecipeError(f"its {shape.at('reference_tensor')} is no input: {name!r}")
    scales, offsets = shape.items("scale"), shape.numbers("offset")
    if not isinstance(offsets, tuple) or not len(scales) == len(offsets) == len(letters):
        raise wrong(shape.place, "one scale and one offset for each axis", shape.values)
    numbers = [Fields({"scale": scale}, shape.place).number("scale", 0.0) for scale in scales]
    pairs = zip(letters, numbers, offsets, strict=True)
    return [_follow(letter, known[name], scale, 2 * offset, shape.place) for letter, scale, offset in pairs]


def _follow(letter: str, reference: Tensor, scale: float, offset: float, place: str) -> Size | SizeOf:
    """A length that follows the input's; along axes that are not space or time, worked out."""
    if scale == 0:
        return Size(_whole(offset, place))
    if letter in "TZYX":
        return SizeOf(reference.name, letter, scale, offset)
    found = next((axis.size for axis in reference.axes if axis.letter == letter), None)
    if not isinstance(found, Size):
        raise RecipeError(f"its {place} refers to the {letter} axis of {reference.name!r}, which has none")
    return Size(_whole(found.least * scale + offset, place), found.step)


def _whole(value: float, place: str) -> int:
    if value < 1 or value != int(value):
        raise wrong(place, "such that each axis has a whole length", value)
    return int(value)


def _operations(fields: Fields, key: str, letters: str, inputs: tuple[str, ...]) -> tuple[Operation, ...]:
    def axes_letters(value: object, place: str) -> str:
        if not isinstance(value, str) or not value or set(value.upper()) - set(letters):
            raise wrong(place, f"letters of {letters.lower()}", value)
        return value.upper()

    tongue = AxisDialect(letters, axes_letters, axes_letters, inputs)
    return tuple(_operation(each, letters, tongue) for each in fields.mappings(key))


def _operation(fields: Fields, letters: str, tongue: AxisDialect) -> Operation:
    name, kwargs = fields.text("name"), fields.inner("kwargs")
    mode = kwargs.text("mode", "fixed" if name == "zero_mean_unit_variance" else "per_sample")
    if mode == "per_dataset" and name in FROM_STATISTICS:
        raise RecipeError(
            f"its {name} is per dataset, which imgpool does not support: the results would depend on the other images",
            "use per_sample, or fixed values, in its description",
        )
    if name == "zero_mean_unit_variance" and mode == "fixed":
        return operation("fixed_zero_mean_unit_variance", _along(kwargs, letters), tongue)
    if mode not in {"per_sample", "per_dataset", "fixed"}:
        raise wrong(kwargs.at("mode"), "per_sample or fixed", mode)
    return operation(name, _along(kwargs, letters) if name == "scale_linear" else kwargs, tongue)


def _along(fields: Fields, letters: str) -> Fields:
    """Fields with ``axis`` in place of ``axes``: of those that are not taken together, there can only be one."""
    together = fields.text("axes", letters.lower()).upper()
    rest = [letter for letter in letters if letter not in {*together, "B"}]
    if len(rest) > 1:
        raise wrong(fields.at("axes"), "all axes but one", together.lower())
    values: dict[Any, Any] = dict(fields.values)
    return Fields(values | {"axis": rest[0] if rest else None}, fields.place)
