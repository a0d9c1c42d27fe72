"""Measured runs: like real ones, with journal, commits and supervision, each into a folder of its own."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

from imgpool.batch.run import Runner
from imgpool.compare.bare_pool import PoolMethod, PoolMethodTiming, PoolRun, time_method
from imgpool.compare.measurement import EngineSetup, Measurement
from imgpool.compare.timeline import WorkSpan, max_waiting, stage_times, tail_seconds
from imgpool.core.catalogue import ENGINES
from imgpool.core.engine import EngineOptions, RunMetrics, never_stop
from imgpool.core.task import Result, Task
from imgpool.output.layout import state_folder
from imgpool.output.run_file import RunInfo
from imgpool.output.session import OutputSession
from imgpool.output.unsettled import PlannedRun
from imgpool.system.files import remove_folder
from imgpool.system.memory import MemoryMonitor
from imgpool.system.rename import probe
from imgpool.system.start_methods import supported_start_method
from imgpool.work.placing import Destination
from imgpool.work.process_file import Job, load_worker_state, process_file


class Measurer:
    """Runs the same images again and again with different setups.

    Parameters
    ----------
    runner
        The prepared runner of a plan, which is never started. It provides the recipe and the limits.
    folder
        An existing folder, in which every measured run creates one for its outputs.
    """

    def __init__(self, runner: Runner, folder: str) -> None:
        self.folder = folder
        self.used_folders: list[str] = []
        self._runner = runner
        self._plan = runner.plan

    def measure(self, setup: EngineSetup, tasks: Sequence[Task], max_seconds: float | None = None) -> Measurement:
        """Run the tasks with an engine.

        Parameters
        ----------
        setup
            Engine, workers and chunk size.
        tasks
            The images.
        max_seconds
            Seconds of work, summed over all workers, after which no further image is started; None for no limit.

        Raises
        ------
        RunError
            If the run cannot continue.
        """
        recorder = _Recorder()
        options = self._options(setup, recorder, max_seconds)
        folder = self._new_folder(f"{setup.engine}-{setup.workers}-{setup.chunksize or 'auto'}")
        with MemoryMonitor() as memory, self._session(folder, setup, len(tasks)) as session:
            destination = Destination(folder, str(state_folder(folder)), session.token, session.placing)
            initializer = partial(load_worker_state, self._job(session.scratch, destination))
            engine = ENGINES[setup.engine]
            with closing(engine.run(self._move(tasks, folder), process_file, initializer, options)) as results:
                for result in results:
                    recorder.add(result)
                    memory.watch(result.pid)
                    session.record(result)
        steps = [step.filter for step in self._plan.settings.recipe.steps]
        return recorder.summarize(setup, steps, memory)

    def time_method(
        self, method: PoolMethod, tasks: Sequence[Task], workers: int, timeout: float
    ) -> PoolMethodTiming | None:
        """Run the tasks with a bare pool; None if it does not finish within `timeout` seconds."""
        folder = self._new_folder(f"{method.name}-{method.chunksize or 'auto'}")
        scratch = str(state_folder(folder))  # a scan never takes this folder for images
        os.makedirs(scratch)
        job = self._job(scratch, Destination(folder, scratch, method.name, probe(scratch)))
        options = self._runner.options
        pool_run = PoolRun(method, self._move(tasks, folder), job, workers, options.preload)
        return time_method(pool_run, supported_start_method(options.start_method), timeout)

    def remove_outputs(self) -> None:
        """Delete the outputs of all runs so far."""
        for folder in self.used_folders:
            remove_folder(folder)

    def _options(self, setup: EngineSetup, recorder: "_Recorder", max_seconds: float | None) -> EngineOptions:
        should_stop: Callable[[], bool] = never_stop
        if max_seconds is not None:
            should_stop = lambda: recorder.work_seconds > max_seconds  # noqa: E731 - it closes over the limit
        return replace(
            self._runner.options,
            workers=setup.workers,
            max_workers=None,
            chunksize=setup.chunksize,
            fewer_workers=False,
            should_stop=should_stop,
            on_metrics=recorder.set_metrics,
        )

    def _new_folder(self, name: str) -> str:
        folder = os.path.join(self.folder, f"{len(self.used_folders) + 1:02}-{name}")
        self.used_folders.append(folder)
        return folder

    def _move(self, tasks: Iterable[Task], folder: str) -> list[Task]:
        """Return the same tasks with their targets in another folder."""
        output = self._plan.output
        return [
            replace(task, target=os.path.join(folder, os.path.relpath(task.target, output)), existing=None)
            for task in tasks
        ]

    def _job(self, scratch: str, destination: Destination) -> Job:
        return Job(self._plan.settings.recipe, scratch, destination, self._plan.settings.max_pixels)

    def _session(self, folder: str, setup: EngineSetup, count: int) -> OutputSession:
        plan = self._plan
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
        return OutputSession(folder, info, PlannedRun("compare"), plan.scan.folders, lambda: None)


class _Recorder:
    """Collects the results of a run with their times; its clock starts when it is created."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._results: dict[str, Result] = {}
        self._spans: list[WorkSpan] = []
        self._handed_over: list[float] = []  # seconds after the start, as are the spans
        self._metrics = RunMetrics()

    @property
    def work_seconds(self) -> float:
        """Seconds spent in images so far, summed over all workers."""
        return sum(span.seconds for span in self._spans)

    def set_metrics(self, metrics: RunMetrics) -> None:
        self._metrics = metrics

    def add(self, result: Result) -> None:
        handed_over = time.monotonic() - self._started
        finished = result.finished - self._started if result.finished else handed_over
        self._results[result.task.source] = result
        self._spans.append(WorkSpan(result.pid, finished - sum(result.seconds.values()), finished))
        self._handed_over.append(handed_over)

    def summarize(self, setup: EngineSetup, steps: Sequence[str], memory: MemoryMonitor) -> Measurement:
        seconds, metrics = time.monotonic() - self._started, self._metrics
        results, spans = list(self._results.values()), self._spans
        finished = [span.finished for span in spans]
        peak = max(memory.peak, metrics.peak_memory)
        return Measurement(
            setup=setup,
            seconds=seconds,
            first_result_seconds=min(self._handed_over, default=seconds),
            results=self._results,
            stages=stage_times(results, spans, steps=steps, workers=setup.workers, seconds=seconds, metrics=metrics),
            tail_seconds=tail_seconds(spans),
            max_waiting=max_waiting(zip(finished, self._handed_over, strict=True)),
            cpu_share=_share(metrics.cpu_seconds, metrics),
            blocked_share=_share(metrics.blocked_seconds, metrics),
            peak_memory=peak,
            total_peak_memory=max(memory.total_peak, peak),
            metrics=metrics,
        )


def _share(seconds: float, metrics: RunMetrics) -> float | None:
    return min(1.0, seconds / metrics.task_seconds) if metrics.cpu_seconds and metrics.task_seconds else None
