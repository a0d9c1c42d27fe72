"""Heavy steps of a recipe, such as models: what they are, how often they were loaded, and what that took."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from imgpool.batch.run import Runner
from imgpool.report.text import plural, printable, size

SHORT_HASH_DIGITS = 12
"""Number of digits of a SHA-256 hash that people are shown."""

SHA256_DIGITS = 64

Number = TypeVar("Number", int, float)


def preflight_lines(runner: Runner, verbosity: int = 0) -> Iterator[str]:
    """Return what loading the recipe takes, with verbosity 1; and always, if memory limits the number of workers."""
    if runner.preflight is None:
        return
    workers, planned = runner.options.workers, runner.plan.engine_options
    if verbosity > 0:
        for load in runner.preflight.loads:
            name = runner.plan.settings.recipe.steps[load.step].filter
            yield f"  {name}: loads in {_duration(load.seconds)} and takes {size(load.memory)}"
    if workers < planned.workers:
        yield (
            f"  {plural(workers, 'worker')} instead of {planned.workers}: each needs {size(runner.preflight.memory)} "
            f"for the recipe, and all together may use {size(planned.memory or 0)}"
        )


def load_lines(runner: Runner) -> Iterator[str]:
    """Return how often each heavy step was loaded, and what that took."""
    for step in loads_json(runner)["models"]:
        times = "once" if step["loads"] == 1 else f"{step['loads']:,} times"
        note = "" if step["loads"] == 1 else " each (medians)"
        yield f"{step['filter']}: loaded {times}, {_duration(step['seconds'])} and {size(step['memory'])}{note}"


def loads_json(runner: Runner) -> dict[str, Any]:
    """Return how often heavy steps were loaded; and for each, what it refers to and what loading took (medians)."""
    steps = []
    for index, step in enumerate(runner.plan.settings.recipe.steps):
        loads = [load for load in runner.loads if load.step == index]
        if loads:
            costs = {
                "loads": len(loads),
                "seconds": round(_median(load.seconds for load in loads), 3),
                "memory": _median(load.memory for load in loads),
            }
            steps.append({"filter": step.filter, **_references(runner.plan.provenance[index]), **costs})
    return {"model_loads": len(runner.loads), "models": steps}


def provenance_lines(provenance: Iterable[Mapping[str, Mapping[str, Any]]]) -> Iterator[str]:
    """Return a line for each step that uses files or models, with their identities."""
    for step in provenance:
        for filter_, parameters in step.items():
            facts = [_fact(name, value) for name, value in _references(parameters).items() if value]
            yield f"  {printable(filter_)}: {' · '.join(facts)}"


def _median(values: Iterable[Number]) -> Number:
    """Return the upper median. The module `statistics` takes too long to import."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def _references(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten what the parameters of a step refer to. A file has one entry; a model has its name, version and so on."""
    references: dict[str, Any] = {}
    for parameter, identity in provenance.items():
        references |= identity if isinstance(identity, Mapping) else {parameter: identity}
    return references


def _fact(name: str, value: object) -> str:
    """Format one entry: hashes are shortened, and the names of models and runtimes need no label."""
    text = printable(str(value))
    if len(text) == SHA256_DIGITS:
        text = text[:SHORT_HASH_DIGITS]
    return text if name in {"model", "runtime"} else f"{name} {text}"


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
