"""What was loaded once per worker: what it is, how often that was, and what it took."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from imgpool.batch.run import Runner
from imgpool.report.text import plural, printable, size

HASH_DIGITS = 12
"""Of a sha256 that is shown to people."""


def preflight_lines(runner: Runner, verbosity: int = 0) -> Iterator[str]:
    """What loading the recipe takes, with a verbosity of 1; and always, that there is memory for fewer workers."""
    if runner.preflight is None:
        return
    workers, planned = runner.options.workers, runner.plan.engine_options
    if verbosity > 0:
        for load in runner.preflight.loads:
            name = runner.plan.settings.recipe.steps[load.step].filter
            yield f"  {name}: tried, it loads in {_took(load.seconds)} and takes {size(load.memory)}"
    if workers < planned.workers:
        yield (
            f"  {plural(workers, 'worker')} instead of {planned.workers}: with the recipe loaded, each takes "
            f"{size(runner.preflight.memory)}, and all together may take {size(planned.memory or 0)}"
        )


def load_lines(runner: Runner) -> Iterator[str]:
    """How often each heavy step was loaded, and what that took."""
    for each in loads_json(runner)["models"]:
        times = "once" if each["loads"] == 1 else f"{each['loads']:,} times"
        each_time = "" if each["loads"] == 1 else " each (medians)"
        yield f"{each['filter']}: loaded {times}, {_took(each['seconds'])} and {size(each['memory'])}{each_time}"


def _took(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def loads_json(runner: Runner) -> dict[str, Any]:
    """How often heavy steps were loaded, and each of them: what it is, and what loading it took."""
    models = []
    for number, step in enumerate(runner.plan.settings.recipe.steps):
        loads = [load for load in runner.loads if load.step == number]
        if loads:
            middle = len(loads) // 2
            took = {
                "loads": len(loads),
                "seconds": round(sorted(load.seconds for load in loads)[middle], 3),
                "memory": sorted(load.memory for load in loads)[middle],
            }
            models.append({"filter": step.filter, **_identity(runner.plan.provenance[number]), **took})
    return {"model_loads": len(runner.loads), "models": models}


def _identity(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """What the parameters of a step refer to; a model by its name, version and so on."""
    identity: dict[str, Any] = {}
    for parameter, known in provenance.items():
        identity |= known if isinstance(known, Mapping) else {parameter: known}
    return identity


def provenance_lines(provenance: Iterable[Mapping[str, Mapping[str, Any]]]) -> Iterator[str]:
    """What a recipe's files and models are, a line for each step that has any."""
    for step in provenance:
        for filter_, parameters in step.items():
            facts = [_fact(name, value) for name, value in _identity(parameters).items() if value]
            yield f"  {printable(filter_)}: {' · '.join(facts)}"


def _fact(name: str, value: object) -> str:
    """A hash is cut short; what a model is called by needs no name of its own."""
    text = printable(str(value))
    if len(text) == 64:  # noqa: PLR2004 - the digits of a sha256
        text = text[:HASH_DIGITS]
    return text if name in {"model", "runtime"} else f"{name} {text}"
