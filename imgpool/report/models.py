"""Models as text and as JSON: the built-in ones, inputs and outputs of one model, and the result of its test."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from imgpool.core.catalogue import RUNTIMES
from imgpool.core.errors import RecipeError
from imgpool.core.model import Model, ModelAxis, Operation, Size, SizeReference, Tensor, tensor_as_dict
from imgpool.models.check import ModelCheck, TensorDifference, describe_built_in_models
from imgpool.report.hints import with_options
from imgpool.report.listing import format_table
from imgpool.report.text import StyledLine, printable

AXIS_NAMES = {"B": "batch", "T": "frames", "C": "channels", "Z": "slices", "Y": "rows", "X": "columns"}


def built_in_models_text() -> str:
    """Return a table with one line for each built-in model."""
    rows = ([name, model.version, model.description] for name, model in describe_built_in_models())
    return f"{format_table(rows)}\n\n`imgpool models NAME|PATH` describes a model; -f model:path=NAME|PATH applies it."


def built_in_models_json() -> list[dict[str, Any]]:
    """Describe all built-in models."""
    return [
        {"name": name, "version": model.version, "description": model.description, "path": model.path}
        for name, model in describe_built_in_models()
    ]


def model_text(model: Model) -> str:
    """Describe a model, its inputs and its outputs."""
    tensors = [
        *(_tensor_text("Input", tensor, "preprocessing") for tensor in model.inputs),
        *(_tensor_text("Output", tensor, "postprocessing") for tensor in model.outputs),
    ]
    return "\n\n".join([_facts_text(model), *tensors])


def model_json(model: Model) -> dict[str, Any]:
    """Describe a model, its inputs and its outputs as plain JSON values."""
    tensors = {
        "inputs": [tensor_as_dict(tensor) for tensor in model.inputs],
        "outputs": [tensor_as_dict(tensor) for tensor in model.outputs],
    }
    return {**asdict(model), **tensors, "computed_by": _runtime(model)}


def check_lines(check: ModelCheck) -> Iterator[StyledLine]:
    """Return how much each output differs from the published one, and whether that is within the tolerance."""
    for each in check.differences:
        reason = f" ({each.reason})" if each.reason else ""
        mark, style = ("✓", "green") if each.largest <= check.tolerance else ("✗", "red")
        text = f"{each.output}: largest difference {each.largest:.2g}{reason}, tolerance {check.tolerance:g}"
        yield StyledLine(f"{mark} {printable(with_options(text))}", style)
    yield StyledLine(f"  loaded in {check.load_seconds:.2f} s, computed in {check.predict_seconds:.2f} s")


def check_json(check: ModelCheck) -> dict[str, Any]:
    """Return the result of a test as plain JSON values; null for an infinite difference."""
    return {
        "differences": [_difference_json(each) for each in check.differences],
        "load_seconds": check.load_seconds,
        "seconds": check.predict_seconds,
        "tolerance": check.tolerance,
        "passed": check.passed,
    }


def _difference_json(difference: TensorDifference) -> dict[str, Any]:
    largest = None if difference.largest == float("inf") else difference.largest
    return {"output": difference.output, "largest": largest, "why": difference.reason}


def _facts_text(model: Model) -> str:
    facts = {
        "path": model.path,
        "licence": model.license,
        "authors": ", ".join(model.authors),
        "weights": f"{model.weights}, sha256 {model.sha256}",
        "package format": model.format,
        "runtime": _runtime(model) or "not installed: pip install 'imgpool[models]'",
    }
    title = f"{model.name} {model.version}".strip()
    rows = [[name, printable(value)] for name, value in facts.items() if value]
    return "\n".join(part for part in (printable(title), printable(model.description), _aligned(rows)) if part)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Align columns without wrapping them, so that paths and hashes can be copied."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"  {line}".rstrip() for line in lines)


def _runtime(model: Model) -> str:
    """Return library, version and provider of the model's runtime; empty if it is not installed."""
    try:
        return RUNTIMES[model.runtime].version()
    except RecipeError:
        return ""


def _tensor_text(role: str, tensor: Tensor, processing: str) -> str:
    rows = [[axis.letter, AXIS_NAMES[axis.letter], printable(_length(axis))] for axis in tensor.axes]
    rows += [[processing, "", describe_operation(operation)] for operation in tensor.operations]
    rows += [["test data", "", printable(tensor.test_array)]] if tensor.test_array else []
    return f"{role} {printable(tensor.name)}: {tensor.dtype}, axes {tensor.letters}\n{_aligned(rows)}"


def _length(axis: ModelAxis) -> str:
    facts = [_size(axis.size)]
    facts += [f"{axis.halo} cropped at each end (halo)"] if axis.halo else []
    facts += [f"{axis.pixel_size:g} µm per pixel"] if axis.pixel_size else []
    facts += [", ".join(axis.channel_names)] if axis.channel_names else []
    return ", ".join(facts)


def _size(size: Size | SizeReference) -> str:
    if isinstance(size, Size):
        return f"{size.minimum} or more" if size.step == 1 else str(size)
    scale = "" if size.scale == 1 else f" × {size.scale:g}"
    offset = f" {size.offset:+g}" if size.offset else ""
    return f"same as {AXIS_NAMES[size.letter]} of {size.tensor}{scale}{offset}"


def describe_operation(operation: Operation) -> str:
    """Describe what an operation of pre- or postprocessing does.

    Examples
    --------
    >>> describe_operation(Operation("zero_mean_unit_variance", {"axes": "YX", "eps": 1e-6}))
    'normalise to mean 0 and standard deviation 1, over YX together, with 1e-06 added to the divisor'
    """
    parameters = operation.parameters
    describe = OPERATION_TEXTS.get(operation.name)
    parts = [describe(parameters) if describe else operation.name]
    if axes := parameters.get("axes"):
        parts.append(f"over {axes} together")
    if axis := parameters.get("axis"):
        parts.append(f"along {axis}")
    if eps := parameters.get("eps"):
        parts.append(f"with {eps:g} added to the divisor")
    return ", ".join(parts)


def _fixed_normalization(parameters: Mapping[str, Any]) -> str:
    return f"subtract {_number(parameters['mean'])}, divide by {_number(parameters['std'])}"


def _clip(parameters: Mapping[str, Any]) -> str:
    limits = [_number(parameters[name]) for name in ("min", "max") if name in parameters]
    percentiles = [parameters[name] for name in ("min_percentile", "max_percentile") if name in parameters]
    limits += [f"percentile {_number(percentile)}" for percentile in percentiles]
    return f"clip at {' and '.join(limits)}"


def _scale_range(parameters: Mapping[str, Any]) -> str:
    of = f" of {parameters['reference_tensor']}" if "reference_tensor" in parameters else ""
    low, high = parameters["min_percentile"], parameters["max_percentile"]
    return f"map percentiles {low:g} to {high:g}{of} to 0 to 1"


def _number(value: float | tuple[float, ...]) -> str:
    return " | ".join(f"{each:g}" for each in value) if isinstance(value, tuple) else f"{value:g}"


OPERATION_TEXTS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "binarize": lambda parameters: f"true above {_number(parameters['threshold'])}",
    "clip": _clip,
    "ensure_dtype": lambda parameters: f"convert to {parameters['dtype']}",
    "fixed_zero_mean_unit_variance": _fixed_normalization,
    "scale_linear": lambda parameters: (
        f"multiply by {_number(parameters['gain'])}, add {_number(parameters['offset'])}"
    ),
    "scale_mean_variance": lambda parameters: (
        f"normalise to the mean and standard deviation of {parameters['reference_tensor']}"
    ),
    "scale_range": _scale_range,
    "sigmoid": lambda _: "sigmoid: 1 / (1 + exp(-x))",
    "softmax": lambda _: "softmax: values that add up to 1",
    "zero_mean_unit_variance": lambda _: "normalise to mean 0 and standard deviation 1",
}
"""Returns the description of each operation, given its parameters."""
