"""The runtime for ONNX weights, in bioimage.io packages or as bare files."""

import importlib.util
import io
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

from imgpool.core.errors import FilterError, RecipeError, WorkerError
from imgpool.core.model import Array, Model, ModelAxis, Size, SizeReference, Tensor
from imgpool.models.packages.describe import check_sha256, describe_package, is_unchanged
from imgpool.models.packages.files import open_package
from imgpool.system.temporary import temporary_folder

__all__ = ["ONNX"]

PROVIDER = "CPUExecutionProvider"
INSTALL_HINT = "pip install 'imgpool[models]'"
LOG_FATAL = 4
NPY_MAGIC = b"\x93NUMPY"


@dataclass(frozen=True, slots=True)
class OnnxSession:
    """A model loaded by ONNX Runtime."""

    model: Model
    session: Any

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Compute all outputs from all inputs, by name.

        Raises
        ------
        FilterError
            If an array does not match the model's description, or the runtime fails.
        """
        model = self.model
        for tensor in model.inputs:
            _check_input(model, tensor, inputs.get(tensor.name))
        graph_names = [each.name for each in self.session.get_inputs()]
        arrays = [np.ascontiguousarray(inputs[tensor.name]) for tensor in model.inputs]
        try:
            predicted = self.session.run(None, dict(zip(graph_names, arrays, strict=True)))
        except Exception as error:
            raise FilterError(f"the model {model.name!r} fails: {_reason(error)}") from error
        outputs = {tensor.name: array for tensor, array in zip(model.outputs, predicted, strict=True)}
        for tensor in model.outputs:
            _check_output(model, tensor, outputs[tensor.name], inputs)
        return outputs


@dataclass(frozen=True, slots=True)
class OnnxRuntime:
    """The runtime plug-in."""

    name: Literal["onnx"] = "onnx"
    summary: str = "bioimage.io packages with ONNX weights, and ONNX files, by ONNX Runtime on the CPU"

    def version(self) -> str:
        """Library, version and provider; does not load the library."""
        if importlib.util.find_spec("onnxruntime") is None:
            raise _not_installed()
        try:
            version = metadata.version("onnxruntime")
        except metadata.PackageNotFoundError:  # installed under another name, such as onnxruntime-gpu
            version = _import_onnxruntime().__version__
        return f"onnxruntime {version} {PROVIDER}"

    def describe(self, path: str) -> Model:
        """Read the description of a package."""
        return describe_package(os.path.abspath(path)).model

    def test_array(self, model: Model, name: str) -> Array:
        """Read a test array of the package."""
        description = describe_package(model.path)
        try:
            data = description.package.read(name)
            check_sha256(name, data, description.test_hashes.get(name, ""))
            return _read_array(name, data)
        except RecipeError as error:
            raise RecipeError(f"the model {model.path}: {error.message}", error.hint) from None

    def load(self, model: Model) -> OnnxSession:
        """Load the weights for use by one thread in this process."""
        onnxruntime = _import_onnxruntime()
        options = _session_options(onnxruntime)
        with _weights_on_disk(model) as path:
            try:
                session = onnxruntime.InferenceSession(path, options, providers=[PROVIDER])
            except Exception as error:
                raise WorkerError(
                    f"the model {model.path} does not load: {_reason(error)}",
                    "export it again, or update the runtime (pip install -U onnxruntime)",
                ) from error
        return OnnxSession(model, session)


ONNX = OnnxRuntime()


def _import_onnxruntime() -> ModuleType:
    """Import the library with telemetry off: it opens no thread, file or connection."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ImportError as error:
        if getattr(error, "name", "") == "onnxruntime":
            raise _not_installed() from None
        raise RecipeError(
            f"the package onnxruntime cannot be imported: {error}", f"install it again: {INSTALL_HINT}"
        ) from None
    module: ModuleType = onnxruntime
    return module


def _not_installed() -> RecipeError:
    return RecipeError("models need the package onnxruntime, which is not installed", INSTALL_HINT)


def _session_options(onnxruntime: ModuleType) -> Any:  # noqa: ANN401 - the library has no types
    """Options for one thread and little memory.

    With memory patterns, the runtime takes the memory of a tile as one block, in addition to the pieces that it took
    for the first tile, and the arena keeps both. Without them, it holds half as much and is as fast. Memory held and
    CPU time for five tiles of 512 × 512 with a U-Net of 1.8 MB: patterns alone, 90 MB and 1.18 s; patterns and arena,
    205 MB and 1.00 s; arena alone, 113 MB and 1.00 s; neither, 195 MB and 1.10 s.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_mem_pattern = False
    options.log_severity_level = LOG_FATAL  # errors are raised too
    return options


@contextmanager
def _weights_on_disk(model: Model) -> Iterator[str]:
    """Path of the weights, after a check that they have not changed since; weights in a zip are unpacked temporarily.

    The runtime could take bytes instead, but would keep them for the lifetime of the session.
    """
    with ExitStack() as stack:
        try:
            path = _check_and_unpack_weights(model, stack)
        except RecipeError as error:
            raise WorkerError(f"the model {model.path} has changed: {error.message}", "start the run again") from None
        except OSError as error:
            raise WorkerError(
                f"the model {model.path} cannot be unpacked: {error.strerror}",
                "free disk space in the folder TMPDIR, or unpack the zip yourself",
            ) from None
        yield path


def _check_and_unpack_weights(model: Model, stack: ExitStack) -> str:
    """Check the weights, unless their files are unchanged; unpack those in a zip to a folder that `stack` removes."""
    package, _ = open_package(model.path)
    path, folder = package.path(model.weights), ""
    if path and is_unchanged(model):
        return path
    if not path:
        folder = stack.enter_context(temporary_folder())
        path = os.path.join(folder, model.weights)
    for name, sha256 in ((model.weights, model.sha256), *model.external):
        data = package.read(name)
        check_sha256(name, data, sha256)
        if folder:
            file = Path(folder, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
    return path


def _read_array(name: str, data: bytes) -> Array:
    """Read an array in .npy format; refuse pickles, which can run code, and data whose length is not that declared."""
    stream = io.BytesIO(data)
    if not data.startswith(NPY_MAGIC):
        found = ": it is a pickle" if data.startswith(b"\x80") else ""
        raise RecipeError(f"its {name!r} is not an array in .npy format{found}", "save it with numpy.save")
    try:
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[np.lib.format.read_magic(stream)]
        shape, _, dtype = read_header(stream)
    except (KeyError, ValueError, OSError) as error:
        raise RecipeError(f"its {name!r} is damaged: {error}", "download it again") from None
    if dtype.hasobject:
        raise RecipeError(f"its {name!r} contains a pickle, which imgpool never reads", "save plain numbers")
    if math.prod(shape) * dtype.itemsize != len(data) - stream.tell():
        raise RecipeError(f"its {name!r} is damaged: its length does not match its header", "download it again")
    stream.seek(0)
    array: Array = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _check_input(model: Model, tensor: Tensor, array: Array | None) -> None:
    if array is None:
        raise FilterError(f"the model {model.name!r} needs an input {tensor.name!r}")
    fits = array.ndim == len(tensor.axes) and all(
        axis.size.fits(length)
        for axis, length in zip(tensor.axes, array.shape, strict=True)
        if isinstance(axis.size, Size)
    )
    if not fits or array.dtype.name != tensor.dtype:
        expected = f"{tensor.dtype} ({', '.join(map(_describe_length, tensor.axes))})"
        found = f"{array.dtype.name} {array.shape}"
        raise FilterError(f"the model {model.name!r} takes {expected} as {tensor.name!r}, not {found}")


def _describe_length(axis: ModelAxis) -> str:
    if isinstance(axis.size, SizeReference):
        return f"{axis.letter} as {axis.size.letter}"
    return f"{axis.letter} {axis.size}"


def _check_output(model: Model, tensor: Tensor, array: Array, inputs: Mapping[str, Array]) -> None:
    """Refuse lengths other than those declared: tiles would land in the wrong place."""
    lengths = {each.name: dict(zip(each.letters, inputs[each.name].shape, strict=True)) for each in model.inputs}
    fits = array.ndim == len(tensor.axes) and all(
        axis.size.fits(length)
        if isinstance(axis.size, Size)
        else axis.size.length(lengths[axis.size.tensor][axis.size.letter]) == length
        for axis, length in zip(tensor.axes, array.shape, strict=True)
    )
    if not fits:
        raise FilterError(
            f"the model {model.name!r} returns {tensor.name!r} with the shape {array.shape}, unlike its description",
            "correct the description of this output",
        )


def _reason(error: Exception) -> str:
    """First line of the runtime's message, without its error codes."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", lines[0])
    return re.sub(r"^.* , Error ", "", text)
