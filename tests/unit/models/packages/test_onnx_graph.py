"""Inputs, outputs and external files of ONNX files, intact and damaged."""

import random

import pytest

from imgpool.core.errors import RecipeError
from imgpool.models.packages.onnx_graph import Graph, GraphTensor, read_graph
from tests.support import onnx_files
from tests.support.onnx_files import onnx_bytes, pb_bytes, pb_int, pb_value


def model(graph):
    return pb_int(1, 8) + pb_bytes(7, graph) + pb_bytes(8, pb_int(2, 17))


def external(location, name="w"):
    """A tensor whose values are in an external file."""
    message = pb_int(1, 4) + pb_int(2, 1) + pb_bytes(8, name)
    entry = pb_bytes(1, "location") + pb_bytes(2, location)
    return message + pb_bytes(13, entry) + pb_int(14, 1)


def test_inputs_and_outputs_have_dtype_and_shape():
    graph = read_graph(onnx_bytes("mask", 32, channels=3))
    assert graph == Graph(
        (GraphTensor("x", "float32", (1, 3, 32, 32)),),
        (GraphTensor("y", "bool", (1, 3, 32, 32)),),
        (),
    )


def test_free_lengths_are_names():
    assert read_graph(onnx_bytes()).inputs[0].shape == (1, 1, "nY", "nX")


def test_weights_listed_as_inputs_are_not_inputs():
    weight = onnx_files.pb_constant("w", onnx_files.np.zeros(4, "float32"))
    graph = (
        pb_bytes(5, weight)
        + pb_bytes(11, pb_value("w", "float32", [4]))
        + pb_bytes(11, pb_value("x", "float32", [1, 4]))
    )
    assert [each.name for each in read_graph(model(graph)).inputs] == ["x"]


def test_external_files_of_all_tensors_are_found():
    inner = pb_bytes(5, external("inner.data"))
    attributes = pb_bytes(5, pb_bytes(6, inner)) + pb_bytes(5, pb_bytes(5, external("constant.data")))
    graph = pb_bytes(1, attributes) + pb_bytes(5, external("weights.data")) + pb_bytes(5, external("weights.data"))
    assert read_graph(model(graph)).external == ("constant.data", "inner.data", "weights.data")


def test_output_without_a_shape_is_allowed():
    graph = pb_bytes(12, pb_bytes(1, "y") + pb_bytes(2, pb_bytes(1, pb_int(1, 1))))
    assert read_graph(model(graph)).outputs == (GraphTensor("y", "float32", None),)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (pb_bytes(4, b""), "'x' is not a tensor"),
        (pb_bytes(1, pb_int(1, 8)), "'x' has the unsupported ONNX type 8"),
    ],
    ids=["sequence", "texts"],
)
def test_non_numeric_inputs_are_refused(kind, message):
    with pytest.raises(RecipeError, match=message):
        read_graph(model(pb_bytes(11, pb_bytes(1, "x") + pb_bytes(2, kind))))


@pytest.mark.parametrize(
    "data",
    [b"", b"no model", b"\x80\x04\x95", b"PK\x03\x04" + bytes(100), model(b"") + model(b""), pb_bytes(7, b"\x0b")],
    ids=["empty", "text", "pickle", "zip", "two graphs", "group"],
)
def test_other_files_are_refused(data):
    with pytest.raises(RecipeError, match="not an ONNX file, or it is damaged"):
        read_graph(data)


def test_deep_nesting_is_refused():
    graph = b""
    for _ in range(200):
        graph = pb_bytes(1, pb_bytes(5, pb_bytes(6, graph)))
    with pytest.raises(RecipeError, match="nested too deeply"):
        read_graph(model(graph))


def test_damaged_file_is_read_or_refused():
    whole = onnx_bytes("box3", 32)
    rng = random.Random(0)
    refused = 0
    for number in range(3000):
        data = bytearray(whole[: rng.randrange(len(whole))] if number % 2 else whole)
        for _ in range(rng.randrange(4)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            read_graph(bytes(data))
        except RecipeError:
            refused += 1
    assert refused > 1000
