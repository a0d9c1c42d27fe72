"""What a run will do and why: scan the inputs, choose the targets, and find out what is done already."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress
from typing import Any

import msgspec

from imgpool.batch.format_check import check_formats
from imgpool.batch.headers import PLANNING_SECONDS, HeaderReading
from imgpool.batch.preload import modules_for
from imgpool.batch.scan import ScanReport, scan
from imgpool.batch.settings import RunSettings, check_settings
from imgpool.batch.targets import check_output, check_targets, make_tasks
from imgpool.core.catalogue import ENGINES, known_extensions
from imgpool.core.engine import EngineOptions
from imgpool.core.errors import UsageError
from imgpool.core.task import ExistingTarget, Task
from imgpool.output import run_file
from imgpool.output.evidence import Evidence, find_evidence
from imgpool.output.hash_chain import Damage, IntactJournal
from imgpool.output.layout import default_output
from imgpool.output.records import DOUBTS, NEW, JournalHistory, read_history, reason_to_run
from imgpool.output.run_file import RunInfo
from imgpool.output.session import storage_errors
from imgpool.output.unsettled import PlannedRun, identify
from imgpool.system.gc_control import gc_paused
from imgpool.system.paths import openable
from imgpool.system.resources import available_cpus, available_memory

MAX_WORKERS_PER_CPU = 4
"""Upper limit of the automatic number of workers, for images that wait for the disk or the network."""

TASK_TIMEOUT_S = 900.0
TASK_TIMEOUT_S_PER_BYTE = 20e-6
"""Default time limit for one image, and for each byte of its file: far more than it needs, so that a run ends."""


class PlannedTask(msgspec.Struct, frozen=True, gc=False):
    """A task and the reason to run it; the reason is empty if the task is done."""

    task: Task
    reason: str


@dataclass(frozen=True)
class RunPlan:
    """What a run will do and why. Made by `make_plan`, run by `imgpool.batch.run.Runner`; never modified.

    Attributes
    ----------
    settings
        The settings that the plan was made from.
    output
        Absolute path of the output folder.
    fingerprint
        Hash of everything in the recipe that can change a result.
    provenance
        For each step of the recipe, the identity of the files and models that it uses.
    scan
        What the scan found besides the images.
    images
        One task for every image, sorted by source.
    last_run
        The run file that the last run left in the output folder; None if there is none.
    damage
        Damaged lines of the journal; None if there are none.
    journal
        The journal; None if it is damaged.
    """

    settings: RunSettings
    output: str
    fingerprint: str
    provenance: tuple[dict[str, Any], ...]
    scan: ScanReport
    images: tuple[PlannedTask, ...]
    last_run: RunInfo | None
    damage: Damage | None = None
    journal: IntactJournal | None = None

    @property
    def found(self) -> int:
        """Number of results that the run will yield: one per image and one per folder that could not be listed."""
        return len(self.images) + len(self.scan.unreadable)

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks to run, large files first: a large one that starts last would keep a single worker busy."""
        tasks = [planned.task for planned in self.images if planned.reason]
        return tuple(sorted(tasks, key=lambda task: -task.size))

    @cached_property
    def done(self) -> tuple[Task, ...]:
        """The tasks whose outputs exist and are up to date."""
        return tuple(planned.task for planned in self.images if not planned.reason)

    @property
    def reasons(self) -> Counter[str]:
        """Number of tasks to run, by reason."""
        return Counter(planned.reason for planned in self.images if planned.reason)

    @property
    def has_heavy_steps(self) -> bool:
        """Whether a step of the recipe loads a model or a large file."""
        return any(step.heavy for step in self.settings.recipe.steps)

    @property
    def references(self) -> tuple[dict[str, Any], ...]:
        """The files and models of the steps that use any: ``({"flat_field": {"flat": "9f86d0…"}},)``."""
        steps = self.settings.recipe.steps
        return tuple({step.filter: known} for step, known in zip(steps, self.provenance, strict=True) if known)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Absolute paths of the inputs."""
        return tuple(map(os.path.abspath, self.settings.inputs))

    @property
    def key(self) -> str:
        """Hash of the inputs and the output format, from which the targets follow."""
        parts = [sorted(self.inputs), self.settings.recipe.output.format]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    @property
    def planned_run(self) -> PlannedRun:
        """What a session has to know of the targets."""
        return PlannedRun(self.key, self.tasks, self.done, identify(self.last_run), self.journal)

    @cached_property
    def engine_options(self) -> EngineOptions:
        """How the engine should run the tasks, before the memory of loaded models is considered."""
        settings = self.settings
        serial = settings.engine == "serial"
        fixed = serial or settings.workers or self.has_heavy_steps
        return EngineOptions(
            workers=1 if serial else settings.workers or available_cpus(),
            max_workers=None if fixed else MAX_WORKERS_PER_CPU * available_cpus(),
            chunksize=settings.chunksize,
            timeout=TASK_TIMEOUT_S if settings.timeout is None else settings.timeout or None,
            timeout_per_byte=TASK_TIMEOUT_S_PER_BYTE if settings.timeout is None else 0.0,
            retries=settings.retries,
            memory=settings.max_memory or available_memory(),
            preload=modules_for(settings.recipe, self.tasks),
            start_method=settings.start_method,
        )

    def header_reading(self, *, all_headers: bool = False) -> HeaderReading:
        """How the headers of the images are read before the run; `all_headers` removes the limit on the time."""
        return HeaderReading(
            seconds=None if all_headers else PLANNING_SECONDS,
            own_process=self.settings.engine == "serial",
            start_method=self.settings.start_method,
            preload=self.engine_options.preload,
            memory=self.engine_options.memory,
        )


def make_plan(settings: RunSettings, *, all_headers: bool = False) -> RunPlan:
    """Check the settings, and find out what there is to do; write nothing.

    Parameters
    ----------
    settings
        What to process and how.
    all_headers
        Whether to read the headers of all images where they matter, however long it takes. Otherwise, images that are
        not reached in time are checked by their own tasks.

    Raises
    ------
    UsageError
        If a setting is wrong, there is no image, or a result could not be written.
    RunError
        If the output folder cannot be read.
    """
    check_settings(settings)
    output = os.path.abspath(settings.output or default_output(settings.inputs[0]))
    check_output(output, settings.inputs)
    ENGINES[settings.engine]  # raises UsageError if there is no such engine
    provenance = tuple(dict(step.provenance) for step in settings.recipe.steps)
    fingerprint = settings.recipe.fingerprint()
    with gc_paused():
        tasks, report = _find_tasks(settings, output)
        check_targets(tasks, output, report.links)
        history, last_run = _read_journal(tasks, output)
        if settings.fresh:
            images = [PlannedTask(task, NEW) for task in tasks]
        else:
            images = list(_give_reasons(tasks, history, fingerprint))
        with storage_errors(output):
            known = _add_existing(images, history.interrupted, output)
    plan = RunPlan(settings, output, fingerprint, provenance, report, known, last_run, history.damage, history.journal)
    check_formats(plan.tasks, settings.recipe, plan.header_reading(all_headers=all_headers))
    return plan


def _find_tasks(settings: RunSettings, output: str) -> tuple[list[Task], ScanReport]:
    images, report = scan(settings.inputs, output)
    if not images and not report.unreadable:
        among = f" among {report.other_files:,} files" if report.other_files else ""
        raise UsageError(
            f"no image found in {', '.join(settings.inputs)}{among}", f"supported extensions: {known_extensions()}"
        )
    return make_tasks(images, output, settings.recipe), report


def _read_journal(tasks: Sequence[Task], output: str) -> tuple[JournalHistory, RunInfo | None]:
    """Read the journal, and the run file before it: the journal is then complete if the run has ended."""
    with storage_errors(output):
        last_run = run_file.read(output)
        return read_history(tasks, output, last_run), last_run


def _give_reasons(tasks: Sequence[Task], history: JournalHistory, fingerprint: str) -> Iterator[PlannedTask]:
    reasons = (reason_to_run(*each, fingerprint) for each in zip(tasks, history.records, strict=True))
    if history.unsettled:
        reasons = (reason or doubt for reason, doubt in zip(reasons, history.unsettled, strict=True))
    return map(PlannedTask, tasks, reasons)


def _add_existing(images: Sequence[PlannedTask], interrupted: Sequence[bool], output: str) -> tuple[PlannedTask, ...]:
    """Add to the tasks that will run what is known of the files at their targets."""
    if not os.path.isdir(openable(output)) or not any(planned.reason for planned in images):
        return tuple(images)
    exists = [bool(planned.reason) and os.path.lexists(openable(planned.task.target)) for planned in images]
    evidence = find_evidence((planned.task.target for planned in compress(images, exists)), output)
    return tuple(
        _with_existing(planned, evidence.get(planned.task.target, Evidence()), interrupted=was_interrupted)
        if is_there
        else planned
        for planned, is_there, was_interrupted in zip(images, exists, interrupted or [False] * len(images), strict=True)
    )


def look_again(plan: RunPlan) -> RunPlan:
    """Return a plan with what is known now of the files at its targets.

    If only the main process of the last run was killed, its workers have lived on for a moment: what they wrote after
    the plan was made is imgpool's own all the same.
    """
    interrupted = [existing.interrupted if (existing := planned.task.existing) else True for planned in plan.images]
    with storage_errors(plan.output):
        return replace(plan, images=_add_existing(plan.images, interrupted, plan.output))


def _with_existing(planned: PlannedTask, evidence: Evidence, *, interrupted: bool) -> PlannedTask:
    up_to_date = evidence.recorded if planned.reason in DOUBTS else ""
    existing = ExistingTarget(evidence.sources, up_to_date, interrupted)
    return PlannedTask(replace(planned.task, existing=existing), planned.reason)
