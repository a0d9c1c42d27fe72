"""Write small ONNX files and bioimage.io packages, byte by byte, without the package ``onnx``.

An ONNX file is a protobuf message; field numbers are those of onnx.proto.
"""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np

from tests.support.hashes import content_hash

IR_VERSION, OPSET = 8, 17
FLOAT, UINT8, INT64, BOOL, DOUBLE = 1, 2, 7, 9, 11
ELEMENT = {"float32": FLOAT, "uint8": UINT8, "int64": INT64, "bool": BOOL, "float64": DOUBLE}
AXIS_IDS = {"B": "batch", "C": "channel", "T": "time"}


def write_onnx(path, kind="identity", size=None, channels=1, axes="BCYX", *, scale=3.0):
    """Write a model with one input "x" and one output "y", float32.

    Parameters
    ----------
    kind
        "identity"; "double" (x × `scale`); "sigmoid"; "box3" and "box7", the mean of the 3 or 7 pixels along each
        space axis, with zeros beyond the edge; "valid7", the same without the edge (the output is 6 shorter);
        "up2", each pixel repeated along each space axis; "down2", the mean of two; "classes", the channels of the
        input and their negatives; "mean", the mean of the channels; "pair", the input, and its negative as a second
        output "n"; "mask" (x > 0, of bool); "sqrt", which is NaN below 0; "broken", a graph that does not load.
    size
        Fixed length of the space axes, or None for any.
    channels
        Length of C; or a name for any.
    axes
        Of the input, from B, T, C, Z, Y and X; the kinds from "box3" to "mean" need B and C first.
    """
    content = onnx_bytes(kind, size, channels, axes, scale)
    Path(path).write_bytes(content)
    return Path(path)


def onnx_bytes(kind="identity", size=None, channels=1, axes="BCYX", scale=3.0):
    """The content of the file that `write_onnx` writes."""
    space = sum(letter in "ZYX" for letter in axes)
    nodes, constants = _graph(kind, channels, space, scale)
    ends = {"classes": 2 * channels, "mean": 1}
    input_shape = [_dimension(letter, size, channels) for letter in axes]
    output_shape = [_dimension(letter, _output_size(kind, size), ends.get(kind, channels)) for letter in axes]
    graph = b"".join(pb_bytes(1, node) for node in nodes) + pb_bytes(2, b"small")
    graph += b"".join(pb_bytes(5, constant) for constant in constants)
    graph += pb_bytes(11, pb_value("x", "float32", input_shape))
    graph += b"".join(pb_bytes(12, pb_value(name, _output_dtype(kind), output_shape)) for name in _outputs(kind))
    return pb_int(1, IR_VERSION) + pb_bytes(2, b"imgpool tests") + pb_bytes(7, graph) + pb_bytes(8, pb_int(2, OPSET))


def write_package(  # noqa: PLR0913 - one keyword per field of the description
    path,
    kind="identity",
    size=None,
    channels=1,
    axes="BCYX",
    *,
    scale=3.0,
    step=1,
    minimum=1,
    halo=0,
    preprocessing=(),
    postprocessing=(),
    channel_names=None,
    test_length=None,
    weights=None,
    tolerance=None,
    name="small model",
):
    """Write a bioimage.io 0.5 package: a folder, or a zip if the path ends in ".zip".

    Parameters
    ----------
    kind, size, channels, axes, scale
        Same as for `write_onnx`.
    step, minimum
        Lengths of the space axes if `size` is None.
    halo
        Halo of the output along the space axes.
    preprocessing, postprocessing
        Steps as in the description: ``[{"id": "sigmoid"}]``.
    channel_names
        Names of the output channels; by default "channel0", "channel1", ….
    test_length
        Side of the test image; by default `size`, or `minimum` and some steps. The published output is that of the
        model without processing, so do not add processing if the output matters.
    weights
        Content of the weights file instead of that of `write_onnx`.
    """
    import yaml

    weights = weights or onnx_bytes(kind, size, channels, axes, scale)
    side = test_length or size or minimum + step * max(1, 16 // step)
    shape = [1 if letter == "B" else channels if letter == "C" else side for letter in axes]
    values = np.random.default_rng(0).random(shape, np.float32)
    members = {"weights.onnx": weights, "in.npy": _npy(values), "out.npy": _npy(expected(kind, values, axes, scale))}
    ends = {"classes": 2 * channels, "mean": 1}.get(kind, channels)
    output_names = list(channel_names or [f"channel{number}" for number in range(ends)])
    input_names = [f"channel{number}" for number in range(channels)]
    length = size or {"min": minimum, "step": step}
    input_axes = [_axis(letter, length, input_names) for letter in axes]
    output_axes = [_output_axis(letter, kind, halo, output_names) for letter in axes]
    description = {
        "format_version": "0.5.4",
        "type": "model",
        "name": name,
        "version": "1.2",
        "description": "A model for tests.",
        "authors": [{"name": "imgpool tests"}],
        "cite": [{"text": "none", "url": "https://example.com"}],
        "license": "BSD-3-Clause",
        "documentation": "README.md",
        "timestamp": "2024-01-01T00:00:00+00:00",
        "inputs": [_tensor("x", input_axes, members, "in.npy", preprocessing, "preprocessing", "float32")],
        "outputs": [
            _tensor(each, output_axes, members, "out.npy", postprocessing, "postprocessing", _output_dtype(kind))
            for each in _outputs(kind)
        ],
        "weights": {"onnx": {"source": "weights.onnx", "sha256": content_hash(weights), "opset_version": OPSET}},
    }
    if tolerance is not None:
        description["config"] = {
            "bioimageio": {"reproducibility_tolerance": [{"absolute_tolerance": tolerance, "weights_format": "onnx"}]}
        }
    members["README.md"] = b"# A model for tests\n"
    members["bioimageio.yaml"] = yaml.safe_dump(description, sort_keys=False).encode()
    return _store(Path(path), members)


def expected(kind, values, axes="BCYX", scale=3.0):
    """Compute the model's output for an array with NumPy."""
    space = [number for number, letter in enumerate(axes) if letter in "ZYX"]
    if kind in {"box3", "box7", "valid7"}:
        side = 3 if kind == "box3" else 7
        if kind != "valid7":
            values = np.pad(values, [(side // 2, side // 2) if n in space else (0, 0) for n in range(values.ndim)])
        windows = np.lib.stride_tricks.sliding_window_view(values, [side] * len(space), tuple(space))
        return windows.mean(axis=tuple(range(-len(space), 0)), dtype=np.float64).astype(np.float32)
    if kind == "up2":
        for number in space:
            values = values.repeat(2, number)
        return values
    if kind == "down2":
        for number in space:
            moved = np.moveaxis(values, number, -1)
            pairs = moved[..., : moved.shape[-1] // 2 * 2].reshape(*moved.shape[:-1], -1, 2)
            values = np.moveaxis(pairs.mean(-1), -1, number)
        return values
    simple = {
        "identity": lambda: values,
        "double": lambda: values * np.float32(scale),
        "sigmoid": lambda: 1 / (1 + np.exp(-values)),
        "classes": lambda: np.concatenate([values, -values], axes.index("C")),
        "mean": lambda: values.mean(axes.index("C"), keepdims=True),
        "mask": lambda: values > 0,
        "pair": lambda: values,
        "sqrt": lambda: np.sqrt(values),
        "broken": lambda: values,
    }
    return simple[kind]()


def _graph(kind, channels, space, scale):
    """The nodes and the constants of a model."""
    ones = [1] * space
    if kind in {"box3", "box7", "valid7"}:
        side = 3 if kind == "box3" else 7
        kernel = np.full((channels, 1, *[side] * space), side**-space, np.float32)
        pads = [0 if kind == "valid7" else side // 2] * 2 * space
        attributes = {"group": channels, "pads": pads, "kernel_shape": [side] * space, "strides": ones}
        return [pb_node("Conv", ["x", "kernel"], attributes)], [pb_constant("kernel", kernel)]
    if kind == "up2":
        scales = np.array([1, 1, *[2] * space], np.float32)
        attributes = {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        }
        return [pb_node("Resize", ["x", "", "scales"], attributes)], [pb_constant("scales", scales)]
    simple = {
        "identity": lambda: ([pb_node("Identity", ["x"])], []),
        "double": lambda: ([pb_node("Mul", ["x", "by"])], [pb_constant("by", np.array(scale, np.float32))]),
        "sigmoid": lambda: ([pb_node("Sigmoid", ["x"])], []),
        "down2": lambda: (
            [pb_node("AveragePool", ["x"], {"kernel_shape": [2] * space, "strides": [2] * space})],
            [],
        ),
        "classes": lambda: (
            [pb_node("Neg", ["x"], output="n"), pb_node("Concat", ["x", "n"], {"axis": 1})],
            [],
        ),
        "mean": lambda: ([pb_node("ReduceMean", ["x"], {"axes": [1], "keepdims": 1})], []),
        "mask": lambda: ([pb_node("Greater", ["x", "zero"])], [pb_constant("zero", np.array(0, np.float32))]),
        "pair": lambda: ([pb_node("Identity", ["x"]), pb_node("Neg", ["x"], output="n")], []),
        "sqrt": lambda: ([pb_node("Sqrt", ["x"])], []),
        "broken": lambda: ([pb_node("NoSuchThing", ["x"])], []),
    }
    return simple[kind]()


def _output_size(kind, size):
    if size is None:
        return None
    return {"up2": 2 * size, "down2": size // 2, "valid7": size - 6}.get(kind, size)


def _outputs(kind):
    return ["y", "n"] if kind == "pair" else ["y"]


def _output_dtype(kind):
    return "bool" if kind == "mask" else "float32"


def _dimension(letter, size, channels):
    """A length, or a name if it is free; names of input and output are unrelated."""
    return {"B": 1, "C": channels}.get(letter, size or f"n{letter}")


def _axis(letter, length, names):
    if letter == "B":
        return {"type": "batch", "size": 1}
    if letter == "C":
        return {"type": "channel", "channel_names": names}
    if letter == "T":
        return {"type": "time", "id": "time", "size": length}
    return {"type": "space", "id": letter.lower(), "size": length}


def _output_axis(letter, kind, halo, names):
    if letter in "BC":
        return _axis(letter, None, names)
    identity = AXIS_IDS.get(letter, letter.lower())
    axis = _axis(letter, {"tensor_id": "x", "axis_id": identity}, names)
    if letter in "ZYX":
        factor = {"up2": 0.5, "down2": 2.0}.get(kind)  # relative pixel size
        axis |= {"scale": factor} if factor else {}
        axis |= {"halo": halo} if halo else {}
        if kind == "valid7":
            axis["size"]["offset"] = -6
    return axis


def _tensor(name, axes, members, test, operations, key, dtype):
    return {
        "id": name,
        "description": "",
        "axes": axes,
        "data": {"type": dtype},
        "test_tensor": {"source": test, "sha256": content_hash(members[test])},
        key: [*operations] or [{"id": "ensure_dtype", "kwargs": {"dtype": dtype}}],
    }


def _store(path, members):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path
    path.mkdir(parents=True)
    for name, content in members.items():
        (path / name).write_bytes(content)
    return path


def _npy(values):
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def _varint(number):
    """Encode a protobuf number: seven bits per byte, the lowest first; negative numbers as 64 bits."""
    number %= 2**64
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def pb_int(field, value):
    return _varint(field << 3) + _varint(value)


def pb_bytes(field, content):
    """Encode a field that holds bytes, text or a message."""
    content = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def pb_node(operator, inputs, attributes=None, output="y"):
    message = b"".join(pb_bytes(1, name) for name in inputs) + pb_bytes(2, output) + pb_bytes(4, operator)
    return message + b"".join(pb_bytes(5, _attribute(*item)) for item in (attributes or {}).items())


def _attribute(name, value):
    message = pb_bytes(1, name)
    if isinstance(value, str):
        return message + pb_bytes(4, value) + pb_int(20, 3)
    if isinstance(value, float):
        return message + _varint(2 << 3 | 5) + struct.pack("<f", value) + pb_int(20, 1)
    if isinstance(value, int):
        return message + pb_int(3, value) + pb_int(20, 2)
    return message + b"".join(pb_int(8, each) for each in value) + pb_int(20, 7)


def pb_constant(name, values):
    message = b"".join(pb_int(1, length) for length in values.shape) + pb_int(2, ELEMENT[values.dtype.name])
    return message + pb_bytes(8, name) + pb_bytes(9, values.tobytes())


def pb_value(name, dtype, lengths):
    dimensions = b"".join(
        pb_bytes(1, pb_bytes(2, length) if isinstance(length, str) else pb_int(1, length)) for length in lengths
    )
    tensor = pb_int(1, ELEMENT[dtype]) + pb_bytes(2, dimensions)
    return pb_bytes(1, name) + pb_bytes(2, pb_bytes(1, tensor))
