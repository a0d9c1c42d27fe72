"""Descriptions in format 0.5: axes, lengths and operations."""

import pytest

from imgpool.core.errors import RecipeError
from imgpool.core.model import ModelAxis, Operation, Size, SizeReference
from imgpool.models.packages.bioimageio_0_5 import read_tensors
from imgpool.models.packages.fields import Fields

BATCH = {"type": "batch"}
CHANNEL = {"type": "channel", "channel_names": ["nuclei", "membrane"]}
Y = {"type": "space", "id": "y", "size": 64}
X = {"type": "space", "size": 64}
DEFAULT_EPS = 1e-6


def read(*, axes=(BATCH, CHANNEL, Y, X), output_axes=None, before=(), after=(), **values):
    input_ = {"axes": list(axes), "preprocessing": list(before)} | values
    output = {"axes": list(output_axes or axes), "postprocessing": list(after)}
    return read_tensors(Fields.of({"inputs": [input_], "outputs": [output]}))


def axis_of(axis):
    return read(axes=[axis], output_axes=[BATCH]).inputs[0].axes[0]


def output_axis(axis, source=Y):
    return read(axes=[BATCH, CHANNEL, source, X], output_axes=[axis]).outputs[0].axes[0]


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        ({"type": "batch"}, ModelAxis("B", Size(1, 1))),
        ({"type": "batch", "size": 1}, ModelAxis("B", Size(1))),
        (CHANNEL, ModelAxis("C", Size(2), channel_names=("nuclei", "membrane"))),
        ({"type": "channel", "channel_names": "c{i}", "size": 2}, ModelAxis("C", Size(2), channel_names=("c0", "c1"))),
        ({"type": "channel", "size": 3}, ModelAxis("C", Size(3))),
        ({"type": "time", "size": 5}, ModelAxis("T", Size(5))),
        ({"type": "space", "size": 5}, ModelAxis("X", Size(5))),
        ({"type": "space", "id": "z", "size": {"min": 16, "step": 8}}, ModelAxis("Z", Size(16, 8))),
        ({"type": "space", "size": 5, "unit": "micrometer", "scale": 0.65}, ModelAxis("X", Size(5), pixel_size=0.65)),
        ({"type": "space", "size": 5, "unit": "nanometer", "scale": 100}, ModelAxis("X", Size(5), pixel_size=0.1)),
        ({"type": "space", "size": 5, "scale": 100}, ModelAxis("X", Size(5))),
        ({"type": "time", "size": 5, "unit": "second", "scale": 3}, ModelAxis("T", Size(5))),
    ],
)  # fmt: skip
def test_input_axis_has_letter_length_names_and_pixel_size(axis, expected):
    found = axis_of(axis)
    assert found.pixel_size == pytest.approx(expected.pixel_size)
    assert (found.letter, found.size, found.channel_names) == (expected.letter, expected.size, expected.channel_names)


@pytest.mark.parametrize(
    ("axis", "source", "size", "halo"),
    [
        ({"size": {"tensor_id": "input", "axis_id": "y"}}, {}, SizeReference("input", "Y"), 0),
        ({"size": {"tensor_id": "input", "axis_id": "y"}, "halo": 16}, {}, SizeReference("input", "Y"), 16),
        ({"size": {"tensor_id": "input", "axis_id": "y", "offset": -6}}, {}, SizeReference("input", "Y", 1.0, -6.0), 0),
        ({"size": {"tensor_id": "input", "axis_id": "y"}, "scale": 2.0}, {}, SizeReference("input", "Y", 0.5), 0),
        (
            {"size": {"tensor_id": "input", "axis_id": "y"}, "scale": 0.25},
            {"scale": 0.5},
            SizeReference("input", "Y", 2.0),
            0,
        ),
        ({"size": {"tensor_id": "input", "axis_id": "x"}}, {}, SizeReference("input", "X"), 0),
        ({"size": 32}, {}, Size(32), 0),
    ],
    ids=["same", "halo", "offset", "coarser", "finer", "another axis", "fixed"],
)
def test_output_axis_has_its_length_relative_to_the_input(axis, source, size, halo):
    found = output_axis({"type": "space", "id": "y"} | axis, Y | source)
    assert (found.size, found.halo) == (size, halo)


def test_input_axis_may_be_relative_to_another_axis():
    x = {"type": "space", "size": {"tensor_id": "input", "axis_id": "y", "offset": -1}, "scale": 4}
    tensors = read(axes=[BATCH, CHANNEL, Y | {"scale": 2}, x], output_axes=[BATCH])
    assert tensors.inputs[0].axes[3].size == SizeReference("input", "Y", 0.5, -1.0)


def test_tensors_without_id_are_called_input_and_output():
    tensors = read()
    assert (tensors.inputs[0].name, tensors.outputs[0].name) == ("input", "output")
    assert tensors.inputs[0].letters == "BCYX"


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"id": "sigmoid"}, Operation("sigmoid")),
        ({"id": "softmax"}, Operation("softmax", {"axis": "C"})),
        ({"id": "softmax", "kwargs": {"axis": "channel"}}, Operation("softmax", {"axis": "C"})),
        ({"id": "ensure_dtype", "kwargs": {"dtype": "uint8"}}, Operation("ensure_dtype", {"dtype": "uint8"})),
        ({"id": "binarize", "kwargs": {"threshold": 0.5}}, Operation("binarize", {"threshold": 0.5})),
        (
            {"id": "binarize", "kwargs": {"threshold": [0.5, 1], "axis": "channel"}},
            Operation("binarize", {"threshold": (0.5, 1.0), "axis": "C"}),
        ),
        ({"id": "clip", "kwargs": {"min": 0, "max": 1}}, Operation("clip", {"min": 0.0, "max": 1.0})),
        ({"id": "clip", "kwargs": {"min": 0, "max": float("inf")}}, Operation("clip", {"min": 0.0})),
        (
            {"id": "clip", "kwargs": {"min_percentile": 1, "axes": ["x", "y"]}},
            Operation("clip", {"min_percentile": 1.0, "axes": "YX"}),
        ),
        ({"id": "scale_linear", "kwargs": {"gain": 2}}, Operation("scale_linear", {"gain": 2.0, "offset": 0.0})),
        (
            {"id": "scale_linear", "kwargs": {"gain": [2, 3], "offset": 1, "axis": "channel"}},
            Operation("scale_linear", {"gain": (2.0, 3.0), "offset": (1.0, 1.0), "axis": "C"}),
        ),
        ({"id": "zero_mean_unit_variance"}, Operation("zero_mean_unit_variance", {"eps": DEFAULT_EPS})),
        (
            {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["channel", "y", "x"], "eps": "1e-3"}},
            Operation("zero_mean_unit_variance", {"eps": 1e-3, "axes": "CYX"}),
        ),
        (
            {"id": "fixed_zero_mean_unit_variance", "kwargs": {"mean": 100, "std": 10}},
            Operation("fixed_zero_mean_unit_variance", {"mean": 100.0, "std": 10.0}),
        ),
        (
            {"id": "fixed_zero_mean_unit_variance", "kwargs": {"mean": [1, 2], "std": [3, 4], "axis": "channel"}},
            Operation("fixed_zero_mean_unit_variance", {"mean": (1.0, 2.0), "std": (3.0, 4.0), "axis": "C"}),
        ),
        (
            {"id": "scale_range"},
            Operation("scale_range", {"min_percentile": 0.0, "max_percentile": 100.0, "eps": DEFAULT_EPS}),
        ),
        (
            {"id": "scale_range", "kwargs": {"axes": ["y", "x"], "min_percentile": 5, "reference_tensor": "input"}},
            Operation(
                "scale_range",
                {
                    "min_percentile": 5.0,
                    "max_percentile": 100.0,
                    "eps": DEFAULT_EPS,
                    "axes": "YX",
                    "reference_tensor": "input",
                },
            ),
        ),
        (
            {"id": "scale_mean_variance", "kwargs": {"reference_tensor": "input"}},
            Operation("scale_mean_variance", {"reference_tensor": "input", "eps": DEFAULT_EPS}),
        ),
    ],
)
def test_operation_has_all_defaults_filled_in(step, expected):
    assert read(after=[step]).outputs[0].operations[0] == expected


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"id": "scale_linear", "kwargs": {"gain": [1, 2, 3], "axis": "channel"}}, "3 values for the 2 entries of C"),
        ({"id": "scale_linear", "kwargs": {"gain": [1, 2]}}, "2 values, but no axis for them"),
        (
            {"id": "fixed_zero_mean_unit_variance", "kwargs": {"mean": [1, 2], "std": [1, 2, 3], "axis": "channel"}},
            r"mean must be one number, or 3, not \[1.0, 2.0\]",
        ),
        ({"id": "fixed_zero_mean_unit_variance", "kwargs": {"mean": 1, "std": 0}}, "std must be 1e-06 or more"),
        ({"id": "scale_range", "kwargs": {"min_percentile": 60, "max_percentile": 50}}, "more than min_percentile"),
        ({"id": "scale_range", "kwargs": {"max_percentile": 200}}, "must be between 0 and 100, not 200.0"),
        ({"id": "zero_mean_unit_variance", "kwargs": {"eps": 0}}, "eps must be more than 0"),
        ({"id": "zero_mean_unit_variance", "kwargs": {"axes": "yx"}}, "axes must be a list of axes, not 'yx'"),
        ({"id": "clip", "kwargs": {"min": 1, "min_percentile": 1}}, "has both min and min_percentile"),
        ({"id": "sigmoid", "kwargs": [1]}, "kwargs must be a mapping"),
    ],
)
def test_invalid_operation_is_refused(step, message):
    with pytest.raises(RecipeError, match=message):
        read(after=[step])


def names(operations):
    return [each.name + "".join(f":{value}" for value in each.parameters.values()) for each in operations]


@pytest.mark.parametrize(
    ("data", "before", "after"),
    [
        (None, ["ensure_dtype:float32"], ["ensure_dtype:float32"]),
        ({"type": "uint16"}, ["ensure_dtype:uint16"], ["ensure_dtype:float32"]),
        ([{"type": "uint8"}, {"type": "uint8"}], ["ensure_dtype:uint8"], ["ensure_dtype:float32"]),
        ({"values": [0, 1]}, ["ensure_dtype:uint8"], ["ensure_dtype:float32"]),
    ],
)
def test_data_type_adds_a_conversion(data, before, after):
    tensors = read(data=data)
    assert names(tensors.inputs[0].operations) == before
    assert names(tensors.outputs[0].operations) == after


def test_declared_conversion_is_not_repeated():
    cast = {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}
    tensors = read(before=[cast, {"id": "sigmoid"}], after=[{"id": "sigmoid"}, cast])
    assert names(tensors.inputs[0].operations) == ["ensure_dtype:float32", "sigmoid"]
    assert names(tensors.outputs[0].operations) == ["sigmoid", "ensure_dtype:float32"]
    tensors = read(after=[{"id": "binarize", "kwargs": {"threshold": 0}}])
    assert names(tensors.outputs[0].operations) == ["binarize:0.0"]
