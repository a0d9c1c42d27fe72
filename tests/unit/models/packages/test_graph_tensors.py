"""Descriptions compared with ONNX files, and ONNX files without a description."""

import pytest

from imgpool.core.errors import RecipeError
from imgpool.core.model import ModelAxis, Size, SizeReference, Tensor
from imgpool.models.packages.graph_tensors import infer_tensors, match_graph
from imgpool.models.packages.onnx_graph import Graph, GraphTensor
from imgpool.models.packages.operations import ensure_dtype
from imgpool.models.packages.tensors import Tensors


def graph(*shapes, dtype="float32", output_shape=None, names=("x", "y")):
    output_shape = shapes[0] if output_shape is None else output_shape
    inputs = tuple(GraphTensor(names[number], dtype, shape) for number, shape in enumerate(shapes))
    return Graph(inputs, (GraphTensor("out", "float32", output_shape),), ())


def axes(*sizes, letters="BCYX"):
    return tuple(ModelAxis(letter, size) for letter, size in zip(letters, sizes, strict=True))


FIXED = (1, 1, 64, 64)
FREE = ("n", 1, "h", "w")
ANY = axes(Size(1, 1), Size(1), Size(16, 8), Size(16, 8))


def tensors(*, axes=ANY, output_axes=None, dtypes=("float32",), names=("raw",)):
    operations = tuple(map(ensure_dtype, dtypes))
    same = (*axes[:2], ModelAxis("Y", SizeReference("raw", "Y")), ModelAxis("X", SizeReference("raw", "X")))
    inputs = tuple(Tensor(name, axes, "float32", operations) for name in names)
    return Tensors(inputs, (Tensor("made", output_axes or same),), {})


def test_lengths_fixed_by_the_graph_are_used():
    found = match_graph(tensors(), graph(FIXED))
    assert [axis.size for axis in found.inputs[0].axes] == [Size(1), Size(1), Size(64), Size(64)]
    assert [axis.size for axis in found.outputs[0].axes][2:] == [SizeReference("raw", "Y"), SizeReference("raw", "X")]


def test_free_lengths_are_those_of_the_description():
    assert match_graph(tensors(), graph(FREE)).inputs[0].axes == ANY


def test_graph_without_shapes_is_accepted():
    assert match_graph(tensors(), graph(None)).inputs[0].axes == ANY


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 1, 60, 64), r"Y of its 'raw' is 16 \+ n × 8 long in its description, but 60 in its ONNX file"),
        ((1, 3, 64, 64), "C of its 'raw' is 1 long in its description, but 3 in its ONNX file"),
        ((4, 1, 64, 64), "takes 4 images at once"),
        ((1, 64, 64), "has 3 axes in its ONNX file, but 4"),
    ],
)
def test_graph_with_another_shape_is_refused(shape, message):
    with pytest.raises(RecipeError, match=message):
        match_graph(tensors(), graph(shape))


def test_preprocessing_ends_with_the_dtype_of_the_graph():
    found = match_graph(tensors(), graph(FREE, dtype="float16")).inputs[0]
    assert found.dtype == "float16"
    assert found.operations == (ensure_dtype("float32"), ensure_dtype("float16"))
    assert match_graph(tensors(dtypes=["uint8"]), graph(FREE, dtype="uint8")).inputs[0].operations == (
        ensure_dtype("uint8"),
    )


def test_float_description_of_an_integer_graph_is_refused():
    with pytest.raises(RecipeError, match="its input 'raw' is float32 in its description, but uint8 in its ONNX file"):
        match_graph(tensors(), graph(FREE, dtype="uint8"))


def test_tensors_are_matched_by_order():
    found = match_graph(tensors(names=["raw", "other"]), graph(FREE, FIXED))
    assert [each.name for each in found.inputs] == ["raw", "other"]
    assert found.inputs[1].axes[3].size == Size(64)


def test_another_number_of_tensors_is_refused():
    with pytest.raises(RecipeError, match="its description has 2 inputs, its ONNX file 1"):
        match_graph(tensors(names=["raw", "other"]), graph(FREE))


def test_names_in_another_order_are_refused():
    with pytest.raises(RecipeError, match="its inputs are b, a in its description, but a, b in its ONNX file"):
        match_graph(tensors(names=["b", "a"]), graph(FREE, FREE, names=("a", "b")))


@pytest.mark.parametrize(
    ("shape", "letters"),
    [((64, 64), "YX"), ((3, 64, 64), "CYX"), ((1, 3, "h", "w"), "BCYX"), (("n", 1, 16, "h", "w"), "BCZYX")],
)
def test_axes_are_inferred_from_their_number(shape, letters):
    found = infer_tensors(graph(shape))
    assert found.inputs[0].letters == found.outputs[0].letters == letters
    assert found.inputs[0].operations == (ensure_dtype("float32"),)
    assert [axis.size for axis in found.inputs[0].axes] == [
        Size(each) if isinstance(each, int) else Size(1, 1) for each in shape
    ]


@pytest.mark.parametrize(
    ("shape", "output_shape", "size"),
    [
        (FREE, ("n", 2, "h", "w"), SizeReference("x", "X")),
        (FREE, ("n", 2, "?", ""), SizeReference("x", "X")),
        (FIXED, (1, 2, 64, 64), SizeReference("x", "X", 1.0)),
        (FIXED, (1, 2, 128, 128), SizeReference("x", "X", 2.0)),
        (FIXED, (1, 2, 32, 32), SizeReference("x", "X", 0.5)),
        (FIXED, (1, 2, 58, 58), SizeReference("x", "X", 1.0, -6)),
    ],
    ids=["free", "nameless", "equal", "twice", "half", "shorter"],
)
def test_output_lengths_are_relative_to_the_input(shape, output_shape, size):
    found = infer_tensors(graph(shape, output_shape=output_shape)).outputs[0].axes
    assert (found[1].size, found[3].size) == (Size(2), size)


@pytest.mark.parametrize(
    ("shape", "output_shape", "message"),
    [
        ((64,), None, "its 'x' has 1 axes: it is unclear which"),
        (None, FIXED, "its 'x' has an unknown number of axes"),
        (("n", "h", "w", 3), None, "its 'x' seems to have its channels last"),
        ((1, 64, 64, 1), None, "its 'x' seems to have its channels last"),
        ((8, 1, 64, 64), None, "its 'x' takes 8 images at once"),
        (FREE, (1, 1000), "its 'out' has 2 axes, its input 4: it is unclear which"),
        (FREE, (1, 1, 7, 7), "Y of its output is 7 long for every input"),
    ],
)
def test_unclear_axes_are_refused(shape, output_shape, message):
    with pytest.raises(RecipeError, match=message):
        infer_tensors(graph(shape, output_shape=output_shape))


def test_graph_without_inputs_is_refused():
    with pytest.raises(RecipeError, match="it has no inputs"):
        infer_tensors(Graph((), (GraphTensor("y", "float32", FIXED),), ()))
