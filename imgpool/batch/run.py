"""A run, from the inputs to the last result: scan, plan, drop what is done, run the rest, journal each result."""

import hashlib
import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import msgspec

from imgpool.batch.plan import ForeignFileError, check_output, plan, refuse_foreign, refuse_unholdable
from imgpool.batch.preload import modules_for
from imgpool.batch.scan import Found, Scan, scan
from imgpool.core.catalogue import ENGINES, known_extensions
from imgpool.core.engine import EngineOptions, RunMetrics, StartMethod, ignore_metrics
from imgpool.core.errors import UsageError
from imgpool.core.failures import explain
from imgpool.core.recipe import Recipe
from imgpool.core.task import Result, Task
from imgpool.output import run_file as runfile
from imgpool.output.journal import TaskRecord, latest_records, reason_to_run
from imgpool.output.layout import default_output
from imgpool.output.run_file import RunInfo
from imgpool.output.session import Session, storage_errors
from imgpool.system.gc_control import gc_paused
from imgpool.system.resources import available_cpus, available_memory
from imgpool.work.files import MAX_PIXELS
from imgpool.work.loading import LoadLog, StepLoad
from imgpool.work.process_file import Job, load_worker_state, process_file

if TYPE_CHECKING:
    from imgpool.batch.preflight import Trial

CROWD = 4
"""Times the processors: the most workers that a run takes by itself, where images wait for disk or network."""

TIMEOUT = 900.0
TIMEOUT_PER_BYTE = 20e-6
"""Seconds that one image may take, and for each byte of its file: far more than it should, so that a run ends."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What to run and how.

    Attributes
    ----------
    inputs
        Files and folders.
    recipe
        What is done to every image.
    output
        Folder of the results; None puts it beside the first input.
    engine
        The name of an engine.
    workers, chunksize
        None lets imgpool choose.
    timeout
        Seconds that one image may take; 0 for no limit, None for 15 minutes and 20 s for each MB of its file.
    retries
        How often an image is tried again after its worker died or ran over its time.
    max_memory
        Bytes for all workers together; None takes what machine and container have available.
    max_pixels
        Files with more are refused.
    fresh
        Run everything, whatever the journal says.
    start_method
        How worker processes come to be.
    """

    inputs: tuple[str, ...]
    recipe: Recipe
    output: str | None = None
    engine: str = "pool"
    workers: int | None = None
    chunksize: int | None = None
    timeout: float | None = None
    retries: int = 1
    max_memory: int | None = None
    max_pixels: int = MAX_PIXELS
    fresh: bool = False
    start_method: StartMethod = "forkserver"


class Planned(msgspec.Struct, frozen=True, gc=False):
    """A task, and why it has to run; no reason where it is done already."""

    task: Task
    reason: str


class Run:
    """A run, checked whole and ready to start; nothing is written before `results` is asked.

    Parameters
    ----------
    settings
        What to run and how.

    Attributes
    ----------
    settings : Settings
    output : str
        Folder of the results.
    scan : Scan
        What was found in the inputs.
    planned : list of Planned
        Every image's task, sorted by source.
    metrics : RunMetrics
        How it goes by, as far as the engine has told.
    provenance : tuple of dict
        Of each step of the recipe, when the run was planned.
    trial : Trial or None
        What loading the recipe takes; None before that was tried, and where no step is heavy.
    loads : tuple of StepLoad
        Every load of a heavy step in a worker, to its end; known when the run is over, which does not wait for a
        worker that is still loading.

    Raises
    ------
    UsageError
        If there is nothing to do, or something that must not be done.
    """

    def __init__(self, settings: Settings) -> None:
        _check(settings)
        self.settings = settings
        self.output = os.path.abspath(settings.output or default_output(settings.inputs[0]))
        check_output(self.output, settings.inputs)
        ENGINES[settings.engine]  # raises for one that there is not
        self.provenance = tuple(dict(step.provenance) for step in settings.recipe.steps)
        with gc_paused():
            self.scan = _scan(settings.inputs, self.output)
            self.planned = self._plan()
        refuse_unholdable(self.to_do, settings.recipe)
        self.metrics = RunMetrics()
        self.trial: Trial | None = None
        self.loads: tuple[StepLoad, ...] = ()
        self._stopping = False

    def stop(self) -> None:
        """Start no further image: `results` ends when those in hand are finished. A signal's handler may call it."""
        self._stopping = True

    @cached_property
    def fingerprint(self) -> str:
        """Of the recipe."""
        return self.settings.recipe.fingerprint()

    @property
    def found(self) -> int:
        """Results that there will be: one for every image, and one for every folder that could not be listed."""
        return len(self.planned) + len(self.scan.unreadable)

    @cached_property
    def to_do(self) -> list[Task]:
        """The tasks that have to run, big files first, so that no big one is left alone at the end."""
        tasks = [planned.task for planned in self.planned if planned.reason]
        return sorted(tasks, key=lambda task: -task.size)

    @cached_property
    def done_before(self) -> list[Task]:
        """The tasks whose outputs are there already."""
        return [planned.task for planned in self.planned if not planned.reason]

    @property
    def options(self) -> EngineOptions:
        """What the engine is told."""
        if self.trial is None or self.settings.engine == "serial":
            return self.wanted
        from imgpool.batch.preflight import fitted

        return fitted(self.wanted, self.trial)

    @cached_property
    def wanted(self) -> EngineOptions:
        """What it would be told if loading the recipe took no memory."""
        settings = self.settings
        serial = settings.engine == "serial"
        return EngineOptions(
            workers=1 if serial else settings.workers or available_cpus(),
            max_workers=None if serial or settings.workers or self._heavy else CROWD * available_cpus(),
            chunksize=settings.chunksize,
            timeout=TIMEOUT if settings.timeout is None else settings.timeout or None,
            timeout_per_byte=TIMEOUT_PER_BYTE if settings.timeout is None else 0.0,
            retries=settings.retries,
            memory=settings.max_memory or available_memory(),
            preload=modules_for(settings.recipe, self.to_do),
            start_method=settings.start_method,
            should_stop=lambda: self._stopping,
        )

    @property
    def leant_on(self) -> tuple[dict[str, Any], ...]:
        """The files and models of those steps that have any: ``({"flat_field": {"flat": "9f86d0…"}},)``."""
        steps = self.settings.recipe.steps
        return tuple({step.filter: known} for step, known in zip(steps, self.provenance, strict=True) if known)

    @property
    def _heavy(self) -> bool:
        return any(step.heavy for step in self.settings.recipe.steps)

    def prepare(self) -> None:
        """Try to load a recipe with heavy steps, in a process of its own; `results` does it where nobody has.

        Raises
        ------
        WorkerError
            If a step does not load, or takes more memory than there is.
        """
        if self.to_do and self._heavy and not self.trial:
            from imgpool.batch.preflight import fitted, try_loading

            trial = try_loading(self.settings.recipe, self.wanted)
            if trial and self.settings.engine != "serial":
                fitted(self.wanted, trial)  # raises where not even one worker fits
            self.trial = trial

    def results(self, on_metrics: Callable[[RunMetrics], None] = ignore_metrics) -> Generator[Result, None, None]:
        """Run, and yield what becomes of every image: what is skipped first, the rest as it is finished.

        Parameters
        ----------
        on_metrics
            As in `imgpool.core.engine.EngineOptions`.

        Raises
        ------
        RunError
            If the run cannot go on: the recipe or the workers do not start, or the output takes no more.
        """
        self.prepare()
        yield from (Result(task, "skipped") for task in self.done_before)
        for folder, error in self.scan.unreadable:
            yield Result(Task(folder, "", 0, 0), "failed", explain(error, "read"))
        stopped = self._stopping and self._heavy and not self.trial
        if not stopped and (self.to_do or self._follows_a_killed_run()):
            yield from self._run(on_metrics)

    def _run(self, on_metrics: Callable[[RunMetrics], None]) -> Iterator[Result]:
        settings = self.settings

        def note(metrics: RunMetrics) -> None:
            self.metrics = metrics
            on_metrics(metrics)

        options = replace(self.options, on_metrics=note)
        with Session(self.output, self._info(), self._key, self.scan.folders, self.stop) as session:
            job = Job(settings.recipe, session.scratch, settings.max_pixels, self.provenance)
            engine = ENGINES[settings.engine]
            try:
                with closing(engine.run(self.to_do, process_file, partial(load_worker_state, job), options)) as results:
                    for result in map(_mention_older_output, results):
                        session.record(result)
                        yield result
            finally:
                self.loads = LoadLog(session.scratch).read()

    def _info(self) -> RunInfo:
        return RunInfo(
            inputs=self._inputs,
            recipe=self.settings.recipe.name,
            fingerprint=self.fingerprint,
            engine=self.settings.engine,
            workers=self.options.workers,
            found=self.found,
            skipped=len(self.done_before),
            to_do=len(self.to_do),
            provenance=self.leant_on,
        )

    @property
    def _inputs(self) -> tuple[str, ...]:
        return tuple(map(os.path.abspath, self.settings.inputs))

    @property
    def _key(self) -> str:
        """What the targets follow from."""
        parts = [sorted(self._inputs), self.settings.recipe.output.format]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def _follows_a_killed_run(self) -> bool:
        """Whether there is something to tidy up though there may be nothing to do."""
        last = self._last_run
        return last is not None and last.ended is None and not runfile.is_alive(self.output, last)

    def _plan(self) -> list[Planned]:
        tasks = plan(_drained(self.scan.images), self.output, self.settings.recipe)
        while True:
            with storage_errors(self.output):
                self._last_run = runfile.read(self.output)  # before the journal, which then has all of a run that ended
                records = latest_records(tasks, self.output)
                try:
                    if os.path.isdir(self.output):
                        self._refuse_foreign(task for task, record in zip(tasks, records, strict=True) if not record)
                    return [self._planned(task, record) for task, record in zip(tasks, records, strict=True)]
                except ForeignFileError:
                    if runfile.read(self.output) == self._last_run:  # else a run has begun or ended meanwhile
                        raise

    def _refuse_foreign(self, tasks: Iterable[Task]) -> None:
        since = self._last_run.unsettled_since_ns if self._last_run else None
        for task in tasks:
            refuse_foreign(task, since)

    def _planned(self, task: Task, record: TaskRecord | None) -> Planned:
        return Planned(task, reason_to_run(task, None if self.settings.fresh else record, self.fingerprint))


def _check(settings: Settings) -> None:
    """Raise `UsageError` if there is no input, or a number makes no sense."""
    if not settings.inputs:
        raise UsageError("no input was given", "name a folder or an image")
    least = {"workers": 1, "chunksize": 1, "retries": 0, "timeout": 0, "max_memory": 1, "max_pixels": 1}
    for name, low in least.items():
        value = getattr(settings, name)
        if value is not None and not value >= low:
            raise UsageError(f"{name.replace('_', ' ')} is {value}", f"give {low} or more")


def _drained(images: list[Found]) -> Iterator[Found]:
    """The images in their order, each let go once it is planned: there may be millions."""
    images.reverse()
    while images:
        yield images.pop()


def _scan(inputs: tuple[str, ...], output: str) -> Scan:
    found = scan(inputs, output)
    if not found.images and not found.unreadable:
        others = f" among {found.others:,} files" if found.others else ""
        raise UsageError(f"no image found in {', '.join(inputs)}{others}", f"images are known by {known_extensions()}")
    return found


def _mention_older_output(result: Result) -> Result:
    """Say of a failed image whose output is that of an earlier run: it must not pass for today's."""
    failure = result.failure
    if failure is None or not os.path.lexists(result.task.target):
        return result
    older = "its output is still that of an earlier run"
    return replace(result, failure=replace(failure, hint=f"{failure.hint}; {older}" if failure.hint else older))
