"""Process one file: read, filter, write, and rename into place. Runs in a worker, or in the process of a serial run."""

import multiprocessing
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Self

from imgpool.core.engine import MemoryNeeded
from imgpool.core.errors import FilterError, ReadError
from imgpool.core.failures import explain, lacks_memory
from imgpool.core.filter import LoadedFilter
from imgpool.core.image import Image, Properties
from imgpool.core.limits import ALWAYS_ALLOWED_BYTES, MAX_PIXELS, check_limits, check_memory
from imgpool.core.recipe import Recipe
from imgpool.core.task import Result, Stage, Task
from imgpool.system.paths import openable
from imgpool.system.process_id import process_id
from imgpool.system.resources import available_memory
from imgpool.work.files import (
    check_is_file,
    format_of,
    source_hash_and_status,
)
from imgpool.work.loading import LoadLog, check_unchanged, load_filters
from imgpool.work.memory_estimate import MemoryEstimate, PeakMeasurement
from imgpool.work.placing import Destination, Placer
from imgpool.work.writing import ResultWriter


@dataclass(frozen=True, slots=True)
class Job:
    """What all tasks of a run have in common; sent to each worker once.

    Attributes
    ----------
    recipe
        The steps and the output format.
    scratch
        Folder on the file system of the output, where files are written before they are renamed into place.
    destination
        Where the results go.
    max_pixels
        Most pixels that a source may have, over all its pages.
    provenance
        Content of the files and models of each step when the run was planned (`imgpool.core.step.Step.provenance`);
        None to accept any.
    """

    recipe: Recipe
    scratch: str
    destination: Destination
    max_pixels: int = MAX_PIXELS
    provenance: tuple[Mapping[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker keeps between tasks.

    Attributes
    ----------
    job
        The job.
    filters
        Its loaded filters.
    memory_estimate
        Estimates of the memory that images take.
    writer
        Writes results.
    placer
        Puts them at their targets.
    """

    job: Job
    filters: tuple[LoadedFilter, ...]
    memory_estimate: MemoryEstimate
    writer: ResultWriter
    placer: Placer

    @classmethod
    def from_filters(cls, job: Job, filters: tuple[LoadedFilter, ...]) -> Self:
        """Return the state of a worker that has loaded the filters of a job."""
        placer = Placer(job.destination)
        memory_estimate = MemoryEstimate(job.recipe, Path(job.scratch, "memory.json"))
        return cls(job, filters, memory_estimate, ResultWriter(job.scratch, job.recipe.output.options, placer), placer)


def load_worker_state(job: Job) -> WorkerState:
    """Load the filters of a recipe; this is the initializer of a worker."""
    if multiprocessing.parent_process():
        _silence_c_libraries()
    filters = load_filters(job.recipe, LoadLog(job.scratch).add)
    check_unchanged(job.recipe, job.provenance)  # after loading: what is changed later was not loaded
    return WorkerState.from_filters(job, filters)


def _silence_c_libraries() -> None:
    """Hide what C libraries (libpng, libtiff) print on the terminal, but keep Python's stderr."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    with open(os.devnull, "wb") as devnull:
        os.dup2(devnull.fileno(), 2)


def process_file(state: WorkerState, task: Task, memory: int | None = None) -> Result:
    """Process one file; every error becomes a failed result.

    Parameters
    ----------
    state
        The state of the worker.
    task
        The file.
    memory
        Memory in bytes that the task may take; None for all there is.

    Raises
    ------
    MemoryNeeded
        If the task needs more memory than that. Nothing is left behind.
    """
    timer, budget = _TaskTimer(), _MemoryBudget(memory)
    succeeded = False
    try:
        result = _skip(state, task) or _process(state, task, timer, budget)
        succeeded = True
    except MemoryNeeded:
        raise
    except Exception as error:  # noqa: BLE001 - a bad file must not affect other files
        if memory is not None and lacks_memory(error):
            raise MemoryNeeded from None
        timer.stop()
        stage = "filter" if isinstance(error, FilterError) else timer.stage  # crop and select work while reading
        failure = explain(error, stage, budget.estimate)
        result = Result(task, "failed", failure, timer.seconds, pid=process_id(), finished=time.monotonic())
    finally:
        budget.finish(succeeded=succeeded)
    return result


@dataclass(slots=True)
class _TaskTimer:
    """Times the stages of a task, and the steps of its recipe.

    Attributes
    ----------
    stage, started
        The current stage, and when it started.
    seconds, step_seconds
        Time of each finished stage, and of each step.
    """

    stage: Stage = "read"
    started: float = field(default_factory=time.perf_counter)
    seconds: dict[str, float] = field(default_factory=dict)
    step_seconds: list[float] = field(default_factory=list)

    def enter(self, stage: Stage) -> None:
        """Stop the current stage, and start the next."""
        self.stop()
        self.stage = stage

    def stop(self) -> None:
        """Record the time of the current stage."""
        now = time.perf_counter()
        self.seconds[self.stage] = round(now - self.started, 6)
        self.started = now

    def timed(self, filter_: LoadedFilter) -> LoadedFilter:
        """Wrap a filter so that its time is recorded."""

        def timed_filter(image: Image) -> Image:
            started = time.perf_counter()
            filtered = filter_(image)
            self.step_seconds.append(round(time.perf_counter() - started, 6))
            return filtered

        return timed_filter


@dataclass(slots=True)
class _MemoryBudget:
    """The memory of a task, in bytes.

    Attributes
    ----------
    limit
        What the task may take; None for all there is.
    estimate
        What it takes by estimate; 0 before its header is read.
    """

    limit: int | None
    estimate: int = 0
    _measurement: PeakMeasurement | None = None

    def check(self, memory_estimate: MemoryEstimate, properties: Properties, file_size: int) -> None:
        """Raise `MemoryNeeded` if an image takes more than the limit; else start to measure it."""
        self.estimate = memory_estimate.expect(properties, file_size, self.limit)
        self._measurement = memory_estimate.start_measurement(properties)

    def finish(self, *, succeeded: bool) -> None:
        """Finish the measurement, so that later estimates are better."""
        if self._measurement:
            self._measurement.finish(succeeded=succeeded)


class _Source(NamedTuple):
    """A source that has been read.

    Attributes
    ----------
    task
        The task, with the size and time that the source has now.
    image
        The image, or the part that the recipe needs.
    steps_done
        Number of the recipe's first steps that reading that part has done.
    content_hash
        Hash of the file.
    """

    task: Task
    image: Image
    steps_done: int
    content_hash: str


def _skip(state: WorkerState, task: Task) -> Result | None:
    """Return the result of a task that need not run, because of the file that exists at its target."""
    if task.existing is None:
        return None
    content = state.placer.find_up_to_date(task)
    if content is None and not state.placer.must_skip(task):
        return None
    size, sha256 = content or (0, "")
    return Result(task, "skipped", written=size, sha256=sha256, pid=process_id(), finished=time.monotonic())


def _process(state: WorkerState, task: Task, timer: _TaskTimer, budget: _MemoryBudget) -> Result:
    source = _read_source(state, task, budget)
    timer.step_seconds = [0.0] * source.steps_done
    timer.enter("filter")
    image = state.job.recipe.apply_filters(
        source.image,
        map(timer.timed, state.filters[source.steps_done :]),
        changed_by_reading=source.steps_done > 0,
    )
    timer.enter("write")
    written = state.writer.write(image, source.task)
    timer.stop()
    if not written.placed:
        return Result(source.task, "skipped", seconds=timer.seconds, pid=process_id(), finished=time.monotonic())
    return Result(
        source.task,
        "done",
        seconds=timer.seconds,
        step_seconds=tuple(timer.step_seconds),
        shape=image.pixels.shape,
        dtype=_dtype_name(image.pixels.dtype),
        axes=image.axes,
        written=written.content.size,
        sha256=written.content.sha256,
        source_hash=source.content_hash,
        lost=written.lost,
        pid=process_id(),
        finished=time.monotonic(),
    )


_dtype_name = cache(str)  # NumPy builds the name of a dtype anew each time


def _read_source(state: WorkerState, task: Task, budget: _MemoryBudget) -> _Source:
    """Read the part of the source that the recipe needs; check limits and memory before anything is decoded.

    Raises
    ------
    ReadError
        If the source exceeds the limits, is damaged, or changed while it was read.
    MemoryNeeded
        If the image takes more memory than the task may take.
    """
    path = openable(task.source)
    before = os.stat(path)
    check_is_file(before)
    with format_of(path).open(path) as reader:
        properties = reader.properties
        check_limits(properties, state.job.max_pixels)
        budget.check(state.memory_estimate, properties, before.st_size)
        part, steps_done = state.job.recipe.required_part(properties)
        if budget.limit is None and properties.nbytes > ALWAYS_ALLOWED_BYTES:
            check_memory(part.infer_output(properties), available_memory)
        image = reader.read(part)
    content_hash, after = source_hash_and_status(task.source)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ReadError("it changed while it was read", "run the same command again when it is complete")
    if (before.st_size, before.st_mtime_ns) != (task.size, task.mtime_ns):
        task = replace(task, size=before.st_size, mtime_ns=before.st_mtime_ns)
    return _Source(task, image, steps_done, content_hash)
