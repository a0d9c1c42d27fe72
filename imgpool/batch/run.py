"""A run, from the inputs to the last result: scan, plan, drop what is done, run the rest, journal each result."""

import gc
import hashlib
import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial

import msgspec

from imgpool.batch import runfile
from imgpool.batch.journal import Record, records_of, why_run
from imgpool.batch.plan import ForeignFileError, check_output, default_output, plan, refuse_foreign, refuse_unholdable
from imgpool.batch.resources import available_cpus, available_memory
from imgpool.batch.runfile import RunInfo
from imgpool.batch.scan import Found, Scan, scan
from imgpool.batch.session import Session, storage_errors
from imgpool.core.catalogue import ENGINES, FILTERS, FORMATS, split_extension
from imgpool.core.engine import EngineOptions, Pace, StartMethod, unheard
from imgpool.core.errors import UsageError
from imgpool.core.filter import Filter
from imgpool.core.format import Format
from imgpool.core.recipe import Recipe
from imgpool.core.task import Result, Task
from imgpool.work.failures import explain
from imgpool.work.files import MAX_PIXELS
from imgpool.work.process import Job, process, set_up

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
    pace : Pace
        How it goes by, as far as the engine has told.

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
        with _collector_at_rest():
            self.scan = _scan(settings.inputs, self.output)
            self.planned = self._plan()
        refuse_unholdable(self.to_do, settings.recipe)
        self.pace = Pace()
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

    @cached_property
    def options(self) -> EngineOptions:
        """What the engine is told."""
        settings = self.settings
        serial = settings.engine == "serial"
        return EngineOptions(
            workers=1 if serial else settings.workers or available_cpus(),
            most_workers=None if serial or settings.workers else CROWD * available_cpus(),
            chunksize=settings.chunksize,
            timeout=TIMEOUT if settings.timeout is None else settings.timeout or None,
            timeout_per_byte=TIMEOUT_PER_BYTE if settings.timeout is None else 0.0,
            retries=settings.retries,
            memory=settings.max_memory or available_memory(),
            preload=_modules(settings.recipe, self.to_do),
            start_method=settings.start_method,
            stopping=lambda: self._stopping,
        )

    def results(self, notice: Callable[[Pace], None] = unheard) -> Generator[Result, None, None]:
        """Run, and yield what becomes of every image: what is skipped first, the rest as it is finished.

        Parameters
        ----------
        notice
            As in `imgpool.core.engine.EngineOptions`.

        Raises
        ------
        RunError
            If the run cannot go on: the workers cannot be set up, or the output takes no more.
        """
        yield from (Result(task, "skipped") for task in self.done_before)
        for folder, error in self.scan.unreadable:
            yield Result(Task(folder, "", 0, 0), "failed", explain(error, "read"))
        if self.to_do or self._follows_a_killed_run():
            yield from self._run(notice)

    def _run(self, notice: Callable[[Pace], None]) -> Iterator[Result]:
        settings = self.settings

        def note(pace: Pace) -> None:
            self.pace = pace
            notice(pace)

        options = replace(self.options, notice=note)
        with Session(self.output, self._info(), self._key, self.scan.folders, self.stop) as session:
            job = Job(settings.recipe, session.scratch, settings.max_pixels)
            engine = ENGINES[settings.engine]
            with closing(engine.run(self.to_do, process, partial(set_up, job), options)) as results:
                for result in map(_mention_older_output, results):
                    session.take(result)
                    yield result

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
                records = records_of(tasks, self.output)
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

    def _planned(self, task: Task, record: Record | None) -> Planned:
        return Planned(task, why_run(task, None if self.settings.fresh else record, self.fingerprint))


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Look for no garbage meanwhile: of millions of files there are millions of objects, and all of them are kept."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


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
        known = ", ".join(format_.extensions[0] for format_ in FORMATS)
        others = f" among {found.others:,} files" if found.others else ""
        raise UsageError(f"no image found in {', '.join(inputs)}{others}", f"images are known by {known}")
    return found


def _mention_older_output(result: Result) -> Result:
    """Say of a failed image whose output is that of an earlier run: it must not pass for today's."""
    failure = result.failure
    if failure is None or not os.path.lexists(result.task.target):
        return result
    older = "its output is still that of an earlier run"
    return replace(result, failure=replace(failure, hint=f"{failure.hint}; {older}" if failure.hint else older))


def _modules(recipe: Recipe, tasks: list[Task]) -> tuple[str, ...]:
    """The modules that workers need: of the recipe's filters, and of the formats that are read and written."""
    filters = [FILTERS[step.filter] for step in recipe.steps]
    extensions = {path.rpartition(".")[2] for task in tasks for path in (task.source, task.target)}
    formats = {format_ for extension in extensions if (format_ := split_extension(f"_.{extension}")[1])}
    plugins: tuple[Filter | Format, ...] = (*filters, *sorted(formats, key=lambda format_: format_.name))
    libraries = (library for plugin in plugins for library in plugin.libraries)
    homes = (filter_.function.__module__ for filter_ in filters)
    return tuple(dict.fromkeys(("imgpool.work.warm", *homes, *libraries)))
