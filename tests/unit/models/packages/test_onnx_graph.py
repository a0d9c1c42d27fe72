"""A look into ONNX files, whole and damaged."""

import random

import pytest

from imgpool.core.errors import RecipeError
from imgpool.models.packages.onnx_graph import Graph, Value, read_graph
from tests.support import onnx_files
from tests.support.onnx_files import _field, _number, _value, onnx_bytes


def model(graph):
    return _number(1, 8) + _field(7, graph) + _field(8, _number(2, 17))


def external(location, name="w"):
    """A tensor whose values are in another file."""
    message = _number(1, 4) + _number(2, 1) + _field(8, name)
    entry = _field(1, "location") + _field(2, location)
    return message + _field(13, entry) + _number(14, 1)


def test_inputs_and_outputs_are_found_with_type_and_lengths():
    graph = read_graph(onnx_bytes("mask", 32, channels=3))
    assert graph == Graph(
        (Value("x", "float32", (1, 3, 32, 32)),),
        (Value("y", "bool", (1, 3, 32, 32)),),
        (),
    )


def test_free_lengths_come_by_their_names():
    assert read_graph(onnx_bytes()).inputs[0].shape == (1, 1, "nY", "nX")


def test_weights_that_stand_among_the_inputs_are_none():
    weight = onnx_files._constant("w", onnx_files.np.zeros(4, "float32"))
    graph = _field(5, weight) + _field(11, _value("w", "float32", [4])) + _field(11, _value("x", "float32", [1, 4]))
    assert [each.name for each in read_graph(model(graph)).inputs] == ["x"]


def test_outside_data_is_found_wherever_a_tensor_can_be():
    inner = _field(5, external("inner.data"))
    attributes = _field(5, _field(6, inner)) + _field(5, _field(5, external("constant.data")))
    graph = _field(1, attributes) + _field(5, external("weights.data")) + _field(5, external("weights.data"))
    assert read_graph(model(graph)).external == ("constant.data", "inner.data", "weights.data")


def test_an_output_without_a_shape_has_none():
    graph = _field(12, _field(1, "y") + _field(2, _field(1, _number(1, 1))))
    assert read_graph(model(graph)).outputs == (Value("y", "float32", None),)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (_field(4, b""), "'x' is no tensor"),
        (_field(1, _number(1, 8)), "'x' holds values of ONNX type 8"),
    ],
    ids=["sequence", "texts"],
)
def test_what_is_no_tensor_of_numbers_is_refused(kind, said):
    with pytest.raises(RecipeError, match=said):
        read_graph(model(_field(11, _field(1, "x") + _field(2, kind))))


@pytest.mark.parametrize(
    "data",
    [b"", b"no model", b"\x80\x04\x95", b"PK\x03\x04" + bytes(100), model(b"") + model(b""), _field(7, b"\x0b")],
    ids=["empty", "text", "pickle", "zip", "two graphs", "group"],
)
def test_what_is_no_onnx_file_is_refused(data):
    with pytest.raises(RecipeError, match="no ONNX file, or it is damaged"):
        read_graph(data)


def test_endless_nesting_is_refused():
    graph = b""
    for _ in range(200):
        graph = _field(1, _field(5, _field(6, graph)))
    with pytest.raises(RecipeError, match="nested too deeply"):
        read_graph(model(graph))


def test_a_damaged_file_is_read_or_refused_but_nothing_else():
    whole = onnx_bytes("box3", 32)
    dice = random.Random(0)
    refused = 0
    for number in range(3000):
        data = bytearray(whole[: dice.randrange(len(whole))] if number % 2 else whole)
        for _ in range(dice.randrange(4)):
            if data:
                data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            read_graph(bytes(data))
        except RecipeError:
            refused += 1
    assert refused > 1000
