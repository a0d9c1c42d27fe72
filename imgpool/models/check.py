"""Find models, and run the tests that their packages publish."""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from imgpool.core.catalogue import RUNTIMES
from imgpool.core.engine import EngineOptions
from imgpool.core.errors import RecipeError, RunError, UsageError, WorkerError
from imgpool.core.model import Array, Model, ModelReference, Tensor, built_in_models
from imgpool.system.isolated import IsolatedError, ReportProgress, call_isolated

DEFAULT_TOLERANCE = 1e-4
"""Largest difference from a published output, unless the package declares another."""

DEFAULT_TIMEOUT_S = 900.0


@dataclass(frozen=True, slots=True)
class TensorDifference:
    """How much a computed output differs from the published one.

    Attributes
    ----------
    output
        Name of the output.
    largest
        Largest absolute difference; infinite if the shape or the positions of NaN differ.
    reason
        What differs other than values ("NaN in other places"); empty if nothing does.
    """

    output: str
    largest: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """Result of a model's published test.

    Attributes
    ----------
    differences
        For each published output.
    load_seconds, predict_seconds
        Time to load the model, and to compute the test.
    tolerance
        Largest difference that is allowed.
    """

    differences: tuple[TensorDifference, ...]
    load_seconds: float
    predict_seconds: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether every output is within the tolerance."""
        return all(each.largest <= self.tolerance for each in self.differences)


def describe_built_in_models() -> Iterator[tuple[str, Model]]:
    """Describe all built-in models; yields the name for ``model:path=NAME`` and the model."""
    for name in built_in_models():
        yield name, find_model(name)


def find_model(name: str) -> Model:
    """Describe a model; it is not loaded.

    Parameters
    ----------
    name
        Name of a built-in model, or the path of a folder, a zip or an ONNX file.

    Raises
    ------
    UsageError
        If there is no such model.
    RecipeError
        If the package is damaged, or needs something that is not supported.
    """
    from imgpool.models.plan import describe_model

    try:
        reference = ModelReference.parse(name)
    except ValueError as error:
        raise UsageError(str(error), "give a built-in model, a package (folder or zip) or an ONNX file") from None
    return describe_model(reference.path)


def check_model(model: Model, timeout: float = DEFAULT_TIMEOUT_S) -> ModelCheck:
    """Run a model's published test, with all processing, in a process of its own.

    Parameters
    ----------
    model
        From `find_model`.
    timeout
        Maximum time in seconds.

    Raises
    ------
    RecipeError
        If the package has no test, or its test arrays are damaged.
    RunError
        If the model does not load, fails, or takes too long.
    """
    if not all(tensor.test_array for tensor in model.inputs) or not any(tensor.test_array for tensor in model.outputs):
        raise RecipeError(
            f"the model {model.path} has no published test (arrays for its inputs and an output)",
            "look at some of its results instead",
        )
    RUNTIMES[model.runtime].version()
    try:
        check = call_isolated(partial(_run_test, model), EngineOptions(timeout=timeout))
    except IsolatedError as error:
        raise _explain_error(model, error) from None
    assert check is not None  # the call is never cancelled
    return check


def compare_arrays(output: str, found: Array, published: Array) -> TensorDifference:
    """Compare a computed output with the published one; masks count as 0 and 1."""
    if found.shape != published.shape:
        return TensorDifference(output, float("inf"), f"shape {found.shape}, published {published.shape}")
    found, published = (array.astype(np.float64) for array in (found, published))
    if not np.array_equal(np.isnan(found), np.isnan(published)):
        return TensorDifference(output, float("inf"), "NaN in other places")
    equal = (found == published) | np.isnan(found)  # includes infinities, whose difference is NaN
    differences = np.abs(np.subtract(found, published, where=~equal, out=np.zeros_like(found)))
    return TensorDifference(output, float(differences.max(initial=0.0)))


def _explain_error(model: Model, error: IsolatedError) -> UsageError | RunError:
    failure = error.failure
    names_model = os.path.basename(model.path) in failure.message
    message = failure.message if names_model else f"the model {model.path} fails: {failure.message}"
    kind = RecipeError if failure.error == "RecipeError" else WorkerError
    explained = kind(message, failure.hint)
    explained.add_note(failure.traceback)
    return explained


def _run_test(model: Model, _report: ReportProgress) -> ModelCheck:
    runtime = RUNTIMES[model.runtime]
    inputs = {tensor.name: runtime.test_array(model, tensor.test_array) for tensor in model.inputs}
    tested = [tensor for tensor in model.outputs if tensor.test_array]
    published = {tensor.name: runtime.test_array(model, tensor.test_array) for tensor in tested}
    started = time.perf_counter()
    session = runtime.load(model)
    loaded = time.perf_counter()
    outputs = session.predict({tensor.name: _preprocess(tensor, inputs[tensor.name]) for tensor in model.inputs})
    found = {tensor.name: _postprocess(model, tensor, outputs[tensor.name], inputs) for tensor in tested}
    return ModelCheck(
        differences=tuple(compare_arrays(name, found[name], array) for name, array in published.items()),
        load_seconds=loaded - started,
        predict_seconds=time.perf_counter() - loaded,
        tolerance=DEFAULT_TOLERANCE if model.tolerance is None else model.tolerance,
    )


def _preprocess(tensor: Tensor, batch: Array) -> Array:
    """Preprocess each sample of the batch by itself."""
    from imgpool.models.processing import apply_operations, convert

    samples = [
        apply_operations(tensor.operations, np.array(sample), tensor.sample_letters)
        for sample in _split_batch(tensor, batch)
    ]
    return convert(_join_batch(tensor, samples), np.dtype(tensor.dtype))


def _postprocess(model: Model, tensor: Tensor, batch: Array, inputs: Mapping[str, Array]) -> Array:
    """Postprocess each sample of the batch; operations may refer to the inputs before preprocessing."""
    from imgpool.models.processing import apply_operations

    samples = []
    for number, sample in enumerate(_split_batch(tensor, batch)):
        references = {
            input_.name: (_split_batch(input_, inputs[input_.name])[number], input_.sample_letters)
            for input_ in model.inputs
        }
        samples.append(apply_operations(tensor.operations, np.array(sample), tensor.sample_letters, references))
    return _join_batch(tensor, samples)


def _split_batch(tensor: Tensor, array: Array) -> list[Array]:
    """The samples of a batch; the array itself if there is no batch axis."""
    return list(np.moveaxis(array, tensor.letters.index("B"), 0)) if "B" in tensor.letters else [array]


def _join_batch(tensor: Tensor, samples: list[Array]) -> Array:
    return np.stack(samples, axis=tensor.letters.index("B")) if "B" in tensor.letters else samples[0]
