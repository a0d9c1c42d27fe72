"""Descriptions of the format 0.4, read into the words of 0.5."""

import pytest

from imgpool.core.errors import RecipeError
from imgpool.core.model import Operation, Size, SizeOf
from imgpool.models.packages.bioimageio_4 import read_tensors
from imgpool.models.packages.fields import Fields

FOLLOW = {"reference_tensor": "raw", "scale": [1, 1, 1, 1], "offset": [0, 0, 0, 0]}


def read(*, axes="bcyx", shape=(1, 2, 64, 64), made=None, before=(), after=(), **values):
    given = {"name": "raw", "axes": axes, "data_type": "float32", "preprocessing": list(before)}
    given["shape"] = list(shape) if isinstance(shape, tuple) else shape
    result = {"name": "probability", "axes": "bcyx", "data_type": "float32", "shape": FOLLOW}
    result |= {"postprocessing": list(after)} | (made or {})
    return read_tensors(Fields.of({"inputs": [given], "outputs": [result]} | values))


def sizes(tensor):
    return [axis.size for axis in tensor.axes]


def test_fixed_lengths_and_free_ones():
    assert sizes(read().inputs[0]) == [Size(1), Size(2), Size(64), Size(64)]
    free = {"min": [1, 2, 32, 32], "step": [0, 0, 16, 8]}
    assert sizes(read(shape=free).inputs[0]) == [Size(1), Size(2), Size(32, 16), Size(32, 8)]


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ({}, [Size(1), Size(2), SizeOf("raw", "Y"), SizeOf("raw", "X")]),
        (
            {"shape": FOLLOW | {"scale": [1, 0, 2, 0.5], "offset": [0, 1.5, 0, -3]}},
            [Size(1), Size(3), SizeOf("raw", "Y", 2.0), SizeOf("raw", "X", 0.5, -6.0)],
        ),
        ({"shape": FOLLOW | {"scale": [1, 2, 1, 1]}}, [Size(1), Size(4), SizeOf("raw", "Y"), SizeOf("raw", "X")]),
        ({"shape": [1, 1, 60, 60]}, [Size(1), Size(1), Size(60), Size(60)]),
        (
            {
                "axes": "bczyx",
                "shape": {"reference_tensor": "raw", "scale": [1, 1, None, 1, 1], "offset": [0, 0, 2, 0, 0]},
            },
            [Size(1), Size(2), Size(4), SizeOf("raw", "Y"), SizeOf("raw", "X")],
        ),
    ],
    ids=["same", "scaled", "more channels", "fixed", "a new axis"],
)
def test_lengths_of_an_output(made, found):
    assert sizes(read(made=made).outputs[0]) == found


def test_the_halo_of_an_output():
    assert [axis.halo for axis in read(made={"halo": [0, 0, 16, 8]}).outputs[0].axes] == [0, 0, 16, 8]


def test_test_arrays_go_by_their_order():
    tensors = read(test_inputs=["in.npy"], test_outputs=["out.npy"])
    assert (tensors.inputs[0].test, tensors.outputs[0].test) == ("in.npy", "out.npy")
    assert read().inputs[0].test == ""


@pytest.mark.parametrize(
    ("step", "read_as"),
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
def test_an_operation_in_the_words_of_the_later_format(step, read_as):
    tensors = read(before=[step], after=[step])
    assert tensors.outputs[0].operations[0] == read_as
    assert tensors.inputs[0].operations[1] == read_as
    assert tensors.inputs[0].operations[::2] == (Operation("ensure_dtype", {"dtype": "float32"}),) * 2


def test_a_step_that_goes_by_the_unprocessed_input():
    step = {"name": "scale_mean_variance", "kwargs": {"mode": "per_sample", "reference_tensor": "raw", "axes": "cyx"}}
    found = Operation("scale_mean_variance", {"eps": 1e-6, "reference_tensor": "raw", "axes": "CYX"})
    assert read(after=[step]).outputs[0].operations[0] == found


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"axes": "bcyy"}, "axes must be letters of btczyx, each once, not 'bcyy'"),
        ({"axes": "bwyx"}, "axes must be letters of btczyx"),
        ({"axes": "bicyx", "shape": (1, 1, 1, 8, 8)}, "has an index axis"),
        ({"shape": (1, 2, 64)}, "shape must be one number for each of the 4 axes"),
        ({"shape": (2, 2, 64, 64)}, "shape must be 1 along the batch axis"),
        ({"shape": {"min": [1, 2, 32, 32], "step": [1, 0, 1, 1]}}, "shape must be 1 along the batch axis"),
        ({"shape": (1, 2, 64, -64)}, "must be a whole number of 1 or more, not -64"),
        ({"made": {"shape": FOLLOW | {"reference_tensor": "cooked"}}}, "is no input: 'cooked'"),
        ({"made": {"shape": FOLLOW | {"scale": [1, 1]}}}, "one scale and one offset for each axis"),
        ({"made": {"shape": FOLLOW | {"scale": [1, 0, 1, 1]}}}, "such that each axis has a whole length, not 0"),
        ({"made": {"halo": [32, 32]}}, "halo must be one number for each of the 4 axes"),
        ({"made": {"halo": [0, 0, 32, 32]}}, "Y of 'probability' has no length left with a halo of 32"),
        ({"run_mode": {"name": "deepimagej"}}, "it asks for the run mode 'deepimagej'"),
        ({"test_inputs": ["a.npy", "b.npy"]}, "its test_inputs are 2 for 1 tensors"),
        ({"after": [{"name": "scale_range", "kwargs": {"mode": "per_dataset", "axes": "yx"}}]}, "is per dataset"),
        ({"before": [{"name": "zero_mean_unit_variance", "kwargs": {"axes": "yx"}}]}, "has no .*kwargs.std"),
        ({"before": [{"name": "zero_mean_unit_variance", "kwargs": {"mode": "often"}}]}, "mode must be per_sample"),
        ({"before": [{"name": "clip", "kwargs": {}}]}, "neither min nor max"),
        ({"before": [{"name": "normalize"}]}, "it asks for 'normalize'"),
    ],
)
def test_what_is_refused(values, said):
    with pytest.raises(RecipeError, match=said):
        read(**values)


def test_a_mode_that_makes_no_difference_is_no_hindrance():
    step = {"name": "scale_linear", "kwargs": {"mode": "per_dataset", "gain": 2}}
    assert read(before=[step]).inputs[0].operations[1].name == "scale_linear"
