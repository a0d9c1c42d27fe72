"""What a model package says of itself, and whether it gives what it was published with."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from imgpool.core.catalogue import RUNTIMES
from imgpool.core.engine import EngineOptions
from imgpool.core.errors import RecipeError, RunError, UsageError, WorkerError
from imgpool.core.model import Array, Model, ModelReference, Tensor, built_in_models
from imgpool.system.isolated import IsolatedError, ReportProgress, call_isolated

TOLERANCE = 1e-4
"""Largest difference from a published output, where the package allows no other."""

SECONDS = 900.0
"""What a model may take for its test."""


def describe_built_in_models() -> Iterator[tuple[str, Model]]:
    """Every model that comes with imgpool, by the name that ``model:path=NAME`` takes."""
    for name in built_in_models():
        yield name, find_model(name)


def find_model(name: str) -> Model:
    """What a package says; nothing of it is loaded.

    Parameters
    ----------
    name
        Of a model in the box, or a path: of a folder, a zip or an ONNX file.

    Raises
    ------
    UsageError
        If nothing is there.
    RecipeError
        If the package is damaged, or asks for what is not supported.
    """
    from imgpool.models.plan import describe

    try:
        reference = ModelReference.parse(name)
    except ValueError as error:
        raise UsageError(str(error), "`imgpool models` lists those in the box") from None
    return describe(reference.path)


@dataclass(frozen=True, slots=True)
class Difference:
    """How far an output is from the published one.

    Attributes
    ----------
    output
        Its name.
    largest
        The largest absolute difference; infinite where shape, type or places of NaN differ.
    why
        What differs besides values; empty if that is all.
    """

    output: str
    largest: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A model's published test.

    Attributes
    ----------
    differences
        Of each output that has been published.
    load_seconds, seconds
        What it took to load the model, and to compute the test.
    tolerance
        Largest difference that is allowed.
    """

    differences: tuple[Difference, ...]
    load_seconds: float
    seconds: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether every output is as published."""
        return all(each.largest <= self.tolerance for each in self.differences)


def check_model(model: Model, timeout: float = SECONDS) -> Check:
    """Run a model's published test, with all processing, in a process of its own.

    Parameters
    ----------
    model
        As `find_model` gives it.
    timeout
        Seconds for it.

    Raises
    ------
    RecipeError
        If the package has no test, or its arrays are damaged.
    RunError
        If the model does not load, or fails.
    """
    if not all(tensor.test for tensor in model.inputs) or not any(tensor.test for tensor in model.outputs):
        raise RecipeError(
            f"the model {model.path} has no published test: arrays for its inputs and an output",
            "compare some results of it by eye",
        )
    RUNTIMES[model.runtime].version()
    try:
        check = call_isolated(partial(_check, model), EngineOptions(timeout=timeout))
    except IsolatedError as error:
        raise _explained(model, error) from None
    assert check is not None  # nobody stops it
    return check


def _explained(model: Model, error: IsolatedError) -> UsageError | RunError:
    failure = error.failure
    named = os.path.basename(model.path) in failure.message
    message = failure.message if named else f"the model {model.path} does not work: {failure.message}"
    kind = RecipeError if failure.error == "RecipeError" else WorkerError
    explained = kind(message, failure.hint)
    explained.add_note(failure.traceback)
    return explained


def _check(model: Model, _tell: ReportProgress) -> Check:
    runtime = RUNTIMES[model.runtime]
    inputs = {tensor.name: runtime.test_array(model, tensor.test) for tensor in model.inputs}
    published = {tensor.name: runtime.test_array(model, tensor.test) for tensor in model.outputs if tensor.test}
    started = time.perf_counter()
    session = runtime.load(model)
    loaded = time.perf_counter()
    outputs = session.predict({tensor.name: _prepared(tensor, inputs[tensor.name]) for tensor in model.inputs})
    found = {
        tensor.name: _finished(model, tensor, outputs[tensor.name], inputs)
        for tensor in model.outputs
        if tensor.name in published
    }
    return Check(
        differences=tuple(difference(name, found[name], array) for name, array in published.items()),
        load_seconds=loaded - started,
        seconds=time.perf_counter() - loaded,
        tolerance=TOLERANCE if model.tolerance is None else model.tolerance,
    )


def _prepared(tensor: Tensor, array: Array) -> Array:
    """An input as the model takes it: each sample of the batch by itself."""
    from imgpool.models.processing import convert, process

    samples = [process(tensor.operations, np.array(each), _letters(tensor)) for each in _samples(tensor, array)]
    return convert(_batch(tensor, samples), np.dtype(tensor.dtype))


def _finished(model: Model, tensor: Tensor, array: Array, inputs: dict[str, Array]) -> Array:
    """An output after its processing, which may refer to the inputs as they were before theirs."""
    from imgpool.models.processing import process

    samples = []
    for number, sample in enumerate(_samples(tensor, array)):
        references = {
            given.name: (_samples(given, inputs[given.name])[number], _letters(given)) for given in model.inputs
        }
        samples.append(process(tensor.operations, np.array(sample), _letters(tensor), references))
    return _batch(tensor, samples)


def _letters(tensor: Tensor) -> str:
    return tensor.letters.replace("B", "")


def _samples(tensor: Tensor, array: Array) -> list[Array]:
    """The samples of a batch; the whole where there is no such axis."""
    return list(np.moveaxis(array, tensor.letters.index("B"), 0)) if "B" in tensor.letters else [array]


def _batch(tensor: Tensor, samples: list[Array]) -> Array:
    return np.stack(samples, axis=tensor.letters.index("B")) if "B" in tensor.letters else samples[0]


def difference(output: str, found: Array, published: Array) -> Difference:
    """How far an output is from the published one; masks count as 0 and 1."""
    if found.shape != published.shape:
        return Difference(output, float("inf"), f"shape {found.shape}, published {published.shape}")
    one, other = (each.astype(np.float64) for each in (found, published))
    if not np.array_equal(np.isnan(one), np.isnan(other)):
        return Difference(output, float("inf"), "NaN in other places")
    same = (one == other) | np.isnan(one)  # infinities too
    apart = np.abs(np.subtract(one, other, where=~same, out=np.zeros_like(one)))
    return Difference(output, float(apart.max(initial=0.0)))
