"""Process one file: read, filter, write, and rename into place. Runs in a worker, or in the process of a serial run."""

import errno
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from imgpool.core.engine import MemoryNeeded
from imgpool.core.errors import FilterError, ReadError, WriteError
from imgpool.core.failures import explain, lacks_memory
from imgpool.core.filter import LoadedFilter
from imgpool.core.hint import Hint
from imgpool.core.image import Image, Properties
from imgpool.core.limits import ALWAYS_ALLOWED_BYTES, MAX_PIXELS, check_limits, check_memory
from imgpool.core.recipe import Recipe
from imgpool.core.task import Result, Stage, Task
from imgpool.system.resources import available_memory
from imgpool.work.files import (
    check_is_file,
    format_of,
    size_and_hash,
    source_hash_and_status,
    temporary_name,
    write_as,
)
from imgpool.work.loading import LoadLog, check_unchanged, load_filters
from imgpool.work.memory_estimate import MemoryEstimate, PeakMeasurement
from imgpool.work.placing import Destination

DISK_FULL_BYTES = 64 * 1024
"""A disk with less free space than this is full: no image fits."""


@dataclass(frozen=True, slots=True)
class Job:
    """What all tasks of a run have in common; sent to each worker once.

    Attributes
    ----------
    recipe
        The steps and the output format.
    scratch
        Folder on the file system of the output, where files are written before they are renamed into place.
    max_pixels
        Most pixels that a source may have, over all its pages.
    provenance
        Content of the files and models of each step when the run was planned (`imgpool.core.step.Step.provenance`);
        None to accept any.
    destination
        Where the results go; None to replace whatever exists at a target.
    """

    recipe: Recipe
    scratch: str
    max_pixels: int = MAX_PIXELS
    provenance: tuple[Mapping[str, Any], ...] | None = None
    destination: Destination | None = None


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker keeps between tasks: the job, its loaded filters, and estimates of the memory that images take."""

    job: Job
    filters: tuple[LoadedFilter, ...]
    memory_estimate: MemoryEstimate


def load_worker_state(job: Job) -> WorkerState:
    """Load the filters of a recipe; this is the initializer of a worker."""
    if multiprocessing.parent_process():
        _silence_c_libraries()
    filters = load_filters(job.recipe, LoadLog(job.scratch).add)
    check_unchanged(job.recipe, job.provenance)  # after loading: what is changed later was not loaded
    return WorkerState(job, filters, MemoryEstimate(job.recipe, Path(job.scratch, "memory.json")))


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
        result = _process(state, task, timer, budget)
        succeeded = True
    except MemoryNeeded:
        raise
    except Exception as error:  # noqa: BLE001 - a bad file must not affect other files
        if memory is not None and lacks_memory(error):
            raise MemoryNeeded from None
        timer.stop()
        stage = "filter" if isinstance(error, FilterError) else timer.stage  # crop and select work while reading
        failure = explain(error, stage, budget.estimate)
        result = Result(task, "failed", failure, timer.seconds, pid=os.getpid(), finished=time.monotonic())
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


class _Written(NamedTuple):
    """An output file in its place: its size in bytes, its hash, and the names of the metadata that are not in it."""

    size: int
    sha256: str
    lost: tuple[str, ...]


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
    written = _write_in_place(state.job, source.task, image)
    timer.stop()
    return Result(
        source.task,
        "done",
        seconds=timer.seconds,
        step_seconds=tuple(timer.step_seconds),
        shape=image.pixels.shape,
        dtype=_dtype_name(image.pixels.dtype),
        axes=image.axes,
        written=written.size,
        sha256=written.sha256,
        source_hash=source.content_hash,
        lost=written.lost,
        pid=os.getpid(),
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
    before = os.stat(task.source)
    check_is_file(before)
    with format_of(task.source).open(task.source) as reader:
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


def _write_in_place(job: Job, task: Task, image: Image) -> _Written:
    """Write the output to the scratch folder, and rename it to its target."""
    if _is_same_file(task.source, task.target):
        raise WriteError("the result would replace its own source", f"choose another folder with {Hint('output')}")
    temporary = temporary_name(job.scratch, os.path.basename(task.target))
    try:
        lost = write_as(format_of(task.target), image, temporary, job.recipe.output.options)
        written = _Written(*size_and_hash(temporary), lost)
        _move(temporary, task.target)
    except BaseException as error:
        disk_is_full = _may_mean_full_disk(error) and _is_full(job.scratch)  # before the partial file is removed
        Path(temporary).unlink(missing_ok=True)
        if disk_is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), task.target) from error
        raise
    return written


def _is_same_file(source: str, target: str) -> bool:
    """Whether the target is the source itself; a link to the source is not: it would be replaced."""
    try:
        status = os.lstat(target)
    except OSError:  # the usual case: there is no target yet
        return False
    return os.path.samestat(status, os.stat(source)) and os.path.realpath(target) == os.path.realpath(source)


def _may_mean_full_disk(error: BaseException) -> bool:
    """Whether an error has no errno although the disk may be full, as some writers raise it."""
    return isinstance(error, OSError | RuntimeError) and getattr(error, "errno", None) is None


def _move(temporary: str, target: str) -> None:
    try:
        os.replace(temporary, target)
    except FileNotFoundError:
        if not os.path.exists(temporary):  # the output disk was unmounted: create no folders at its mount point
            raise
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.replace(temporary, target)


def _is_full(folder: str) -> bool:
    return shutil.disk_usage(folder).free < DISK_FULL_BYTES
