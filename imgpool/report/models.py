"""Models: those in the box, what a package expects and gives, and its published test; as text and as JSON."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from imgpool.core.catalogue import RUNTIMES
from imgpool.core.errors import RecipeError
from imgpool.core.model import Model, ModelAxis, Operation, Size, Tensor
from imgpool.models.check import Check, describe_built_in_models
from imgpool.report.listing import columns
from imgpool.report.text import StyledLine, printable

LETTERS = {"B": "batch", "T": "frames", "C": "channels", "Z": "slices", "Y": "rows", "X": "columns"}


def built_in_models_text() -> str:
    """A line for every model in the box."""
    rows = ([name, model.version, model.description] for name, model in describe_built_in_models())
    return f"{columns(rows)}\n\n`imgpool models NAME|PATH` explains one; -f model:path=NAME|PATH uses it."


def built_in_models_json() -> list[dict[str, Any]]:
    """Every model in the box."""
    return [
        {"name": name, "version": model.version, "description": model.description, "path": model.path}
        for name, model in describe_built_in_models()
    ]


def model_text(model: Model) -> str:
    """What a model expects and gives."""
    tensors = [
        *(_tensor_text("Expects", tensor, "before it") for tensor in model.inputs),
        *(_tensor_text("Gives", tensor, "after it") for tensor in model.outputs),
    ]
    return "\n\n".join([_facts_text(model), *tensors])


def model_json(model: Model) -> dict[str, Any]:
    """What a model expects and gives, as plain JSON values."""
    tensors = {
        "inputs": [_tensor_json(tensor) for tensor in model.inputs],
        "outputs": [_tensor_json(tensor) for tensor in model.outputs],
    }
    return {**asdict(model), **tensors, "computed_by": _computed_by(model)}


def check_lines(check: Check) -> Iterator[StyledLine]:
    """How far each output is from the published one."""
    for each in check.differences:
        reason = f" ({each.why})" if each.why else ""
        good = each.largest <= check.tolerance
        told = f"{each.output}: largest difference {each.largest:.2g}{reason}, tolerance {check.tolerance:g}"
        yield StyledLine(f"{'✓' if good else '✗'} {printable(told)}", "green" if good else "red")
    yield StyledLine(f"  loaded in {check.load_seconds:.2f} s, computed in {check.seconds:.2f} s")


def check_json(check: Check) -> dict[str, Any]:
    """The same as plain JSON values; null for a difference that no number tells."""
    differences = [
        {**asdict(each), "largest": None if each.largest == float("inf") else each.largest}
        for each in check.differences
    ]
    return {**asdict(check), "differences": differences, "passed": check.passed}


def _facts_text(model: Model) -> str:
    facts = {
        "path": model.path,
        "licence": model.license,
        "authors": ", ".join(model.authors),
        "weights": f"{model.weights}, sha256 {model.sha256}",
        "described by": model.format,
        "computed by": _computed_by(model) or "nothing that is installed: pip install 'imgpool[models]'",
    }
    title = f"{model.name} {model.version}".strip()
    rows = [[name, printable(value)] for name, value in facts.items() if value]
    return "\n".join(part for part in (printable(title), printable(model.description), _aligned(rows)) if part)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns that are never wrapped: paths and hashes are there to be copied."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"  {line}".rstrip() for line in lines)


def _computed_by(model: Model) -> str:
    """Library, version and provider; empty where it is not installed."""
    try:
        return RUNTIMES[model.runtime].version()
    except RecipeError:
        return ""


def _tensor_text(verb: str, tensor: Tensor, when: str) -> str:
    rows = [[axis.letter, LETTERS[axis.letter], printable(_length(axis))] for axis in tensor.axes]
    rows += [[when, "", in_words(operation)] for operation in tensor.operations]
    rows += [["test", "", printable(tensor.test)]] if tensor.test else []
    return f"{verb} {printable(tensor.name)}: {tensor.dtype}, axes {tensor.letters}\n{_aligned(rows)}"


def _length(axis: ModelAxis) -> str:
    facts = [_size(axis)]
    facts += [f"{axis.halo} at each end are cut off (halo)"] if axis.halo else []
    facts += [f"{axis.scale:g} µm per pixel"] if axis.scale else []
    facts += [", ".join(axis.names)] if axis.names else []
    return ", ".join(facts)


def _size(axis: ModelAxis) -> str:
    size = axis.size
    if isinstance(size, Size):
        if not size.step:
            return str(size.least)
        return f"{size.least} or more" if size.step == 1 else f"{size.least} + n × {size.step}"
    scaled = "" if size.scale == 1 else f" × {size.scale:g}"
    moved = f" {size.offset:+g}" if size.offset else ""
    return f"as {LETTERS[size.letter]} of {size.tensor}{scaled}{moved}"


def _tensor_json(tensor: Tensor) -> dict[str, Any]:
    in_order = [{"name": each.name, "parameters": dict(each.parameters)} for each in tensor.operations]
    return {**asdict(tensor), "axes": [asdict(axis) for axis in tensor.axes], "operations": in_order}


def in_words(operation: Operation) -> str:
    """What an operation does.

    Examples
    --------
    >>> in_words(Operation("zero_mean_unit_variance", {"axes": "YX", "eps": 1e-6}))
    'mean 0 and standard deviation 1, over YX together, with 1e-06 added to the divisor'
    """
    said = WORDS[operation.name](operation.parameters) if operation.name in WORDS else operation.name
    over = operation.parameters.get("axes")
    along = operation.parameters.get("axis")
    eps = operation.parameters.get("eps")
    said += f", over {over} together" if over else ""
    said += f", along {along}" if along else ""
    return said + (f", with {eps:g} added to the divisor" if eps else "")


def _mean_and_deviation(given: Mapping[str, Any]) -> str:
    return f"less {_number(given['mean'])}, divided by {_number(given['std'])}"


def _ends(given: Mapping[str, Any]) -> str:
    ends = [_number(given[end]) for end in ("min", "max") if end in given]
    named = [f"percentile {_number(given[end])}" for end in ("min_percentile", "max_percentile") if end in given]
    return f"clipped at {' and '.join(ends + named)}"


def _range(given: Mapping[str, Any]) -> str:
    of = f" of {given['reference_tensor']}" if "reference_tensor" in given else ""
    return f"percentiles {given['min_percentile']:g} to {given['max_percentile']:g}{of} become 0 to 1"


def _number(value: float | tuple[float, ...]) -> str:
    return " | ".join(f"{each:g}" for each in value) if isinstance(value, tuple) else f"{value:g}"


WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "binarize": lambda given: f"true above {_number(given['threshold'])}",
    "clip": _ends,
    "ensure_dtype": lambda given: f"as {given['dtype']}",
    "fixed_zero_mean_unit_variance": _mean_and_deviation,
    "scale_linear": lambda given: f"times {_number(given['gain'])}, plus {_number(given['offset'])}",
    "scale_mean_variance": lambda given: f"mean and standard deviation of {given['reference_tensor']}",
    "scale_range": _range,
    "sigmoid": lambda _: "sigmoid: 1 / (1 + exp(-x))",
    "softmax": lambda _: "softmax: shares that add up to 1",
    "zero_mean_unit_variance": lambda _: "mean 0 and standard deviation 1",
}
