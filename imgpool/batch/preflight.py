"""A recipe's heavy steps, loaded once in a process that is thrown away: before any image is touched.

What does not load ends the run with a sentence, and no worker has to die for it. What does load is measured: that
decides how many workers there is memory for.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from imgpool.core.engine import EngineOptions
from imgpool.core.errors import FilterError, WorkerError
from imgpool.core.filter import LoadedFilter
from imgpool.core.recipe import Recipe
from imgpool.core.reference import Reference
from imgpool.core.step import Step
from imgpool.core.task import Failure
from imgpool.system.isolated import MEMORY_HINT, IsolatedError, ReportProgress, call_isolated
from imgpool.system.memory import memory_use, reset_peak_memory
from imgpool.system.resources import workers_within
from imgpool.work.loading import StepLoad, load_measured

OWN = 24 << 20
"""Bytes that a forked worker has to itself of what its host has imported: of all the rest there is one copy."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What it takes to have a recipe loaded.

    Attributes
    ----------
    loads
        Of each heavy step, in order.
    memory
        Bytes that a worker takes, beside its images, that has all of it loaded and is at work.
    peak
        The most that it takes, while it loads or later.
    """

    loads: tuple[StepLoad, ...]
    memory: int
    peak: int

    @property
    def seconds(self) -> float:
        """Of all loads together."""
        return sum(load.seconds for load in self.loads)


def try_loading(recipe: Recipe, options: EngineOptions) -> Trial | None:
    """Load a recipe in a process of its own, and end it; None if the run is stopped meanwhile.

    Parameters
    ----------
    recipe
        With heavy steps.
    options
        Of the run: its time limit holds for the loading of each step.

    Raises
    ------
    WorkerError
        If a step does not load, takes too long, or ends its process.
    """
    begun = [0]
    try:
        return call_isolated(partial(_load, recipe, forked=options.start_method != "spawn"), options, begun.append)
    except IsolatedError as error:
        raise _refusal(recipe.steps[begun[-1]], error.failure) from None


def fitted(options: EngineOptions, trial: Trial) -> EngineOptions:
    """The same with no more workers than there is memory for; what they leave is for their images.

    Raises
    ------
    WorkerError
        If not even one fits.
    """
    if options.memory is None:
        return options
    most = workers_within(options.memory, trial.memory, trial.peak)
    if not most:
        raise WorkerError(
            f"a worker that has loaded the recipe takes {trial.memory / 1e6:,.0f} MB, "
            f"and there are {options.memory / 1e6:,.0f} MB for all of them",
            f"raise --max-memory, {MEMORY_HINT}",
        )
    workers = min(options.workers, most)
    return replace(options, workers=workers, memory=options.memory - workers * trial.memory)


def _load(recipe: Recipe, tell: ReportProgress, *, forked: bool) -> Trial:
    before = memory_use().current
    shared = before - OWN if forked else 0
    kept, loads = [], []
    for number, step in enumerate(recipe.steps):
        if step.heavy:
            tell(number)
            loaded, load = load_measured(number, step)
            kept.append(loaded)
            loads.append(load)
    loading = memory_use().peak
    at_work = _rehearsed(kept)
    return Trial(tuple(loads), at_work - shared, max(loading, at_work) - shared)


def _rehearsed(filters: list[LoadedFilter]) -> int:
    """The bytes that this process holds while filters do what takes most."""
    reset_peak_memory()
    for loaded in filters:
        with suppress(FilterError):  # a model may find no sense in an image of nothing
            getattr(loaded, "rehearse", _nothing)()
    return memory_use().peak


def _nothing() -> None:
    pass


def _refusal(step: Step, failure: Failure) -> WorkerError:
    """The failure with the names of the step and of its files, unless they are in it."""
    files = [str(value) for value in step.values.values() if isinstance(value, Reference)]
    whose = f" ({', '.join(files)})" if files else ""
    named = any(file in failure.message for file in files)
    message = failure.message if named else f"the step {step.filter}{whose} does not load: {failure.message}"
    error = WorkerError(message, failure.hint)
    error.add_note(failure.traceback)
    return error
