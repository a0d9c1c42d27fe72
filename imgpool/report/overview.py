"""A run in a few lines, or in one JSON object: what it will do, and what it did."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

from imgpool.batch.plan import RunPlan
from imgpool.batch.run import Runner
from imgpool.core.task import Task
from imgpool.report.step_loads import loads_json
from imgpool.report.tally import Tally
from imgpool.report.text import plural, printable, short, size
from imgpool.work.files import megapixels


def display_root(inputs: Sequence[str]) -> str:
    """The folder that the paths of these inputs are shown below: the one that there is, else the current folder."""
    first = os.path.abspath(inputs[0]) if inputs else ""
    return first if len(inputs) == 1 and os.path.isdir(first) else os.getcwd()


def header_lines(plan: RunPlan) -> Iterator[str]:
    """What is about to happen, and what was left out of it."""
    total = size(sum(planned.task.size for planned in plan.images))
    images = plural(len(plan.images), "image")
    workers = "serial" if plan.settings.engine == "serial" else plural(plan.engine_options.workers, "worker")
    target = short(plan.output, os.getcwd())
    yield f"{printable(plan.settings.recipe.name)} · {images} · {total} · {workers} → {target}"
    if plan.scan.other_files:
        yield f"  {plural(plan.scan.other_files, 'other file')} left out: no image by its extension"
    if plan.scan.unsupported:
        kinds = ", ".join(sorted(plan.scan.unsupported))
        yield f"  {plural(sum(plan.scan.unsupported.values()), 'image')} among them that imgpool does not read: {kinds}"
    for path, kind in plan.scan.excluded:
        yield f"  {short(path, display_root(plan.settings.inputs))} left out: {kind}"
    if plan.done:
        yield f"  {plural(len(plan.done), 'image')} done before and unchanged (--fresh runs all)"
    for reason, count in sorted(plan.reasons.items()):
        if reason != "new":
            yield f"  {plural(count, 'image')} again: {reason}"


def retry_advice(tally: Tally) -> list[str]:
    """What to do about images that failed."""
    again = "Run the same command again to retry what failed; what is done stays done."
    return [again] if tally.failed else []


def plan_lines(plan: RunPlan) -> Iterator[str]:
    """Each source and its target, why it runs or is skipped, and the work that it all is."""
    below = display_root(plan.settings.inputs)
    for planned in plan.images:
        names = f"{short(planned.task.source, below)} → {short(planned.task.target, os.getcwd())}"
        yield f"{names} · {planned.reason}" if planned.reason else f"{names} · skipped: done before and unchanged"
    work = workload(plan.tasks)
    yield (
        f"{work['images']:,} to do ({size(work['bytes'])}, {work['megapixels']:,.1f} megapixels), "
        f"{plural(len(plan.done), 'image')} skipped"
    )


def plan_json(plan: RunPlan) -> dict[str, Any]:
    """The plan as plain JSON values."""
    tasks = [
        {"source": planned.task.source, "target": planned.task.target, "reason": planned.reason}
        for planned in plan.images
    ]
    return {
        "found": len(tasks),
        **run_json(plan, plan.engine_options.workers),
        "estimate": workload(plan.tasks),
        "tasks": tasks,
    }


def run_json(plan: RunPlan, workers: int) -> dict[str, Any]:
    """How a run is set up, as plain JSON values."""
    return {
        "engine": plan.settings.engine,
        "workers": workers,
        "chunksize": plan.engine_options.chunksize or "auto",
        "recipe": plan.settings.recipe.name,
        "fingerprint": plan.fingerprint,
        "output": plan.output,
        "provenance": list(plan.references),
    }


def summary_json(runner: Runner, tally: Tally, *, interrupted: bool = False) -> dict[str, Any]:
    """What a run did, as plain JSON values; and whether a signal ended it."""
    counts = tally.as_dict()
    failures = counts.pop("failures")
    workers = runner.metrics.workers if runner.metrics.tasks else runner.options.workers
    run = run_json(runner.plan, workers)
    return {**counts, "interrupted": interrupted, **run, **loads_json(runner), "failures": failures}


def workload(tasks: Sequence[Task]) -> dict[str, float]:
    """Images, bytes and megapixels to be processed; of a file whose header cannot be read, the bytes alone."""
    return {
        "images": len(tasks),
        "bytes": sum(task.size for task in tasks),
        "megapixels": round(sum(megapixels(task.source) for task in tasks), 3),
    }
