"""What a description says against what the ONNX file takes and gives; and what to assume of a file that has none."""

from dataclasses import replace

from imgpool.core.errors import RecipeError
from imgpool.core.model import ModelAxis, Size, SizeOf, Tensor
from imgpool.models.packages.onnx_graph import Graph, Length, Value
from imgpool.models.packages.operations import dtype_after, ensure_dtype
from imgpool.models.packages.tensors import Tensors

LETTERS = {2: "YX", 3: "CYX", 4: "BCYX", 5: "BCZYX"}
"""The axes that a bare ONNX file is taken to have, by their number; as PyTorch orders them."""

DESCRIBE = "describe it in a bioimage.io package"
FEW = 4


def fit(tensors: Tensors, graph: Graph) -> Tensors:
    """The tensors with the types of the graph, and with its lengths where they are fixed.

    Raises
    ------
    RecipeError
        If the graph does not take or give what the description says.
    """
    _check_names("inputs", tensors.inputs, graph.inputs)
    _check_names("outputs", tensors.outputs, graph.outputs)
    inputs = zip(tensors.inputs, graph.inputs, strict=True)
    outputs = zip(tensors.outputs, graph.outputs, strict=True)
    return replace(
        tensors,
        inputs=tuple(_fit_type(_fit_axes(tensor, value), value.dtype) for tensor, value in inputs),
        outputs=tuple(replace(_fit_axes(tensor, value), dtype=value.dtype) for tensor, value in outputs),
    )


def guess(graph: Graph) -> Tensors:
    """The tensors of a graph that comes without a description.

    Raises
    ------
    RecipeError
        If its axes cannot be told by their number.
    """
    if not graph.inputs or not graph.outputs:
        raise RecipeError(f"it has no {'outputs' if graph.inputs else 'inputs'}", "export it again")
    inputs = tuple(_guess_input(value) for value in graph.inputs)
    outputs = tuple(_guess_output(value, inputs[0], len(inputs[0].axes)) for value in graph.outputs)
    return Tensors(inputs, outputs, {})


def _check_names(kind: str, tensors: tuple[Tensor, ...], values: tuple[Value, ...]) -> None:
    if len(tensors) != len(values):
        raise RecipeError(
            f"its description has {len(tensors)} {kind}, its ONNX file {len(values)}", "describe each, in their order"
        )
    described, found = [tensor.name for tensor in tensors], [value.name for value in values]
    if described != found and sorted(described) == sorted(found):
        raise RecipeError(
            f"its {kind} are {', '.join(described)} in its description, and {', '.join(found)} in its ONNX file",
            "describe them in the order of the ONNX file",
        )


def _fit_axes(tensor: Tensor, value: Value) -> Tensor:
    if value.shape is None:
        return tensor
    if len(value.shape) != len(tensor.axes):
        found = (
            f"{len(value.shape)} axes in its ONNX file, and {len(tensor.axes)} ({tensor.letters}) in its description"
        )
        raise RecipeError(f"its {tensor.name!r} has {found}")
    axes = zip(tensor.axes, value.shape, strict=True)
    return replace(tensor, axes=tuple(_fit_axis(tensor.name, axis, length) for axis, length in axes))


def _fit_axis(name: str, axis: ModelAxis, length: Length) -> ModelAxis:
    if isinstance(length, str) or isinstance(axis.size, SizeOf):
        return axis
    if not axis.size.fits(length):
        least, step = axis.size.least, axis.size.step
        said = f"{least} + n × {step}" if step else str(least)
        raise RecipeError(f"{axis.letter} of its {name!r} is {said} long in its description, {length} in its ONNX file")
    _check_batch(name, axis.letter, length)
    return replace(axis, size=Size(length))


def _check_batch(name: str, letter: str, length: Length) -> None:
    if letter == "B" and isinstance(length, int) and length != 1:
        raise RecipeError(f"its {name!r} takes {length} images at once", "export it with a batch of 1, or of any size")


def _fit_type(tensor: Tensor, dtype: str) -> Tensor:
    """An input whose processing ends with the type that the graph takes."""
    last = dtype_after(tensor.operations)
    if last == dtype:
        return replace(tensor, dtype=dtype)
    if last.startswith("float") and not dtype.startswith("float"):
        raise RecipeError(f"its input {tensor.name!r} is {last} by its description, and {dtype} in its ONNX file")
    return replace(tensor, dtype=dtype, operations=(*tensor.operations, ensure_dtype(dtype)))


def _guess_input(value: Value) -> Tensor:
    letters = LETTERS.get(len(value.shape or ()))
    if value.shape is None or letters is None:
        count = "an unknown number of" if value.shape is None else len(value.shape)
        raise RecipeError(f"its {value.name!r} has {count} axes, and nothing says what they are", DESCRIBE)
    if "C" in letters and _has_channels_last(value.shape, letters.index("C")):
        raise RecipeError(f"its {value.name!r} seems to have its channels last, not as {letters}", DESCRIBE)
    for letter, length in zip(letters, value.shape, strict=True):
        _check_batch(value.name, letter, length)
    sizes = [Size(length) if isinstance(length, int) else Size(1, 1) for length in value.shape]
    axes = tuple(ModelAxis(letter, size) for letter, size in zip(letters, sizes, strict=True))
    return Tensor(value.name, axes, value.dtype, (ensure_dtype(value.dtype),))


def _has_channels_last(shape: tuple[Length, ...], channel: int) -> bool:
    last, first = shape[-1], shape[channel]
    return isinstance(last, int) and last <= FEW and not (isinstance(first, int) and first <= FEW)


def _guess_output(value: Value, reference: Tensor, rank: int) -> Tensor:
    if value.shape is None or len(value.shape) != rank:
        count = "an unknown number of" if value.shape is None else len(value.shape)
        raise RecipeError(
            f"its {value.name!r} has {count} axes, its input {rank}: nothing says what they are", DESCRIBE
        )
    pairs = zip(reference.axes, value.shape, strict=True)
    axes = tuple(ModelAxis(axis.letter, _guess_size(axis, length, reference.name)) for axis, length in pairs)
    return Tensor(value.name, axes, value.dtype, (ensure_dtype(value.dtype),))


def _guess_size(axis: ModelAxis, length: Length, name: str) -> Size | SizeOf:
    """Of an output: that of the input, so many times as long where both are fixed, or so much longer."""
    assert isinstance(axis.size, Size)
    if axis.letter in "BC":
        return Size(length) if isinstance(length, int) else axis.size
    if isinstance(length, str):
        return SizeOf(name, axis.letter)
    if axis.size.step:
        raise RecipeError(f"{axis.letter} of its output is {length} long whatever the input", DESCRIBE)
    given = axis.size.least
    if length % given == 0 or given % length == 0:
        return SizeOf(name, axis.letter, length / given)
    return SizeOf(name, axis.letter, offset=length - given)
