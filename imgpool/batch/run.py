"""A run, from the inputs to the last result: scan, plan, drop what is done, run the rest, journal each result."""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from imgpool.batch.journal import Journal, journal_path, read_journal, why_run
from imgpool.batch.plan import check_output, default_output, plan, refuse_foreign, refuse_unholdable
from imgpool.batch.resources import available_cpus, available_memory
from imgpool.batch.scan import FOLDER, Scan, scan
from imgpool.core.catalogue import ENGINES, FILTERS, FORMATS, split_extension
from imgpool.core.engine import EngineOptions, StartMethod
from imgpool.core.errors import RunError, UsageError
from imgpool.core.filter import Filter
from imgpool.core.format import Format
from imgpool.core.recipe import Recipe
from imgpool.core.task import Result, Task
from imgpool.work.failures import explain, stops_the_run
from imgpool.work.files import MAX_PIXELS
from imgpool.work.process import Job, process, set_up

TIMEOUT = 3600.0
"""Seconds that one image may take: far more than any should, so that a run left alone ends."""


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
        Seconds that one image may take; None or 0 for no limit.
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
    timeout: float | None = TIMEOUT
    retries: int = 1
    max_memory: int | None = None
    max_pixels: int = MAX_PIXELS
    fresh: bool = False
    start_method: StartMethod = "forkserver"


@dataclass(frozen=True, slots=True)
class Planned:
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
        self.scan = _scan(settings.inputs, self.output)
        self.planned = self._plan()
        refuse_unholdable(self.to_do, settings.recipe)
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
        workers = 1 if settings.engine == "serial" else settings.workers or available_cpus()
        return EngineOptions(
            workers=workers,
            chunksize=settings.chunksize,
            timeout=settings.timeout or None,
            retries=settings.retries,
            memory=settings.max_memory or available_memory(),
            preload=_modules(settings.recipe, self.to_do),
            start_method=settings.start_method,
            stopping=lambda: self._stopping,
        )

    def results(self) -> Iterator[Result]:
        """Run, and yield what becomes of every image: what is skipped first, the rest as it is finished.

        Raises
        ------
        RunError
            If the run cannot go on: the workers cannot be set up, or the output takes no more.
        """
        yield from (Result(task, "skipped") for task in self.done_before)
        for folder, error in self.scan.unreadable:
            yield Result(Task(folder, "", 0, 0), "failed", explain(error, "read"))
        if self.to_do:
            yield from self._run()

    def _run(self) -> Iterator[Result]:
        settings = self.settings
        with _storage_errors(self.output), Journal(self.output, self.fingerprint) as journal:
            scratch = _fresh_scratch(self.output)
            job = Job(settings.recipe, str(scratch), settings.max_pixels)
            engine = ENGINES[settings.engine]
            with closing(engine.run(self.to_do, process, partial(set_up, job), self.options)) as results:
                for result in map(_mention_older_output, results):
                    journal.append(result)
                    yield result
                    if result.failure and stops_the_run(result.failure):
                        raise RunError(f"{self.output}: {result.failure.message}", result.failure.hint)
            shutil.rmtree(scratch, ignore_errors=True)

    def _plan(self) -> list[Planned]:
        tasks = plan(self.scan.images, self.output, self.settings.recipe)
        if not journal_path(self.output).exists():
            refuse_foreign(tasks, self.output)
        with _storage_errors(self.output):
            journal = read_journal(self.output)
        records = {} if self.settings.fresh else journal
        return [
            Planned(task, why_run(task, records.get(os.path.relpath(task.target, self.output)), self.fingerprint))
            for task in tasks
        ]


def _check(settings: Settings) -> None:
    """Raise `UsageError` if there is no input, or a number makes no sense."""
    if not settings.inputs:
        raise UsageError("no input was given", "name a folder or an image")
    least = {"workers": 1, "chunksize": 1, "retries": 0, "timeout": 0, "max_memory": 1, "max_pixels": 1}
    for name, low in least.items():
        value = getattr(settings, name)
        if value is not None and not value >= low:
            raise UsageError(f"{name.replace('_', ' ')} is {value}", f"give {low} or more")


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


@contextmanager
def _storage_errors(output: str) -> Iterator[None]:
    """The journal's own troubles end a run as an output's do: with a sentence and a remedy."""
    try:
        yield
    except OSError as error:
        failure = explain(error, "write")
        raise RunError(f"{output}: {failure.message}", failure.hint) from error


def _fresh_scratch(output: str) -> Path:
    """An empty folder for files being written; what a killed run left in it goes."""
    scratch = Path(output, FOLDER, "tmp")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    return scratch


def _modules(recipe: Recipe, tasks: list[Task]) -> tuple[str, ...]:
    """The modules that workers need: of the recipe's filters, and of the formats that are read and written."""
    filters = [FILTERS[step.filter] for step in recipe.steps]
    extensions = {os.path.splitext(path)[1] for task in tasks for path in (task.source, task.target)}
    formats = {format_ for extension in extensions if (format_ := split_extension(f"_{extension}")[1])}
    plugins: tuple[Filter | Format, ...] = (*filters, *sorted(formats, key=lambda format_: format_.name))
    libraries = (library for plugin in plugins for library in plugin.libraries)
    homes = (filter_.function.__module__ for filter_ in filters)
    return tuple(dict.fromkeys(("imgpool.work.process", *homes, *libraries)))
