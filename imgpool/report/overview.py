"""A run in a few lines, or in one JSON object: what it will do, and what it did."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from imgpool.batch.run import Run
from imgpool.core.task import Task
from imgpool.report.step_loads import loads_json
from imgpool.report.tally import Tally
from imgpool.report.text import plural, printable, short, size
from imgpool.work.files import megapixels


def display_root(inputs: Sequence[str]) -> str:
    """The folder that the paths of these inputs are shown below: the one that there is, else the current folder."""
    first = os.path.abspath(inputs[0]) if inputs else ""
    return first if len(inputs) == 1 and os.path.isdir(first) else os.getcwd()


def header_lines(run: Run) -> Iterator[str]:
    """What is about to happen, and what was left out of it."""
    total = size(sum(planned.task.size for planned in run.planned))
    images = plural(len(run.planned), "image")
    workers = "serial" if run.settings.engine == "serial" else plural(run.options.workers, "worker")
    target = short(run.output, os.getcwd())
    yield f"{printable(run.settings.recipe.name)} · {images} · {total} · {workers} → {target}"
    if run.scan.others:
        yield f"  {plural(run.scan.others, 'other file')} left out: no image by its extension"
    if run.scan.unread:
        kinds = ", ".join(sorted(run.scan.unread))
        yield f"  {plural(run.scan.unread.total(), 'image')} among them that imgpool does not read: {kinds}"
    for path, kind in run.scan.left_out:
        yield f"  {short(path, display_root(run.settings.inputs))} left out: {kind}"
    if run.done_before:
        yield f"  {plural(len(run.done_before), 'image')} done before and unchanged (--fresh runs all)"
    for reason, count in sorted(_repeated(run).items()):
        yield f"  {plural(count, 'image')} again: {reason}"


def retry_advice(tally: Tally) -> list[str]:
    """What to do about images that failed."""
    again = "Run the same command again to retry what failed; what is done stays done."
    return [again] if tally.failed else []


def plan_lines(run: Run) -> Iterator[str]:
    """Each source and its target, why it runs or is skipped, and the work that it all is."""
    below = display_root(run.settings.inputs)
    for planned in run.planned:
        names = f"{short(planned.task.source, below)} → {short(planned.task.target, os.getcwd())}"
        yield f"{names} · {planned.reason}" if planned.reason else f"{names} · skipped: done before and unchanged"
    work = workload(run.to_do)
    yield (
        f"{work['images']:,} to do ({size(work['bytes'])}, {work['megapixels']:,.1f} megapixels), "
        f"{plural(len(run.done_before), 'image')} skipped"
    )


def plan_json(run: Run) -> dict[str, Any]:
    """The plan as plain JSON values."""
    tasks = [
        {"source": planned.task.source, "target": planned.task.target, "reason": planned.reason}
        for planned in run.planned
    ]
    return {"found": len(tasks), **run_json(run), "estimate": workload(run.to_do), "tasks": tasks}


def run_json(run: Run) -> dict[str, Any]:
    """How a run is set up, as plain JSON values."""
    return {
        "engine": run.settings.engine,
        "workers": run.metrics.workers if run.metrics.tasks else run.options.workers,
        "chunksize": run.options.chunksize or "auto",
        "recipe": run.settings.recipe.name,
        "fingerprint": run.fingerprint,
        "output": run.output,
        "provenance": list(run.leant_on),
    }


def summary_json(run: Run, tally: Tally, *, interrupted: bool = False) -> dict[str, Any]:
    """What a run did, as plain JSON values; and whether a signal ended it."""
    counts = tally.as_dict()
    failures = counts.pop("failures")
    return {**counts, "interrupted": interrupted, **run_json(run), **loads_json(run), "failures": failures}


def workload(tasks: list[Task]) -> dict[str, float]:
    """Images, bytes and megapixels to be processed; of a file whose header cannot be read, the bytes alone."""
    return {
        "images": len(tasks),
        "bytes": sum(task.size for task in tasks),
        "megapixels": round(sum(megapixels(task.source) for task in tasks), 3),
    }


def _repeated(run: Run) -> Counter[str]:
    return Counter(planned.reason for planned in run.planned if planned.reason not in {"", "new"})
