"""ONNX Runtime: models in bioimage.io packages with ONNX weights, and bare ONNX files."""

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
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, Literal

import numpy as np

from imgpool.core.errors import FilterError, RecipeError, WorkerError
from imgpool.core.model import Array, Model, Size, SizeOf, Tensor
from imgpool.models.packages.describe import check_sha256, described, is_unchanged
from imgpool.models.packages.files import open_package

__all__ = ["ONNX"]

PROVIDER = "CPUExecutionProvider"
INSTALL = "pip install 'imgpool[models]'"
FATAL = 4
MAGIC = b"\x93NUMPY"


@dataclass(frozen=True, slots=True)
class OnnxSession:
    """A model in ONNX Runtime."""

    model: Model
    session: Any

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Compute every output, by name, from every input.

        Raises
        ------
        FilterError
            If an array is not as the model says, or the runtime fails.
        """
        model = self.model
        for tensor in model.inputs:
            _check_input(model, tensor, inputs.get(tensor.name))
        names = [each.name for each in self.session.get_inputs()]
        arrays = [np.ascontiguousarray(inputs[tensor.name]) for tensor in model.inputs]
        try:
            found = self.session.run(None, dict(zip(names, arrays, strict=True)))
        except Exception as error:
            raise FilterError(f"the model {model.name!r} fails: {_reason(error)}") from error
        outputs = {tensor.name: array for tensor, array in zip(model.outputs, found, strict=True)}
        for tensor in model.outputs:
            _check_output(model, tensor, outputs[tensor.name], inputs)
        return outputs


@dataclass(frozen=True, slots=True)
class OnnxRuntime:
    """The plug-in."""

    name: Literal["onnx"] = "onnx"
    summary: str = "bioimage.io packages with ONNX weights, and ONNX files, by ONNX Runtime on the CPU"

    def version(self) -> str:
        """Library, version and provider; the library is not loaded for it."""
        if importlib.util.find_spec("onnxruntime") is None:
            raise _missing()
        try:
            version = metadata.version("onnxruntime")
        except metadata.PackageNotFoundError:  # it can come under other names, such as onnxruntime-gpu
            version = _onnxruntime().__version__
        return f"onnxruntime {version} {PROVIDER}"

    def describe(self, path: str) -> Model:
        """What a package says."""
        return described(os.path.abspath(path)).model

    def test_array(self, model: Model, name: str) -> Array:
        """An array of the package."""
        found = described(model.path)
        try:
            data = found.package.read(name)
            check_sha256(name, data, found.tests.get(name, ""))
            return _read_array(name, data)
        except RecipeError as error:
            raise RecipeError(f"the model {model.path}: {error.message}", error.hint) from None

    def load(self, model: Model) -> OnnxSession:
        """Load the weights: one thread, in this process."""
        onnxruntime = _onnxruntime()
        options = _options(onnxruntime)
        with _weights(model) as path:
            try:
                session = onnxruntime.InferenceSession(path, options, providers=[PROVIDER])
            except Exception as error:
                raise WorkerError(
                    f"the model {model.path} does not load: {_reason(error)}",
                    "export it again, or update the runtime (pip install -U onnxruntime)",
                ) from error
        return OnnxSession(model, session)


ONNX = OnnxRuntime()


def _onnxruntime() -> ModuleType:
    """The library, imported so that it starts no telemetry: no thread, no file, no connection."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ImportError as error:
        if getattr(error, "name", "") == "onnxruntime":
            raise _missing() from None
        raise RecipeError(f"the package onnxruntime does not import: {error}", f"install it again: {INSTALL}") from None
    module: ModuleType = onnxruntime
    return module


def _missing() -> RecipeError:
    return RecipeError("models need the package onnxruntime, which is not installed", INSTALL)


def _options(onnxruntime: ModuleType) -> Any:  # noqa: ANN401 - of a library without types
    """How sessions compute.

    With memory patterns, the runtime takes what a tile needs as one block, beside the pieces that it took for the first
    tile, and the arena keeps both. Without them it holds half as much and is as fast. MB held and CPU seconds for five
    tiles of 512² through a U-Net of 1.8 MB: patterns alone 90 and 1.18, patterns and the arena 205 and 1.00, the arena
    alone 113 and 1.00, neither 195 and 1.10.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_mem_pattern = False
    options.log_severity_level = FATAL  # what goes wrong is raised, too
    return options


@contextmanager
def _weights(model: Model) -> Iterator[str]:
    """The path of the weights, which are those that were described; from a zip they are unpacked meanwhile.

    Bytes could be given to the runtime as well, but it would keep them as long as the session lives.
    """
    with ExitStack() as stack:
        try:
            path = _checked(model, stack)
        except RecipeError as error:
            raise WorkerError(f"the model {model.path} has changed: {error.message}", "start the run again") from None
        except OSError as error:
            raise WorkerError(
                f"the model {model.path} cannot be unpacked: {error.strerror}",
                "make room for it in the folder TMPDIR, or unpack it yourself",
            ) from None
        yield path


def _checked(model: Model, stack: ExitStack) -> str:
    package, _ = open_package(model.path)
    path, folder = package.path(model.weights), ""
    if path and is_unchanged(model):
        return path
    if not path:
        folder = stack.enter_context(TemporaryDirectory(prefix="imgpool-", ignore_cleanup_errors=True))
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
    """An array in .npy format, which can hold a pickle: that is refused, as is a size that is only claimed."""
    stream = io.BytesIO(data)
    if not data.startswith(MAGIC):
        kind = "it is a pickle" if data.startswith(b"\x80") else "it is none"
        raise RecipeError(f"its {name!r} is no array in .npy format: {kind}")
    try:
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[np.lib.format.read_magic(stream)]
        shape, _, dtype = read_header(stream)
    except (KeyError, ValueError, OSError) as error:
        raise RecipeError(f"its {name!r} is damaged: {error}", "download it again") from None
    if dtype.hasobject:
        raise RecipeError(f"its {name!r} holds a pickle, which is never read")
    if math.prod(shape) * dtype.itemsize != len(data) - stream.tell():
        raise RecipeError(f"its {name!r} is damaged: it is not as long as it says", "download it again")
    stream.seek(0)
    array: Array = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _check_input(model: Model, tensor: Tensor, array: Array | None) -> None:
    if array is None:
        raise FilterError(f"the model {model.name!r} needs an input {tensor.name!r}")
    sizes = [axis.size for axis in tensor.axes]
    fits = array.ndim == len(sizes) and all(
        size.fits(length) for size, length in zip(sizes, array.shape, strict=True) if isinstance(size, Size)
    )
    if not fits or array.dtype.name != tensor.dtype:
        said = f"{array.dtype.name} {array.shape}"
        raise FilterError(f"the model {model.name!r} takes {_wanted(tensor)} as {tensor.name!r}, not {said}")


def _wanted(tensor: Tensor) -> str:
    lengths = [_length(axis.letter, axis.size) for axis in tensor.axes]
    return f"{tensor.dtype} ({', '.join(lengths)})"


def _length(letter: str, size: Size | SizeOf) -> str:
    if isinstance(size, SizeOf):
        return f"{letter} as {size.letter}"
    return f"{letter} {size.least} + n × {size.step}" if size.step else f"{letter} {size.least}"


def _check_output(model: Model, tensor: Tensor, array: Array, inputs: Mapping[str, Array]) -> None:
    """Where a length is other than announced, tiles would land in the wrong place."""
    given = {each.name: dict(zip(each.letters, inputs[each.name].shape, strict=True)) for each in model.inputs}
    fits = array.ndim == len(tensor.axes) and all(
        axis.size.fits(length)
        if isinstance(axis.size, Size)
        else axis.size.length(given[axis.size.tensor][axis.size.letter]) == length
        for axis, length in zip(tensor.axes, array.shape, strict=True)
    )
    if not fits:
        raise FilterError(
            f"the model {model.name!r} gives {tensor.name!r} as {array.shape}, which is not what it says of it",
            "correct its description",
        )


def _reason(error: Exception) -> str:
    """What the runtime says, in its first line, without its codes."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", lines[0])
    return re.sub(r"^.* , Error ", "", text)
