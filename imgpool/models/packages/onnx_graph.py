"""Inputs, outputs and external files of an ONNX file, read from its bytes without loading the model.

ONNX files are protocol buffers (https://protobuf.dev/programming-guides/encoding/) of the messages in onnx.proto
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). Only the few fields named here are read.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from imgpool.core.errors import RecipeError

DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
}
"""NumPy's names of the values of onnx.TensorProto.DataType."""

CHILDREN = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
}
"""Where tensors can occur: the kind of message in each numbered field of a message."""

MAX_NESTING = 50
MAX_AXIS_LENGTH = 1 << 32

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5
"""Wire types: how the value of a field is encoded."""

# numbers of fields in onnx.proto, after the name of their message
MODEL_GRAPH = 7
GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT = 5, 11, 12
VALUE_NAME, VALUE_TYPE = 1, 2
TYPE_TENSOR = 1
TENSOR_TYPE_DTYPE, TENSOR_TYPE_SHAPE = 1, 2
SHAPE_AXIS = 1
AXIS_LENGTH, AXIS_NAME = 1, 2
TENSOR_NAME, TENSOR_EXTERNAL_DATA = 8, 13
ENTRY_KEY, ENTRY_VALUE = 1, 2

Length = int | str
"""Length of an axis: a number if it is fixed, else a name, which may be empty."""

Shape = tuple[Length, ...]


@dataclass(frozen=True, slots=True)
class GraphTensor:
    """One input or output; `shape` is None if the file does not declare it."""

    name: str
    dtype: str
    shape: Shape | None


@dataclass(frozen=True, slots=True)
class Graph:
    """The inputs and outputs in order, and the names of the external files that hold weights."""

    inputs: tuple[GraphTensor, ...]
    outputs: tuple[GraphTensor, ...]
    external: tuple[str, ...]


def read_graph(data: bytes) -> Graph:
    """Read the inputs, outputs and external files of an ONNX file.

    Raises
    ------
    RecipeError
        If it is not an ONNX file, is damaged, or has inputs or outputs that are not numeric tensors.
    """
    try:
        return _read_model(memoryview(data))
    except (UnicodeDecodeError, IndexError, OverflowError):
        reason = ""
    except ValueError as error:
        reason = f": {error}" if error.args else ""
    raise RecipeError(f"it is not an ONNX file, or it is damaged{reason}", "export or download the model again")


def _read_model(data: memoryview) -> Graph:
    graphs = _messages(data, MODEL_GRAPH)
    if len(graphs) != 1:
        raise ValueError(f"{len(graphs)} graphs")
    (graph,) = graphs
    weights = {_text(each, TENSOR_NAME) for each in _messages(graph, GRAPH_INITIALIZER)}
    inputs = [each for each in _messages(graph, GRAPH_INPUT) if _text(each, VALUE_NAME) not in weights]
    return Graph(
        tuple(map(_read_tensor, inputs)),
        tuple(map(_read_tensor, _messages(graph, GRAPH_OUTPUT))),
        tuple(sorted(set(_external_files(data, "model", 0)))),
    )


def _read_tensor(message: memoryview) -> GraphTensor:
    name = _text(message, VALUE_NAME)
    types = _messages(message, VALUE_TYPE)
    tensor_types = _messages(types[-1], TYPE_TENSOR) if types else []
    if not tensor_types:
        raise RecipeError(f"its {name!r} is not a tensor", "export it with plain tensors as inputs and outputs")
    code = _number(tensor_types[-1], TENSOR_TYPE_DTYPE)
    if code not in DTYPES:
        raise RecipeError(f"its {name!r} has the unsupported ONNX type {code}", "export it with float32")
    shapes = _messages(tensor_types[-1], TENSOR_TYPE_SHAPE)
    shape = tuple(map(_read_length, _messages(shapes[-1], SHAPE_AXIS))) if shapes else None
    return GraphTensor(name, DTYPES[code], shape)


def _read_length(message: memoryview) -> Length:
    length = _number(message, AXIS_LENGTH)
    return length if 0 < length < MAX_AXIS_LENGTH else _text(message, AXIS_NAME)


def _external_files(data: memoryview, kind: str, depth: int) -> Iterator[str]:
    """Names of the external files of all tensors in a message."""
    if depth > MAX_NESTING:
        raise ValueError("nested too deeply")
    if kind == "tensor":
        entries = _messages(data, TENSOR_EXTERNAL_DATA)
        yield from (_text(entry, ENTRY_VALUE) for entry in entries if _text(entry, ENTRY_KEY) == "location")
        return
    for number, value in _fields(data):
        child = CHILDREN[kind].get(number)
        if child and isinstance(value, memoryview):
            yield from _external_files(value, child, depth + 1)


def _messages(data: memoryview, number: int) -> list[memoryview]:
    """Values of a field that holds messages; of a field that must not be repeated, the last one counts."""
    return [value for field, value in _fields(data) if field == number and isinstance(value, memoryview)]


def _text(data: memoryview, number: int) -> str:
    texts = _messages(data, number)
    return bytes(texts[-1]).decode() if texts else ""


def _number(data: memoryview, number: int) -> int:
    found = [value for field, value in _fields(data) if field == number and isinstance(value, int)]
    return found[-1] if found else 0


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field of a message; numbers of fixed width are not needed and read as 0."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, wire_type = key >> 3, key & 7
        if wire_type == VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        length, position = _field_length(data, position, wire_type)
        if length > len(data) - position:
            raise ValueError("it is truncated")
        yield number, data[position : position + length] if wire_type == BYTES else 0
        position += length


def _field_length(data: memoryview, position: int, wire_type: int) -> tuple[int, int]:
    """Length of a field in bytes, and where it starts."""
    if wire_type == BYTES:
        return _varint(data, position)
    if wire_type in {FIXED_32, FIXED_64}:
        return 4 if wire_type == FIXED_32 else 8, position
    raise ValueError


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """A number of variable length, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if not byte & 128:
            return value, position
    raise ValueError
