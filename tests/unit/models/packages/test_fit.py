"""Descriptions held against ONNX files, and ONNX files that have none."""

import pytest

from imgpool.core.errors import RecipeError
from imgpool.core.model import ModelAxis, Size, SizeOf, Tensor
from imgpool.models.packages.fit import fit, guess
from imgpool.models.packages.onnx_graph import Graph, Value
from imgpool.models.packages.operations import ensure_dtype
from imgpool.models.packages.tensors import Tensors


def graph(*shapes, dtype="float32", made=None, names=("x", "y")):
    made = shapes[0] if made is None else made
    inputs = tuple(Value(names[number], dtype, shape) for number, shape in enumerate(shapes))
    return Graph(inputs, (Value("out", "float32", made),), ())


def axes(*sizes, letters="BCYX"):
    return tuple(ModelAxis(letter, size) for letter, size in zip(letters, sizes, strict=True))


FIXED = (1, 1, 64, 64)
FREE = ("n", 1, "h", "w")
ANY = axes(Size(1, 1), Size(1), Size(16, 8), Size(16, 8))


def tensors(*, given=ANY, made=None, dtypes=("float32",), names=("raw",)):
    operations = tuple(map(ensure_dtype, dtypes))
    follow = (*given[:2], ModelAxis("Y", SizeOf("raw", "Y")), ModelAxis("X", SizeOf("raw", "X")))
    inputs = tuple(Tensor(name, given, "float32", operations) for name in names)
    return Tensors(inputs, (Tensor("made", made or follow),), {})


def test_lengths_that_the_graph_fixes_are_fixed():
    found = fit(tensors(), graph(FIXED))
    assert [axis.size for axis in found.inputs[0].axes] == [Size(1), Size(1), Size(64), Size(64)]
    assert [axis.size for axis in found.outputs[0].axes][2:] == [SizeOf("raw", "Y"), SizeOf("raw", "X")]


def test_lengths_that_the_graph_leaves_free_are_those_of_the_description():
    assert fit(tensors(), graph(FREE)).inputs[0].axes == ANY


def test_a_graph_that_does_not_say_its_shapes_is_believed_to_fit():
    assert fit(tensors(), graph(None)).inputs[0].axes == ANY


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((1, 1, 60, 64), r"Y of its 'raw' is 16 \+ n × 8 long in its description, 60 in its ONNX file"),
        ((1, 3, 64, 64), "C of its 'raw' is 1 long in its description, 3 in its ONNX file"),
        ((4, 1, 64, 64), "takes 4 images at once"),
        ((1, 64, 64), "has 3 axes in its ONNX file, and 4"),
    ],
)
def test_a_graph_of_another_shape_is_refused(shape, said):
    with pytest.raises(RecipeError, match=said):
        fit(tensors(), graph(shape))


def test_the_last_type_is_that_of_the_graph():
    found = fit(tensors(), graph(FREE, dtype="float16")).inputs[0]
    assert found.dtype == "float16"
    assert found.operations == (ensure_dtype("float32"), ensure_dtype("float16"))
    assert fit(tensors(dtypes=["uint8"]), graph(FREE, dtype="uint8")).inputs[0].operations == (ensure_dtype("uint8"),)


def test_fractions_are_not_cut_off_without_a_word():
    with pytest.raises(RecipeError, match="its input 'raw' is float32 by its description, and uint8 in its ONNX file"):
        fit(tensors(), graph(FREE, dtype="uint8"))


def test_tensors_go_by_their_order():
    found = fit(tensors(names=["raw", "other"]), graph(FREE, FIXED))
    assert [each.name for each in found.inputs] == ["raw", "other"]
    assert found.inputs[1].axes[3].size == Size(64)


def test_another_number_of_tensors_is_refused():
    with pytest.raises(RecipeError, match="its description has 2 inputs, its ONNX file 1"):
        fit(tensors(names=["raw", "other"]), graph(FREE))


def test_names_in_another_order_are_refused():
    with pytest.raises(RecipeError, match="its inputs are b, a in its description, and a, b in its ONNX file"):
        fit(tensors(names=["b", "a"]), graph(FREE, FREE, names=("a", "b")))


@pytest.mark.parametrize(
    ("shape", "letters"),
    [((64, 64), "YX"), ((3, 64, 64), "CYX"), ((1, 3, "h", "w"), "BCYX"), (("n", 1, 16, "h", "w"), "BCZYX")],
)
def test_axes_are_told_by_their_number(shape, letters):
    found = guess(graph(shape))
    assert found.inputs[0].letters == found.outputs[0].letters == letters
    assert found.inputs[0].operations == (ensure_dtype("float32"),)
    assert [axis.size for axis in found.inputs[0].axes] == [
        Size(each) if isinstance(each, int) else Size(1, 1) for each in shape
    ]


@pytest.mark.parametrize(
    ("shape", "made", "size"),
    [
        (FREE, ("n", 2, "h", "w"), SizeOf("x", "X")),
        (FREE, ("n", 2, "?", ""), SizeOf("x", "X")),
        (FIXED, (1, 2, 64, 64), SizeOf("x", "X", 1.0)),
        (FIXED, (1, 2, 128, 128), SizeOf("x", "X", 2.0)),
        (FIXED, (1, 2, 32, 32), SizeOf("x", "X", 0.5)),
        (FIXED, (1, 2, 58, 58), SizeOf("x", "X", 1.0, -6)),
    ],
    ids=["free", "nameless", "equal", "twice", "half", "shorter"],
)
def test_lengths_of_the_output_follow_those_of_the_input(shape, made, size):
    found = guess(graph(shape, made=made)).outputs[0].axes
    assert (found[1].size, found[3].size) == (Size(2), size)


@pytest.mark.parametrize(
    ("shape", "made", "said"),
    [
        ((64,), None, "its 'x' has 1 axes, and nothing says what they are"),
        (None, FIXED, "its 'x' has an unknown number of axes"),
        (("n", "h", "w", 3), None, "its 'x' seems to have its channels last"),
        ((1, 64, 64, 1), None, "its 'x' seems to have its channels last"),
        ((8, 1, 64, 64), None, "its 'x' takes 8 images at once"),
        (FREE, (1, 1000), "its 'out' has 2 axes, its input 4: nothing says what they are"),
        (FREE, (1, 1, 7, 7), "Y of its output is 7 long whatever the input"),
    ],
)
def test_what_cannot_be_told_is_refused(shape, made, said):
    with pytest.raises(RecipeError, match=said):
        guess(graph(shape, made=made))


def test_a_graph_without_inputs_is_refused():
    with pytest.raises(RecipeError, match="it has no inputs"):
        guess(Graph((), (Value("y", "float32", FIXED),), ()))
