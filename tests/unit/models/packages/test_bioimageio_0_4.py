"""Descriptions in format 0.4, converted to the terms of 0.5."""

import pytest

from imgpool.core.errors import RecipeError
from imgpool.core.model import Operation, Size, SizeReference
from imgpool.models.packages.bioimageio_0_4 import read_tensors
from imgpool.models.packages.fields import Fields

SAME_SHAPE = {"reference_tensor": "raw", "scale": [1, 1, 1, 1], "offset": [0, 0, 0, 0]}


def read(*, axes="bcyx", shape=(1, 2, 64, 64), output=None, before=(), after=(), **values):
    input_ = {"name": "raw", "axes": axes, "data_type": "float32", "preprocessing": list(before)}
    input_["shape"] = list(shape) if isinstance(shape, tuple) else shape
    output_ = {"name": "probability", "axes": "bcyx", "data_type": "float32", "shape": SAME_SHAPE}
    output_ |= {"postprocessing": list(after)} | (output or {})
    return read_tensors(Fields.of({"inputs": [input_], "outputs": [output_]} | values))


def sizes(tensor):
    return [axis.size for axis in tensor.axes]


def test_lengths_of_an_input_are_fixed_or_free():
    assert sizes(read().inputs[0]) == [Size(1), Size(2), Size(64), Size(64)]
    free = {"min": [1, 2, 32, 32], "step": [0, 0, 16, 8]}
    assert sizes(read(shape=free).inputs[0]) == [Size(1), Size(2), Size(32, 16), Size(32, 8)]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ({}, [Size(1), Size(2), SizeReference("raw", "Y"), SizeReference("raw", "X")]),
        (
            {"shape": SAME_SHAPE | {"scale": [1, 0, 2, 0.5], "offset": [0, 1.5, 0, -3]}},
            [Size(1), Size(3), SizeReference("raw", "Y", 2.0), SizeReference("raw", "X", 0.5, -6.0)],
        ),
        (
            {"shape": SAME_SHAPE | {"scale": [1, 2, 1, 1]}},
            [Size(1), Size(4), SizeReference("raw", "Y"), SizeReference("raw", "X")],
        ),
        ({"shape": [1, 1, 60, 60]}, [Size(1), Size(1), Size(60), Size(60)]),
        (
            {
                "axes": "bczyx",
                "shape": {"reference_tensor": "raw", "scale": [1, 1, None, 1, 1], "offset": [0, 0, 2, 0, 0]},
            },
            [Size(1), Size(2), Size(4), SizeReference("raw", "Y"), SizeReference("raw", "X")],
        ),
    ],
    ids=["same", "scaled", "more channels", "fixed", "a new axis"],
)
def test_lengths_of_an_output_are_relative_or_fixed(output, expected):
    assert sizes(read(output=output).outputs[0]) == expected


def test_output_axes_have_their_halo():
    assert [axis.halo for axis in read(output={"halo": [0, 0, 16, 8]}).outputs[0].axes] == [0, 0, 16, 8]


def test_test_arrays_are_matched_by_order():
    tensors = read(test_inputs=["in.npy"], test_outputs=["out.npy"])
    assert (tensors.inputs[0].test_array, tensors.outputs[0].test_array) == ("in.npy", "out.npy")
    assert read().inputs[0].test_array == ""


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (
            {"name": "zero_mean_unit_variance", "kwargs": {"mode": "per_sample", "axes": "xy"}},
            Operation("zero_mean_unit_variance", {"eps": 1e-6, "axes": "YX"}),
        ),
        (
            {"name": "zero_mean_unit_variance", "kwargs": {"mode": "fixed", "axes": "cyx", "mean": 3, "std": 2}},
            Operation("fixed_zero_mean_unit_variance", {"mean": 3.0, "std": 2.0}),
        ),
        (
            {"name": "zero_mean_unit_variance", "kwargs": {"axes": "yx", "mean": [3, 4], "std": [2, 1]}},
            Operation("fixed_zero_mean_unit_variance", {"mean": (3.0, 4.0), "std": (2.0, 1.0), "axis": "C"}),
        ),
        (
            {"name": "zero_mean_unit_variance", "kwargs": {"mode": "fixed", "axes": "yx", "mean": [3], "std": [2]}},
            Operation("fixed_zero_mean_unit_variance", {"mean": 3.0, "std": 2.0}),
        ),
        (
            {"name": "scale_linear", "kwargs": {"axes": "yx", "gain": [3, 4], "offset": 1}},
            Operation("scale_linear", {"gain": (3.0, 4.0), "offset": (1.0, 1.0), "axis": "C"}),
        ),
        ({"name": "scale_linear", "kwargs": {"gain": 3}}, Operation("scale_linear", {"gain": 3.0, "offset": 0.0})),
        (
            {"name": "scale_range", "kwargs": {"mode": "per_sample", "axes": "yx", "max_percentile": 99.8}},
            Operation("scale_range", {"min_percentile": 0.0, "max_percentile": 99.8, "eps": 1e-6, "axes": "YX"}),
        ),
        ({"name": "clip", "kwargs": {"min": 0, "max": 1}}, Operation("clip", {"min": 0.0, "max": 1.0})),
        ({"name": "binarize", "kwargs": {"threshold": 0.5}}, Operation("binarize", {"threshold": 0.5})),
        ({"name": "sigmoid"}, Operation("sigmoid")),
    ],
)
def test_operation_is_converted_to_format_0_5(step, expected):
    tensors = read(before=[step], after=[step])
    assert tensors.outputs[0].operations[0] == expected
    assert tensors.inputs[0].operations[1] == expected
    assert tensors.inputs[0].operations[::2] == (Operation("ensure_dtype", {"dtype": "float32"}),) * 2


def test_operation_can_refer_to_the_raw_input():
    step = {"name": "scale_mean_variance", "kwargs": {"mode": "per_sample", "reference_tensor": "raw", "axes": "cyx"}}
    found = Operation("scale_mean_variance", {"eps": 1e-6, "reference_tensor": "raw", "axes": "CYX"})
    assert read(after=[step]).outputs[0].operations[0] == found


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"axes": "bcyy"}, "axes must be letters of btczyx, each once, not 'bcyy'"),
        ({"axes": "bwyx"}, "axes must be letters of btczyx"),
        ({"axes": "bicyx", "shape": (1, 1, 1, 8, 8)}, "has an index axis"),
        ({"shape": (1, 2, 64)}, "shape must be one number for each of the 4 axes"),
        ({"shape": (2, 2, 64, 64)}, "shape must be 1 along the batch axis"),
        ({"shape": {"min": [1, 2, 32, 32], "step": [1, 0, 1, 1]}}, "shape must be 1 along the batch axis"),
        ({"shape": (1, 2, 64, -64)}, "must be an integer of 1 or more, not -64"),
        ({"output": {"shape": SAME_SHAPE | {"reference_tensor": "cooked"}}}, "is 'cooked', which is not an input"),
        ({"output": {"shape": SAME_SHAPE | {"scale": [1, 1]}}}, "one scale and one offset for each axis"),
        ({"output": {"shape": SAME_SHAPE | {"scale": [1, 0, 1, 1]}}}, "such that each axis has a whole length, not 0"),
        ({"output": {"halo": [32, 32]}}, "halo must be one number for each of the 4 axes"),
        ({"output": {"halo": [0, 0, 32, 32]}}, "Y of 'probability' has no length left with a halo of 32"),
        ({"run_mode": {"name": "deepimagej"}}, "it needs the run mode 'deepimagej'"),
        ({"test_inputs": ["a.npy", "b.npy"]}, "its test_inputs has 2 entries for 1 tensors"),
        ({"after": [{"name": "scale_range", "kwargs": {"mode": "per_dataset", "axes": "yx"}}]}, "is per_dataset"),
        ({"before": [{"name": "zero_mean_unit_variance", "kwargs": {"axes": "yx"}}]}, "has no .*kwargs.std"),
        ({"before": [{"name": "zero_mean_unit_variance", "kwargs": {"mode": "often"}}]}, "mode must be per_sample"),
        ({"before": [{"name": "clip", "kwargs": {}}]}, "neither min nor max"),
        ({"before": [{"name": "normalize"}]}, "asks for 'normalize'"),
    ],
)
def test_unsupported_values_are_refused(values, message):
    with pytest.raises(RecipeError, match=message):
        read(**values)


def test_mode_without_effect_is_ignored():
    step = {"name": "scale_linear", "kwargs": {"mode": "per_dataset", "gain": 2}}
    assert read(before=[step]).inputs[0].operations[1].name == "scale_linear"
