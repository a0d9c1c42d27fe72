"""What an ONNX file says of its inputs, outputs and outside data, read from its bytes; nothing is loaded.

ONNX files are protocol buffers (https://protobuf.dev/programming-guides/encoding/) of the messages in onnx.proto
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto); only the few fields named here are looked at.
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
"""numpy's names of onnx.TensorProto.DataType."""

CHILDREN = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
}
"""Where tensors can be: the kind of message behind each field of a message."""

DEEPEST = 50
VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5
INITIALIZER, INPUT, OUTPUT = 5, 11, 12
TENSOR_NAME, EXTERNAL_DATA = 8, 13

Length = int | str
"""Of an axis: fixed, or free, by its name; the name may be empty."""


@dataclass(frozen=True, slots=True)
class Value:
    """One input or output; `shape` is None where the file does not say."""

    name: str
    dtype: str
    shape: tuple[Length, ...] | None


@dataclass(frozen=True, slots=True)
class Graph:
    """The inputs and outputs in their order, and the names of the files that hold weights beside this one."""

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    external: tuple[str, ...]


def read_graph(data: bytes) -> Graph:
    """Look into an ONNX file.

    Raises
    ------
    RecipeError
        If it is none, is damaged, or takes or gives anything but tensors of numbers.
    """
    try:
        return _graph(memoryview(data))
    except (ValueError, IndexError, OverflowError) as error:
        reason = "" if isinstance(error, IndexError) else f": {error}"
        raise RecipeError(f"it is no ONNX file, or it is damaged{reason}", "export or download it again") from None


def _graph(data: memoryview) -> Graph:
    graphs = _messages(data, 7)
    if len(graphs) != 1:
        raise ValueError(f"{len(graphs)} graphs")
    weights = {_text(each, TENSOR_NAME) for each in _messages(graphs[0], INITIALIZER)}
    inputs = [each for each in _messages(graphs[0], INPUT) if _text(each, 1) not in weights]
    return Graph(
        tuple(map(_value, inputs)),
        tuple(map(_value, _messages(graphs[0], OUTPUT))),
        tuple(sorted(set(_locations(data, "model", 0)))),
    )


def _value(message: memoryview) -> Value:
    name = _text(message, 1)
    kinds = _messages(message, 2)
    tensors = _messages(kinds[-1], 1) if kinds else []
    if not tensors:
        raise RecipeError(f"its {name!r} is no tensor", "export it with plain tensors as inputs and outputs")
    code = _number(tensors[-1], 1)
    if code not in DTYPES:
        raise RecipeError(f"its {name!r} holds values of ONNX type {code}", "export it with float32")
    shapes = _messages(tensors[-1], 2)
    return Value(name, DTYPES[code], tuple(map(_length, _messages(shapes[-1], 1))) if shapes else None)


def _length(message: memoryview) -> Length:
    value = _number(message, 1)
    return value if 0 < value < 1 << 32 else _text(message, 2)


def _locations(data: memoryview, kind: str, depth: int) -> Iterator[str]:
    """The outside files of every tensor within a message."""
    if depth > DEEPEST:
        raise ValueError("nested too deeply")
    if kind == "tensor":
        entries = _messages(data, EXTERNAL_DATA)
        yield from (_text(entry, 2) for entry in entries if _text(entry, 1) == "location")
        return
    for number, value in _fields(data):
        child = CHILDREN[kind].get(number)
        if child and isinstance(value, memoryview):
            yield from _locations(value, child, depth + 1)


def _messages(data: memoryview, number: int) -> list[memoryview]:
    return [value for field, value in _fields(data) if field == number and isinstance(value, memoryview)]


def _text(data: memoryview, number: int) -> str:
    texts = _messages(data, number)
    return bytes(texts[-1]).decode() if texts else ""


def _number(data: memoryview, number: int) -> int:
    found = [value for field, value in _fields(data) if field == number and isinstance(value, int)]
    return found[-1] if found else 0


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The number and value of each field of a message; numbers of fixed width come as 0, none is needed."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire = key & 7
        if wire == VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if wire == BYTES:
            length, at = _varint(data, at)
        elif wire in {FIXED_32, FIXED_64}:
            length = 4 if wire == FIXED_32 else 8
        else:
            raise ValueError("not a protocol buffer")
        if length > len(data) - at:
            raise ValueError("it is cut off")
        yield key >> 3, data[at : at + length] if wire == BYTES else 0
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if not byte & 128:
            return value, at
    raise ValueError("not a protocol buffer")
