"""Run a plan: load its heavy steps once in a separate process, run its tasks in an engine, and record each result."""

import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from imgpool.batch.plan import RunPlan, look_again
from imgpool.core.catalogue import ENGINES
from imgpool.core.engine import EngineOptions, RunMetrics, ignore_metrics, ignore_warning
from imgpool.core.errors import TargetExistsError
from imgpool.core.failures import explain
from imgpool.core.task import Result, Task
from imgpool.output import run_file
from imgpool.output.layout import state_folder
from imgpool.output.run_file import RunInfo
from imgpool.output.session import OutputSession
from imgpool.system.paths import openable
from imgpool.system.start_errors import StartError, continuing
from imgpool.work.loading import LoadLog, StepLoad
from imgpool.work.placing import Destination
from imgpool.work.process_file import Job, load_worker_state, process_file

if TYPE_CHECKING:
    from imgpool.batch.preflight import Preflight


class Runner:
    """Runs a plan once. Nothing is written before the first result is requested.

    Parameters
    ----------
    plan
        What to run.
    open_session
        `OutputSession`, or a function that calls it with other keyword arguments.

    Attributes
    ----------
    plan : RunPlan
    preflight : Preflight or None
        Time and memory that loading the recipe takes; None before `prepare`, and if no step is heavy.
    metrics : RunMetrics
        The latest metrics of the engine.
    loads : tuple of StepLoad
        Every completed load of a heavy step in a worker; known when the run is over.
    warnings : list of str
        How the run continued in another way than requested, and why: a sentence each.
    """

    def __init__(self, plan: RunPlan, *, open_session: Callable[..., OutputSession] = OutputSession) -> None:
        self.plan = plan
        self.preflight: Preflight | None = None
        self.metrics = RunMetrics()
        self.loads: tuple[StepLoad, ...] = ()
        self.warnings: list[str] = []
        self._open_session = open_session
        self._stopping = False

    @property
    def options(self) -> EngineOptions:
        """How the engine runs the tasks: as planned, with no more workers than fit into memory."""
        options = replace(self.plan.engine_options, should_stop=lambda: self._stopping)
        if self.preflight is None or self.plan.settings.engine == "serial":
            return options
        from imgpool.batch.preflight import limit_workers

        return limit_workers(options, self.preflight)

    def stop(self) -> None:
        """Start no further task; `results` ends when the current ones are finished. Safe in a signal handler."""
        self._stopping = True

    def prepare(self) -> None:
        """Load the heavy steps of the recipe once in a separate process; `results` does so if nobody has.

        Raises
        ------
        WorkerError
            If a step does not load, or needs more memory than there is.
        """
        if self.plan.tasks and self.plan.has_heavy_steps and not self.preflight and not self.warnings:
            from imgpool.batch.preflight import limit_workers, run_preflight

            try:
                preflight = run_preflight(self.plan.settings.recipe, self.options)
            except StartError as error:
                self.warnings.append(continuing(error, "without loading the recipe in a process of its own first"))
                return
            if preflight and self.plan.settings.engine != "serial":
                limit_workers(self.options, preflight)  # raises if not even one worker fits
            self.preflight = preflight

    def results(
        self,
        on_metrics: Callable[[RunMetrics], None] = ignore_metrics,
        on_warning: Callable[[str], None] = ignore_warning,
    ) -> Generator[Result, None, None]:
        """Run the tasks and yield one result per image: skipped images first, the others as they are finished.

        Parameters
        ----------
        on_metrics, on_warning
            As in `imgpool.core.engine.EngineOptions`.

        Raises
        ------
        RunError
            If the run cannot continue: the recipe or the workers do not start, or the output cannot be written.
        """
        self.prepare()
        for text in self.warnings:
            on_warning(text)
        yield from (Result(task, "skipped") for task in self.plan.done)
        for folder, error in self.plan.scan.unreadable:
            yield Result(Task(folder, "", 0, 0), "failed", explain(error, "read"))
        stopped = self._stopping and self.plan.has_heavy_steps and not self.preflight
        if not stopped and (self.plan.tasks or self._must_clean_up()):
            yield from self._run(on_metrics, on_warning)

    def _must_clean_up(self) -> bool:
        """Whether the last run was killed: a session removes what it left, even if there is nothing to do."""
        last = self.plan.last_run
        return last is not None and last.ended is None and not run_file.is_alive(self.plan.output, last)

    def _run(self, on_metrics: Callable[[RunMetrics], None], on_warning: Callable[[str], None]) -> Iterator[Result]:
        def keep_metrics(metrics: RunMetrics) -> None:
            self.metrics = metrics
            on_metrics(metrics)

        def keep_warning(text: str) -> None:
            self.warnings.append(text)
            on_warning(text)

        plan, settings = self.plan, self.plan.settings
        options = replace(self.options, on_metrics=keep_metrics, on_warning=keep_warning)
        with self._open_session(
            plan.output, self._run_info(), plan.planned_run, plan.scan.folders, self.stop
        ) as session:
            job = self._job(session)
            engine = ENGINES[settings.engine]
            session.workers_started()
            was_killed = plan.last_run is not None and plan.last_run.ended is None
            tasks = look_again(plan).tasks if was_killed else plan.tasks
            results = engine.run(tasks, process_file, partial(load_worker_state, job), options)
            try:
                for result in map(_mention_old_output, results):
                    session.record(result)
                    yield result
            finally:
                results.close()
                session.workers_ended()
                self.loads = LoadLog(session.scratch).read()

    def _job(self, session: OutputSession) -> Job:
        plan, settings = self.plan, self.plan.settings
        destination = Destination(
            output=plan.output,
            state=str(state_folder(plan.output)),
            run=session.token,
            placing=session.placing,
            if_exists=settings.if_exists,
            follow_links=settings.follow_output_links,
        )
        return Job(settings.recipe, session.scratch, destination, settings.max_pixels, plan.provenance)

    def _run_info(self) -> RunInfo:
        plan = self.plan
        return RunInfo(
            inputs=plan.inputs,
            recipe=plan.settings.recipe.name,
            fingerprint=plan.fingerprint,
            engine=plan.settings.engine,
            workers=self.options.workers,
            found=plan.found,
            skipped=len(plan.done),
            to_do=len(plan.tasks),
            provenance=plan.references,
        )


def _mention_old_output(result: Result) -> Result:
    """Add to the hint of a failed image that the output of an earlier run is still there."""
    failure, existing = result.failure, result.task.existing
    if failure is None or failure.error == TargetExistsError.__name__ or not (existing and existing.sources):
        return result
    if not os.path.lexists(openable(result.task.target)):
        return result
    note = "its output is still that of an earlier run"
    return replace(result, failure=replace(failure, hint=f"{failure.hint}; {note}" if failure.hint else note))
