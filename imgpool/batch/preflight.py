"""Load the heavy steps of a recipe once in a separate process, before any image is touched.

A step that does not load ends the run with a message, and no worker has to crash for it. A step that loads is
measured: the memory that it takes limits the number of workers.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from imgpool.core.engine import EngineOptions
from imgpool.core.errors import FilterError, WorkerError
from imgpool.core.filter import LoadedFilter
from imgpool.core.hint import Hint
from imgpool.core.recipe import Recipe
from imgpool.core.reference import Reference
from imgpool.core.step import Step
from imgpool.core.task import Failure
from imgpool.system.isolated import MEMORY_HINT, IsolatedError, ReportProgress, call_isolated
from imgpool.system.memory import memory_use, reset_peak_memory
from imgpool.system.resources import workers_within
from imgpool.system.start_limit import START_TIMEOUT_S
from imgpool.system.start_methods import supported_start_method
from imgpool.work.loading import StepLoad, load_measured

FORKED_WORKER_BYTES = 24 << 20
"""Memory of a forked worker that it does not share with the process it was forked from."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """Time and memory that loading a recipe takes.

    Attributes
    ----------
    loads
        One for each heavy step, in order.
    memory
        Bytes that a worker holds with the whole recipe loaded while it filters, without its images.
    peak
        The most bytes that it holds, while loading or later.
    """

    loads: tuple[StepLoad, ...]
    memory: int
    peak: int

    @property
    def seconds(self) -> float:
        """Time that loading all steps takes."""
        return sum(load.seconds for load in self.loads)


def run_preflight(recipe: Recipe, options: EngineOptions) -> Preflight | None:
    """Load a recipe in a separate process and end that process; None if the run is stopped meanwhile.

    Parameters
    ----------
    recipe
        A recipe with heavy steps.
    options
        Options of the run; the time limit applies to each step.

    Raises
    ------
    WorkerError
        If a step does not load, takes too long or hangs, or crashes the process.
    """
    started_steps = [0]  # an error before the first report is attributed to the first step
    load = partial(_load_all, recipe, forked=supported_start_method(options.start_method) != "spawn")
    try:
        return call_isolated(load, options, started_steps.append, total_timeout_s=START_TIMEOUT_S)
    except IsolatedError as error:
        raise _load_error(recipe.steps[started_steps[-1]], error.failure) from None


def limit_workers(options: EngineOptions, preflight: Preflight) -> EngineOptions:
    """Reduce the number of workers to what fits into memory, and leave the rest of the memory for images.

    Raises
    ------
    WorkerError
        If not even one worker fits.
    """
    if options.memory is None:
        return options
    fitting = workers_within(options.memory, preflight.memory, preflight.peak)
    if not fitting:
        raise WorkerError(
            f"a worker with the recipe loaded needs {preflight.memory / 1e6:,.0f} MB, "
            f"but the limit for all workers is {options.memory / 1e6:,.0f} MB",
            f"raise {Hint('max_memory')}, {MEMORY_HINT}",
        )
    workers = min(options.workers, fitting)
    return replace(options, workers=workers, memory=options.memory - workers * preflight.memory)


def _load_all(recipe: Recipe, report_step: ReportProgress, *, forked: bool) -> Preflight:
    before = memory_use().current
    shared = before - FORKED_WORKER_BYTES if forked else 0
    filters, loads = [], []
    for number, step in enumerate(recipe.steps):
        if step.heavy:
            report_step(number)
            loaded, load = load_measured(number, step)
            filters.append(loaded)
            loads.append(load)
    peak_loading = memory_use().peak
    peak_filtering = _rehearse(filters)
    return Preflight(tuple(loads), peak_filtering - shared, max(peak_loading, peak_filtering) - shared)


def _rehearse(filters: list[LoadedFilter]) -> int:
    """Let each filter do what takes the most memory; return the peak memory of this process in bytes."""
    reset_peak_memory()
    for loaded in filters:
        with suppress(FilterError):  # a model may refuse an empty image
            getattr(loaded, "rehearse", _do_nothing)()
    return memory_use().peak


def _do_nothing() -> None:
    pass


def _load_error(step: Step, failure: Failure) -> WorkerError:
    """Make an error that names the step and its files."""
    files = [str(value) for value in step.values.values() if isinstance(value, Reference)]
    with_files = f" ({', '.join(files)})" if files else ""
    names_file = any(file in failure.message for file in files)
    message = failure.message if names_file else f"the step {step.filter}{with_files} does not load: {failure.message}"
    error = WorkerError(message, failure.hint)
    error.add_note(failure.traceback)
    return error
