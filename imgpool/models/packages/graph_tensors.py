"""Compare the tensors of a description with an ONNX graph, or derive the tensors from the graph alone."""

from dataclasses import replace

from imgpool.core.errors import RecipeError
from imgpool.core.model import ModelAxis, Size, SizeReference, Tensor
from imgpool.models.packages.onnx_graph import Graph, GraphTensor, Length, Shape
from imgpool.models.packages.operations import ensure_dtype, final_dtype
from imgpool.models.packages.tensors import Tensors

LETTERS_BY_COUNT = {2: "YX", 3: "CYX", 4: "BCYX", 5: "BCZYX"}
"""The axes that a bare ONNX file is assumed to have, in PyTorch's order, by their number."""

DESCRIBE_HINT = "describe the model in a bioimage.io package"
MAX_LIKELY_CHANNELS = 4


def match_graph(tensors: Tensors, graph: Graph) -> Tensors:
    """Check the tensors of a description against the graph; return them with its dtypes and its fixed lengths.

    Raises
    ------
    RecipeError
        If the graph has other inputs or outputs than the description.
    """
    _check_names("inputs", tensors.inputs, graph.inputs)
    _check_names("outputs", tensors.outputs, graph.outputs)
    inputs = zip(tensors.inputs, graph.inputs, strict=True)
    outputs = zip(tensors.outputs, graph.outputs, strict=True)
    return replace(
        tensors,
        inputs=tuple(_match_input_dtype(_match_axes(tensor, found), found.dtype) for tensor, found in inputs),
        outputs=tuple(replace(_match_axes(tensor, found), dtype=found.dtype) for tensor, found in outputs),
    )


def infer_tensors(graph: Graph) -> Tensors:
    """Derive the tensors of a graph that comes without a description.

    Raises
    ------
    RecipeError
        If the axes cannot be inferred from their number.
    """
    if not graph.inputs or not graph.outputs:
        raise RecipeError(f"it has no {'outputs' if graph.inputs else 'inputs'}", "export the model again")
    inputs = tuple(_infer_input(found) for found in graph.inputs)
    outputs = tuple(_infer_output(found, inputs[0]) for found in graph.outputs)
    return Tensors(inputs, outputs, {})


def _check_names(kind: str, tensors: tuple[Tensor, ...], graph_tensors: tuple[GraphTensor, ...]) -> None:
    if len(tensors) != len(graph_tensors):
        raise RecipeError(
            f"its description has {len(tensors)} {kind}, its ONNX file {len(graph_tensors)}",
            f"describe all {kind}, in the order of the ONNX file",
        )
    described, found = [tensor.name for tensor in tensors], [each.name for each in graph_tensors]
    if described != found and sorted(described) == sorted(found):
        raise RecipeError(
            f"its {kind} are {', '.join(described)} in its description, but {', '.join(found)} in its ONNX file",
            "describe them in the order of the ONNX file",
        )


def _match_axes(tensor: Tensor, found: GraphTensor) -> Tensor:
    if found.shape is None:
        return tensor
    if len(found.shape) != len(tensor.axes):
        raise RecipeError(
            f"its {tensor.name!r} has {len(found.shape)} axes in its ONNX file, "
            f"but {len(tensor.axes)} ({tensor.letters}) in its description"
        )
    axes = zip(tensor.axes, found.shape, strict=True)
    return replace(tensor, axes=tuple(_match_axis(tensor.name, axis, length) for axis, length in axes))


def _match_axis(name: str, axis: ModelAxis, length: Length) -> ModelAxis:
    if isinstance(length, str) or isinstance(axis.size, SizeReference):
        return axis
    if not axis.size.fits(length):
        raise RecipeError(
            f"{axis.letter} of its {name!r} is {axis.size} long in its description, but {length} in its ONNX file"
        )
    _check_batch(name, axis.letter, length)
    return replace(axis, size=Size(length))


def _match_input_dtype(tensor: Tensor, dtype: str) -> Tensor:
    """End the preprocessing with a conversion to the dtype that the graph takes."""
    last = final_dtype(tensor.operations)
    if last == dtype:
        return replace(tensor, dtype=dtype)
    if last.startswith("float") and not dtype.startswith("float"):
        raise RecipeError(f"its input {tensor.name!r} is {last} in its description, but {dtype} in its ONNX file")
    return replace(tensor, dtype=dtype, operations=(*tensor.operations, ensure_dtype(dtype)))


def _infer_input(found: GraphTensor) -> Tensor:
    shape, letters = _infer_letters(found)
    for letter, length in zip(letters, shape, strict=True):
        _check_batch(found.name, letter, length)
    sizes = [Size(length) if isinstance(length, int) else Size(1, 1) for length in shape]
    axes = tuple(ModelAxis(letter, size) for letter, size in zip(letters, sizes, strict=True))
    return Tensor(found.name, axes, found.dtype, (ensure_dtype(found.dtype),))


def _infer_letters(found: GraphTensor) -> tuple[Shape, str]:
    shape = found.shape or ()
    letters = LETTERS_BY_COUNT.get(len(shape))
    if letters is None:
        raise RecipeError(f"its {found.name!r} has {_axis_count(found)} axes: it is unclear which", DESCRIBE_HINT)
    if "C" in letters and _has_channels_last(shape, letters.index("C")):
        raise RecipeError(f"its {found.name!r} seems to have its channels last, not as {letters}", DESCRIBE_HINT)
    return shape, letters


def _has_channels_last(shape: Shape, channel: int) -> bool:
    last, first = shape[-1], shape[channel]
    first_is_likely = isinstance(first, int) and first <= MAX_LIKELY_CHANNELS
    return isinstance(last, int) and last <= MAX_LIKELY_CHANNELS and not first_is_likely


def _infer_output(found: GraphTensor, reference: Tensor) -> Tensor:
    if found.shape is None or len(found.shape) != len(reference.axes):
        raise RecipeError(
            f"its {found.name!r} has {_axis_count(found)} axes, its input {len(reference.axes)}: it is unclear which",
            DESCRIBE_HINT,
        )
    pairs = zip(reference.axes, found.shape, strict=True)
    axes = tuple(ModelAxis(axis.letter, _infer_output_size(axis, length, reference.name)) for axis, length in pairs)
    return Tensor(found.name, axes, found.dtype, (ensure_dtype(found.dtype),))


def _infer_output_size(axis: ModelAxis, length: Length, input_name: str) -> Size | SizeReference:
    """Size of an output axis relative to the input's.

    If both lengths are fixed, one is taken as a multiple of the other; if it is none, they differ by a constant.
    """
    assert isinstance(axis.size, Size)
    if axis.letter in "BC":
        return Size(length) if isinstance(length, int) else axis.size
    if isinstance(length, str):
        return SizeReference(input_name, axis.letter)
    if axis.size.step:
        raise RecipeError(f"{axis.letter} of its output is {length} long for every input", DESCRIBE_HINT)
    input_length = axis.size.minimum
    if length % input_length == 0 or input_length % length == 0:
        return SizeReference(input_name, axis.letter, length / input_length)
    return SizeReference(input_name, axis.letter, offset=length - input_length)


def _axis_count(found: GraphTensor) -> str:
    return "an unknown number of" if found.shape is None else str(len(found.shape))


def _check_batch(name: str, letter: str, length: Length) -> None:
    if letter == "B" and isinstance(length, int) and length != 1:
        raise RecipeError(f"its {name!r} takes {length} images at once", "export it with a batch of 1, or of any size")
