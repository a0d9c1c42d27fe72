"""One file's life: read, filter, write, rename into place. Runs in a worker, or in this process."""

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
from typing import Any

from imgpool.core.engine import MemoryNeeded
from imgpool.core.errors import FilterError, ReadError, WriteError
from imgpool.core.failures import explain, lacks_memory
from imgpool.core.filter import LoadedFilter
from imgpool.core.image import Image
from imgpool.core.recipe import Recipe
from imgpool.core.task import Result, Stage, Task
from imgpool.work.files import (
    MAX_PIXELS,
    check_is_file,
    check_limits,
    format_of,
    hash_source,
    size_and_hash,
    temporary_name,
    write_with,
)
from imgpool.work.loading import LoadLog, check_unchanged, load_filters
from imgpool.work.memory_estimate import Learn, MemoryEstimate, learn_nothing

NEARLY_FULL = 64 * 1024
"""Bytes left on a disk that is full for any image."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is the same for every task of a run; sent to each worker once.

    Attributes
    ----------
    recipe
        What to do.
    scratch
        A folder on the output's file system, where files are written before they are renamed into place.
    max_pixels
        Refuse files with more.
    provenance
        What the files and models of each step have to be, as `imgpool.core.recipe.Step.provenance` tells; None for
        whatever they are.
    """

    recipe: Recipe
    scratch: str
    max_pixels: int = MAX_PIXELS
    provenance: tuple[Mapping[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What one worker has: the job, its filters loaded and ready to be called, and what it learns of memory."""

    job: Job
    filters: tuple[LoadedFilter, ...]
    footprint: MemoryEstimate


@dataclass(slots=True)
class _Progress:
    """How far a task has come.

    Attributes
    ----------
    memory
        Bytes that it may take; None for all there is.
    need
        Bytes that it will take by estimate; 0 before the header is read.
    skipped
        The first steps of the recipe that are done by reading a part of the file.
    stage, started
        The stage it is in, and since when.
    seconds, step_seconds
        What each stage took, and each of the recipe's steps.
    learn
        Told whether it was done, when it is or has failed.
    """

    memory: int | None
    need: int = 0
    skipped: int = 0
    stage: Stage = "read"
    started: float = field(default_factory=time.perf_counter)
    seconds: dict[str, float] = field(default_factory=dict)
    step_seconds: list[float] = field(default_factory=list)
    learn: Learn = learn_nothing

    def enter(self, stage: Stage) -> None:
        """Leave one stage for the next."""
        self.leave()
        self.stage = stage

    def leave(self) -> None:
        """Note what the stage took."""
        now = time.perf_counter()
        self.seconds[self.stage] = round(now - self.started, 6)
        self.started = now

    def timed(self, filter_: LoadedFilter) -> LoadedFilter:
        """The filter, noting the time it takes."""

        def filter_and_note(image: Image) -> Image:
            started = time.perf_counter()
            filtered = filter_(image)
            self.step_seconds.append(round(time.perf_counter() - started, 6))
            return filtered

        return filter_and_note


@dataclass(frozen=True, slots=True)
class _Written:
    """An output that is in its place."""

    size: int
    sha256: str
    lost: tuple[str, ...]


def set_up(job: Job) -> WorkerState:
    """Load every heavy part of the recipe: a worker's initializer."""
    if multiprocessing.parent_process():
        _silence_c_libraries()
    filters = load_filters(job.recipe, LoadLog(job.scratch).add)
    check_unchanged(job.recipe, job.provenance)  # after loading: what is read later is not what was loaded
    return WorkerState(job, filters, MemoryEstimate(job.recipe, Path(job.scratch, "footprint.json")))


def _silence_c_libraries() -> None:
    """Keep what C libraries print (libpng, libtiff) off the terminal; Python's own stderr stays."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)


def process(workshop: WorkerState, task: Task, memory: int | None = None) -> Result:
    """Process one file; whatever goes wrong becomes a failed result.

    Parameters
    ----------
    memory
        Bytes that it may take; None for all there is.

    Raises
    ------
    MemoryNeeded
        If it takes more than `memory`; it has left nothing behind.
    """
    progress = _Progress(memory)
    done = False
    try:
        result = _process(workshop, task, progress)
        done = True
    except MemoryNeeded:
        raise
    except Exception as error:  # noqa: BLE001 - one bad file never costs its neighbours
        if memory is not None and lacks_memory(error):
            raise MemoryNeeded from None
        progress.leave()
        stage = "filter" if isinstance(error, FilterError) else progress.stage  # reading a part is a filter's work
        failure = explain(error, stage, progress.need)
        result = Result(task, "failed", failure, progress.seconds, pid=os.getpid(), finished=time.monotonic())
    finally:
        progress.learn(done)
    return result


def _process(state: WorkerState, task: Task, progress: _Progress) -> Result:
    task, image, content = _read_source(state, task, progress)
    progress.enter("filter")
    image = state.job.recipe.apply_filters(
        image, map(progress.timed, state.filters[progress.skipped :]), changed_by_reading=progress.skipped > 0
    )
    progress.enter("write")
    written = _write_in_place(state.job, task, image)
    progress.leave()
    return Result(
        task,
        "done",
        seconds=progress.seconds,
        step_seconds=tuple(progress.step_seconds),
        shape=image.pixels.shape,
        dtype=_name(image.pixels.dtype),
        axes=image.axes,
        written=written.size,
        sha256=written.sha256,
        source_hash=content,
        lost=written.lost,
        pid=os.getpid(),
        finished=time.monotonic(),
    )


_name = cache(str)  # of a dtype: NumPy puts it together each time


def _read_source(state: WorkerState, task: Task, progress: _Progress) -> tuple[Task, Image, str]:
    """Read the part of the source that the recipe needs, once limits and memory are checked.

    Returns
    -------
    task, image, source_hash
        The task with the size and time that the source has now; the image; and the hash of the source.

    Raises
    ------
    ReadError
        If the source is refused, damaged, or changed while it was read.
    MemoryNeeded
        If the image takes more memory than there is for it.
    """
    before = os.stat(task.source)
    check_is_file(before)
    with format_of(task.source).open(task.source) as reader:
        properties = reader.properties
        check_limits(properties, before.st_size, state.job.max_pixels)
        progress.need = state.footprint.expect(properties, before.st_size, progress.memory)
        progress.learn = state.footprint.watch(properties)
        part, progress.skipped = state.job.recipe.required_part(properties)
        image = reader.read(part)
    progress.step_seconds = [0.0] * progress.skipped
    source_hash, after = hash_source(task.source)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ReadError("it changed while it was read", "run the same command again when it is complete")
    if (before.st_size, before.st_mtime_ns) != (task.size, task.mtime_ns):
        task = replace(task, size=before.st_size, mtime_ns=before.st_mtime_ns)
    return task, image, source_hash


def _write_in_place(job: Job, task: Task, image: Image) -> _Written:
    if _is_same_file(task.source, task.target):
        raise WriteError("the result would replace its own source", "choose another folder with -o")
    temporary = temporary_name(job.scratch, os.path.basename(task.target))
    try:
        lost = write_with(format_of(task.target), image, temporary, job.recipe.output.options)
        written = _Written(*size_and_hash(temporary), lost)
        _move(temporary, task.target)
    except BaseException as error:
        full = _is_nameless(error) and _is_full(job.scratch)  # asked while what is half-written takes its room
        Path(temporary).unlink(missing_ok=True)
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), task.target) from error
        raise
    return written


def _is_same_file(source: str, target: str) -> bool:
    """Whether a target is the source itself; a link to it would be replaced, and leave it alone."""
    try:
        there = os.lstat(target)
    except OSError:  # as nearly always: nothing is there yet
        return False
    return os.path.samestat(there, os.stat(source)) and os.path.realpath(target) == os.path.realpath(source)


def _is_nameless(error: BaseException) -> bool:
    """Whether an error may be that of a full disk, of which some writers tell without its errno."""
    return isinstance(error, OSError | RuntimeError) and getattr(error, "errno", None) is None


def _move(temporary: str, target: str) -> None:
    try:
        os.replace(temporary, target)
    except FileNotFoundError:
        if not os.path.exists(temporary):  # the output is gone: no tree is made in its stead where it was mounted
            raise
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.replace(temporary, target)


def _is_full(folder: str) -> bool:
    return shutil.disk_usage(folder).free < NEARLY_FULL
