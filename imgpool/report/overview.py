"""A run as lines of text and as one JSON object: its plan before it starts, its summary after it ended."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

from imgpool.batch.headers import total_megapixels
from imgpool.batch.plan import RunPlan
from imgpool.batch.run import Runner
from imgpool.output.records import DOUBTS, FAILED_BEFORE, NEW
from imgpool.report.hints import with_options
from imgpool.report.step_loads import loads_json
from imgpool.report.tally import Tally
from imgpool.report.text import current_folder, damage_text, plural, printable, short, size

RETRY_ADVICE = "Run the same command again to retry the images that failed. Images that are done are skipped."
CONTINUE_ADVICE = "Run the same command again to continue. Images that are done are skipped."


def display_root(inputs: Sequence[str]) -> str:
    """Return the folder that paths are shown relative to: the only input if it is a folder, else the current one."""
    first = os.path.abspath(inputs[0]) if inputs else ""
    return first if len(inputs) == 1 and os.path.isdir(first) else current_folder()


def header_lines(plan: RunPlan) -> Iterator[str]:
    """Return what a run will do, what it ignores, and which images it processes again and why."""
    total = size(sum(planned.task.size for planned in plan.images))
    images = plural(len(plan.images), "image")
    workers = "serial" if plan.settings.engine == "serial" else plural(plan.engine_options.workers, "worker")
    target = short(plan.output, current_folder())
    yield f"{printable(plan.settings.recipe.name)} · {images} · {total} · {workers} → {target}"
    yield from (f"  {line}" for line in (*_ignored(plan), *_damage(plan), *_done_and_repeated(plan)))


def _ignored(plan: RunPlan) -> Iterator[str]:
    unsupported = sum(plan.scan.unsupported.values())
    if not_images := plan.scan.other_files - unsupported:
        yield f"{plural(not_images, 'file')} ignored: {'not an image' if not_images == 1 else 'not images'}"
    if unsupported:
        yield f"{plural(unsupported, 'image')} ignored: imgpool cannot read {', '.join(sorted(plan.scan.unsupported))}"
    for path, reason in plan.scan.excluded:
        yield f"{short(path, display_root(plan.settings.inputs))} ignored: {reason}"


def _damage(plan: RunPlan) -> Iterator[str]:
    if plan.damage:
        yield damage_text(plan.damage)


def _done_and_repeated(plan: RunPlan) -> Iterator[str]:
    if plan.done:
        yield f"{plural(len(plan.done), 'image')} already done and unchanged (--fresh reprocesses them)"
    for reason, count in sorted(plan.reasons.items()):
        if reason in DOUBTS:
            yield f"checking {plural(count, 'output')}: {reason}"
        elif reason == FAILED_BEFORE:
            yield f"retrying {count:,} that failed"
        elif reason != NEW:
            yield f"reprocessing {plural(count, 'image')}: {reason}"


def retry_advice(tally: Tally) -> list[str]:
    """Return what to do about images that failed."""
    return [RETRY_ADVICE] if tally.failed else []


def plan_lines(plan: RunPlan) -> Iterator[str]:
    """Return for each image its source, its target and why it is processed or skipped; last, the amount of work."""
    root = display_root(plan.settings.inputs)
    for planned in plan.images:
        names = f"{short(planned.task.source, root)} → {short(planned.task.target, current_folder())}"
        yield f"{names} · {planned.reason or 'skipped: already done and unchanged'}"
    yield from _damage(plan)
    work = workload(plan)
    yield (
        f"{plural(len(plan.tasks), 'image')} to process "
        f"({size(work['bytes'])}, {work['megapixels']:,.1f} megapixels), {len(plan.done):,} already done"
    )


def plan_json(plan: RunPlan) -> dict[str, Any]:
    """Return a plan as plain JSON values."""
    tasks = [
        {"source": planned.task.source, "target": planned.task.target, "reason": planned.reason}
        for planned in plan.images
    ]
    return {
        "found": len(tasks),
        **run_json(plan, plan.engine_options.workers),
        "estimate": workload(plan),
        "damaged_line": plan.damage.line if plan.damage else None,
        "tasks": tasks,
    }


def run_json(plan: RunPlan, workers: int) -> dict[str, Any]:
    """Return the settings of a run as plain JSON values."""
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
    """Return what a run did as plain JSON values, and whether a signal ended it."""
    counts = tally.as_dict()
    failures = counts.pop("failures")
    workers = runner.metrics.workers if runner.metrics.tasks else runner.options.workers
    run = run_json(runner.plan, workers)
    warnings = [with_options(text) for text in runner.warnings]
    return {
        **counts,
        "interrupted": interrupted,
        **run,
        **loads_json(runner),
        "warnings": warnings,
        "failures": failures,
    }


def workload(plan: RunPlan) -> dict[str, float]:
    """Return the number of images, bytes and megapixels to process. Files with an unreadable header have no pixels."""
    tasks = plan.tasks
    return {
        "images": len(tasks),
        "bytes": sum(task.size for task in tasks),
        "megapixels": round(total_megapixels(tasks, plan.header_reading(all_headers=True)), 3),
    }
