"""The contract of model runtimes."""

import os
import pickle
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from imgpool.core.catalogue import RUNTIMES
from imgpool.core.errors import FilterError, RecipeError, WorkerError
from imgpool.core.model import Array, Model, ModelAxis, Runtime, Size, Tensor

NOT_MODELS = {
    "empty": b"",
    "zeros": bytes(1000),
    "text": b"weights: none\n",
    "PNG": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "pickle": b"\x80\x04K\x01.",
}


class RuntimeContract:
    """Contract of model runtimes: describe a package without loading it, refuse what they cannot run, and predict.

    Attributes
    ----------
    runtimes
        The runtimes to test. Set it in the subclass.
    packages
        Paths of packages (files or folders) that each of the runtimes can run. Set it in the subclass.
    """

    runtimes: ClassVar[Iterable[Runtime]] = ()
    packages: ClassVar[Iterable[str | os.PathLike[str]]] = ()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test with every runtime, and with every package where it needs one."""
        metafunc.parametrize("runtime", [pytest.param(each, id=each.name) for each in self.runtimes])
        if "package" in metafunc.fixturenames:
            packages = [os.fspath(each) for each in self.packages]
            metafunc.parametrize("package", packages, ids=[os.path.basename(each) for each in packages])

    def test_name_summary_and_version_fit_the_catalogue(self, runtime: Runtime) -> None:
        """Each is one line; the version names the library and its release."""
        assert runtime.name == runtime.name.lower()
        for text in (runtime.summary, runtime.version()):
            assert text
            assert "\n" not in text
        assert re.search(r"\d", runtime.version()), "version() names no release"

    def test_runtime_is_found_by_its_name(self, runtime: Runtime) -> None:
        """The catalogue finds it: it is installed, and its entry point has its name."""
        assert RUNTIMES[runtime.name] is runtime

    def test_description_is_complete(self, runtime: Runtime, package: str) -> None:
        """It names the runtime and the model, and hashes the weights."""
        model = runtime.describe(package)
        assert model.runtime == runtime.name
        assert os.path.isabs(model.path)
        assert re.fullmatch("[0-9a-f]{64}", model.sha256), "sha256 is not in hexadecimal"
        assert re.fullmatch("[0-9a-f]{64}", model.digest), "digest is not in hexadecimal"
        assert model.name

    def test_tensors_have_axes_that_imgpool_knows(self, runtime: Runtime, package: str) -> None:
        """Letters of B, T, C, Z, Y and X, each once, and a dtype of NumPy."""
        model = runtime.describe(package)
        assert model.inputs
        assert model.outputs
        for tensor in (*model.inputs, *model.outputs):
            assert set(tensor.letters) <= set("BTCZYX"), f"{tensor.name}: unknown axes {tensor.letters}"
            assert len(set(tensor.letters)) == len(tensor.letters), f"{tensor.name}: an axis twice"
            np.dtype(tensor.dtype)

    def test_description_is_the_same_wherever_the_package_is(
        self, runtime: Runtime, package: str, tmp_path: Path
    ) -> None:
        """Digests depend on contents alone, and a description survives pickle on its way to a worker."""
        model, copied = runtime.describe(package), runtime.describe(copy(package, tmp_path))
        assert (copied.sha256, copied.digest) == (model.sha256, model.digest)
        assert runtime.describe(package) == model
        assert pickle.loads(pickle.dumps(model)) == model  # noqa: S301 - made in the same line

    @pytest.mark.parametrize("content", NOT_MODELS.values(), ids=list(NOT_MODELS))
    def test_other_files_are_refused(self, runtime: Runtime, content: bytes, tmp_path: Path) -> None:
        """With a `RecipeError`, so that other runtimes are asked; best, an `UnrecognisedModelError`."""
        path = tmp_path / "model.onnx"
        path.write_bytes(content)
        with pytest.raises(RecipeError) as caught:
            runtime.describe(str(path))
        assert caught.value.message

    def test_missing_package_is_refused(self, runtime: Runtime, tmp_path: Path) -> None:
        """With a `RecipeError`."""
        with pytest.raises(RecipeError):
            runtime.describe(str(tmp_path / "missing"))

    def test_truncated_package_is_refused(self, runtime: Runtime, package: str, tmp_path: Path) -> None:
        """Half of a file never loads as if it were whole."""
        path = copy(package, tmp_path)
        weights = weights_file(runtime.describe(path))
        weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
        with pytest.raises((RecipeError, WorkerError)):
            runtime.load(runtime.describe(path))

    def test_changed_weights_are_not_loaded(self, runtime: Runtime, package: str, tmp_path: Path) -> None:
        """Weights with other bytes than those described are a `WorkerError`: another model would run unnoticed."""
        path = copy(package, tmp_path)
        model = runtime.describe(path)
        weights = weights_file(model)
        weights.write_bytes(weights.read_bytes()[::-1])
        with pytest.raises(WorkerError):
            runtime.load(model)

    def test_unknown_test_array_is_refused(self, runtime: Runtime, package: str) -> None:
        """With a `RecipeError`; the arrays that a package publishes have as many axes as their tensors."""
        model = runtime.describe(package)
        with pytest.raises(RecipeError):
            runtime.test_array(model, "no such array.npy")
        for tensor in (*model.inputs, *model.outputs):
            if tensor.test_array:
                assert runtime.test_array(model, tensor.test_array).ndim == len(tensor.axes)

    def test_predictions_are_as_described(self, runtime: Runtime, package: str) -> None:
        """Every output by name, with the dtype and lengths declared; inputs unchanged; the same result twice."""
        model = runtime.describe(package)
        session, inputs = runtime.load(model), make_inputs(model)
        before = {name: array.copy() for name, array in inputs.items()}
        outputs = session.predict(inputs)
        assert set(outputs) == {tensor.name for tensor in model.outputs}
        for tensor in model.outputs:
            assert outputs[tensor.name].dtype == tensor.dtype
            assert outputs[tensor.name].ndim == len(tensor.axes)
            for axis, length in zip(tensor.axes, outputs[tensor.name].shape, strict=True):
                assert length in expected_lengths(model, axis, inputs), f"{tensor.name}: {axis.letter} is {length} long"
        again = session.predict(inputs)
        assert all(array.tobytes() == again[name].tobytes() for name, array in outputs.items()), "two results differ"
        assert all(np.array_equal(array, before[name]) for name, array in inputs.items()), "an input was changed"

    def test_wrong_inputs_are_filter_errors(self, runtime: Runtime, package: str) -> None:
        """A missing input, and one of another dtype, fail the image alone."""
        model = runtime.describe(package)
        session, inputs = runtime.load(model), make_inputs(model)
        with pytest.raises(FilterError):
            session.predict({})
        with pytest.raises(FilterError):
            session.predict({name: array.astype(np.complex64) for name, array in inputs.items()})


def copy(package: str, folder: Path) -> str:
    """Copy a package into a folder, and return its new path."""
    target = folder / os.path.basename(package)
    if os.path.isdir(package):
        shutil.copytree(package, target)
    else:
        shutil.copyfile(package, target)
    return str(target)


def weights_file(model: Model) -> Path:
    """Return the file that holds the weights: inside a folder, or the package itself."""
    return Path(model.path, model.weights) if os.path.isdir(model.path) else Path(model.path)


def make_inputs(model: Model) -> dict[str, Array]:
    """Return random arrays of the smallest size that the model takes: 0 to 1 for floats, 0 to 99 for integers."""
    random = np.random.default_rng(0)
    inputs: dict[str, Array] = {}
    for tensor in model.inputs:
        shape = [_smallest(model, axis) for axis in tensor.axes]
        inputs[tensor.name] = (random.random(shape) * (1 if "float" in tensor.dtype else 100)).astype(tensor.dtype)
    return inputs


def expected_lengths(model: Model, axis: ModelAxis, inputs: dict[str, Array]) -> range:
    """Return the lengths that an axis of an output may have."""
    if isinstance(axis.size, Size):
        return (
            range(axis.size.minimum, 2**31, axis.size.step)
            if axis.size.step
            else range(axis.size.minimum, axis.size.minimum + 1)
        )
    tensor = _tensor(model, axis.size.tensor)
    length = axis.size.length(inputs[tensor.name].shape[tensor.letters.index(axis.size.letter)])
    return range(length, length + 1)


def _smallest(model: Model, axis: ModelAxis) -> int:
    if isinstance(axis.size, Size):
        return max(axis.size.minimum, 1)
    other = _tensor(model, axis.size.tensor)
    return axis.size.length(_smallest(model, other.axes[other.letters.index(axis.size.letter)]))


def _tensor(model: Model, name: str) -> Tensor:
    return next(tensor for tensor in (*model.inputs, *model.outputs) if tensor.name == name)
