"""One run over some images, measured as real runs are: with their journal, their commits and their supervision."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from imgpool.batch.run import Runner
from imgpool.compare.bare_pool import PoolMethod, PoolMethodTiming, time_method
from imgpool.compare.timeline import StageTime, WorkSpan, alone_at_the_end, most_waiting, stage_times
from imgpool.core.catalogue import ENGINES
from imgpool.core.engine import RunMetrics, never_stop
from imgpool.core.task import Result, Task
from imgpool.output.layout import STATE_FOLDER
from imgpool.output.run_file import RunInfo
from imgpool.output.session import Session
from imgpool.system.memory import MemoryMonitor
from imgpool.work.process_file import Job, load_worker_state, process_file


@dataclass(frozen=True, slots=True)
class EngineSetup:
    """How images are run.

    Attributes
    ----------
    engine
        "serial" or "pool".
    workers
        Processes that work at the same time.
    chunksize
        Images handed to a worker at once; None lets the engine choose.
    """

    engine: str
    workers: int = 1
    chunksize: int | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a run took.

    Attributes
    ----------
    setup
        How it was run.
    seconds
        From its first preparation until everything was durable and the workers gone.
    first
        Seconds until the first result was there.
    results
        By source.
    stages
        Where the time of all workers went: the sum is workers × `seconds`.
    alone
        Seconds at the end in which only one worker was at work.
    waiting
        The most results that were finished and not yet handed over.
    cpu_share, blocked_share
        Of the time in images, the share in which a processor computed, and that in which the disk or the network was
        waited for; None where the engine does not tell.
    peak, total_peak
        The most bytes that one worker held, and all workers together.
    metrics
        What the engine says of itself.
    """

    setup: EngineSetup
    seconds: float
    first: float
    results: Mapping[str, Result]
    stages: tuple[StageTime, ...]
    alone: float
    waiting: int
    cpu_share: float | None
    blocked_share: float | None
    peak: int
    total_peak: int
    metrics: RunMetrics

    def stage(self, name: str) -> float:
        """Seconds of a stage by its name; 0 for one that there is not."""
        return sum(each.seconds for each in self.stages if each.stage == name)

    @property
    def start(self) -> float:
        """Seconds before the first image was begun."""
        return self.stage("start") / self.setup.workers

    @property
    def rate(self) -> float:
        """Images a second."""
        return len(self.results) / self.seconds


class Measurer:
    """Where a run's images are run again and again, each time into a folder of its own.

    Parameters
    ----------
    runner
        The runner of a plan, prepared but never started; it gives the recipe and the limits.
    place
        A folder that is there, for the folders of the results.
    """

    def __init__(self, runner: Runner, place: str) -> None:
        self.runner = runner
        self.plan = runner.plan
        self.place = place
        self.finished: list[str] = []  # folders

    def new_folder(self, name: str) -> str:
        """A path below the place that nothing has yet; `finished` tells of those made so far."""
        folder = os.path.join(self.place, f"{len(self.finished) + 1:02}-{name}")
        self.finished.append(folder)
        return folder

    def move(self, tasks: Iterable[Task], folder: str) -> list[Task]:
        """The same tasks with another output."""
        return [
            replace(task, target=os.path.join(folder, os.path.relpath(task.target, self.plan.output))) for task in tasks
        ]

    def job(self, scratch: str) -> Job:
        """What a worker needs to know."""
        return Job(self.plan.settings.recipe, scratch, self.plan.settings.max_pixels)

    def time(self, method: PoolMethod, tasks: Sequence[Task], workers: int, patience: float) -> PoolMethodTiming | None:
        """Run the tasks by a bare pool; None if it comes to no end within so many seconds."""
        folder = self.new_folder(f"{method.name}-{method.chunksize or 'auto'}")
        scratch = os.path.join(folder, STATE_FOLDER)  # nobody takes such a folder for one of images
        os.makedirs(scratch)
        options = replace(self.runner.options, workers=workers, max_workers=None)
        return time_method(method, self.move(tasks, folder), self.job(scratch), options, patience)

    def measure(self, setup: EngineSetup, tasks: Sequence[Task], limit: float | None = None) -> Measurement:
        """Run the tasks; after so many seconds of work no further one. Raises `RunError` if it cannot go on."""
        reported = [RunMetrics()]
        spans: list[WorkSpan] = []
        options = replace(
            self.runner.options,
            workers=setup.workers,
            max_workers=None,
            chunksize=setup.chunksize,
            should_stop=(lambda: sum(span.seconds for span in spans) > limit) if limit else never_stop,
            on_metrics=reported.append,
        )
        folder = self.new_folder(f"{setup.engine}-{setup.workers}-{setup.chunksize or 'auto'}")
        results: dict[str, Result] = {}
        taken: list[float] = []
        started = time.monotonic()
        with MemoryMonitor() as memory, self._session(folder, setup, len(tasks)) as session:
            engine = ENGINES[setup.engine].run(
                self.move(tasks, folder), process_file, partial(load_worker_state, self.job(session.scratch)), options
            )
            with closing(engine):
                for result in engine:
                    taken.append(time.monotonic() - started)
                    spans.append(_span(result, started, taken[-1]))
                    memory.watch(result.pid)
                    session.record(result)
                    results[result.task.source] = result
        seconds = time.monotonic() - started
        metrics = reported[-1]
        peak = max(memory.peak, metrics.peak_memory)
        steps = [step.filter for step in self.plan.settings.recipe.steps]
        return Measurement(
            setup=setup,
            seconds=seconds,
            first=min(taken, default=seconds),
            results=results,
            stages=stage_times(list(results.values()), spans, steps, setup.workers, seconds, metrics),
            alone=alone_at_the_end(spans),
            waiting=most_waiting([(span.finished, at) for span, at in zip(spans, taken, strict=True)]),
            cpu_share=_share(metrics.cpu_seconds, metrics),
            blocked_share=_share(metrics.blocked_seconds, metrics),
            peak=peak,
            total_peak=max(memory.total_peak, peak),
            metrics=metrics,
        )

    def _session(self, folder: str, setup: EngineSetup, count: int) -> Session:
        plan = self.plan
        info = RunInfo(
            inputs=plan.settings.inputs,
            recipe=plan.settings.recipe.name,
            fingerprint=plan.fingerprint,
            engine=setup.engine,
            workers=setup.workers,
            found=count,
            skipped=0,
            to_do=count,
        )
        return Session(folder, info, "compare", plan.scan.folders, lambda: None)


def _span(result: Result, started: float, taken: float) -> WorkSpan:
    """When an image was worked at."""
    finished = (result.finished or started + taken) - started
    return WorkSpan(result.pid, finished - sum(result.seconds.values()), finished)


def _share(seconds: float, metrics: RunMetrics) -> float | None:
    return min(1.0, seconds / metrics.task_seconds) if metrics.cpu_seconds and metrics.task_seconds else None
