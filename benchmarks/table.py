"""Tables of the measurements of `benchmarks.bench`.

``python -m benchmarks.table FILE…`` prints the table for the documentation from files that ``--json`` has saved.
"""

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.methods import POOL, SERIAL
from benchmarks.workloads import MAX_MAKESPAN_RATIO, MAX_MEMORY_RATIO, WORKLOADS, Target, Workload

Record = dict[str, Any]
GB, MB = 1e9, 1e6
HEADINGS = (
    "images, in and out", "bound", "imgpool", "against the bound", "against the textbook script",
    "against command-line tools", "pool against serial", "worker's peak memory",
)  # fmt: skip


def median(record: Record, name: str) -> float | None:
    """Return the median seconds of a method; None if it was not measured."""
    seconds = [value for value in record["methods"].get(name, {}).get("seconds", []) if value is not None]
    return statistics.median(seconds) if seconds and "failed" not in record["methods"][name] else None


def ratio(record: Record, slower: str, faster: str = POOL) -> float | None:
    """Return how many times as fast one method is as another: the median over the rounds in which both took part."""
    if median(record, slower) is None or median(record, faster) is None:
        return None
    pairs = zip(*(record["methods"][name]["seconds"] for name in (slower, faster)), strict=True)
    ratios = [first / second for first, second in pairs if first is not None and second is not None]
    return statistics.median(ratios) if ratios else None


def makespan(record: Record) -> tuple[float, float] | None:
    """Return the pool's duration relative to its lower bound.

    The lower bound is the longest task or the evenly divided sum of all tasks, whichever is larger.

    Returns
    -------
    tuple of float
        Ratios to the lower bound from the tasks' seconds in the serial run, and in the pool run.
    """
    runs = [record["methods"].get(name, {}) for name in (SERIAL, POOL)]
    if not all(method.get("tasks") and "failed" not in method for method in runs):
        return None
    serial, own = (
        [max(tasks["sum"] / record["workers"], tasks["longest"]) for tasks in method["tasks"]] for method in runs
    )
    seconds = runs[1]["seconds"]
    by_serial, by_own = (
        statistics.median(took / bound for took, bound in zip(seconds, bounds, strict=True)) for bounds in (serial, own)
    )
    return by_serial, by_own


def plain(record: Record) -> str:
    """Format all measurements of a workload, one line per method, fastest first."""
    lines = [f"{record['title']}: {record['images']} images, {record['bytes'] / MB:.0f} MB"]
    lines.append(f"  {'method':29} {'seconds':>8} {'range':>15} {'× imgpool':>9} {'peak MB':>8}  difference, notes")
    ran = [name for name in record["methods"] if median(record, name) is not None]
    for name in sorted(ran, key=lambda name: median(record, name) or 0):
        method = record["methods"][name]
        seconds = [value for value in method["seconds"] if value is not None]
        spread = f"{min(seconds):.2f}–{max(seconds):.2f}"
        memory = f"{method['memory'] / MB:.0f}" if method.get("memory") else ""
        lines.append(
            f"  {name:29} {statistics.median(seconds):8.2f} {spread:>15} {_number(ratio(record, name)):>9} {memory:>8}"
            f"  {_notes(method)}"
        )
    lines += [f"  {name:29} {method['failed']}" for name, method in record["methods"].items() if "failed" in method]
    if record["name"] == "mixed" and (found := makespan(record)):
        lines.append(f"  makespan : lower bound {found[0]:.3f} by the serial run's tasks, {found[1]:.3f} by its own")
    return "\n".join(lines)


def markdown(results: Record) -> str:
    """Format the table for the documentation, in Markdown."""
    lines = [f"| {' | '.join(HEADINGS)} |", f"|{' --- |' * len(HEADINGS)}"]
    known = {workload.name: workload for workload in WORKLOADS}
    for name, record in results["workloads"].items():
        lines.append(_row(known[name.removesuffix(" on disk")], record))
    return "\n".join([*lines, "", _machine(results)])


def merged(several: Sequence[Record]) -> Record:
    """Merge separately measured workloads; the last measurement of each counts."""
    workloads = {name: record for results in several for name, record in results["workloads"].items()}
    return {**several[-1], "workloads": workloads}


def _row(workload: Workload, record: Record) -> str:
    speeds = [_cell(record, target) for target in (workload.bound, workload.textbook, workload.command_line)]
    speeds.append(_cell(record, workload.serial) if workload.serial else _number(ratio(record, SERIAL)))
    if workload.name == "mixed" and (found := makespan(record)):
        speeds[0] = (
            f"makespan {found[1]:.2f} × the lower bound of its own tasks (≤ {MAX_MAKESPAN_RATIO}), "
            f"{found[0]:.2f} × serial's"
        )
    cells = [record["title"], _seconds(record, "bound"), _seconds(record, POOL), *speeds, _memory(record)]
    return f"| {' | '.join(cells)} |"


def _cell(record: Record, target: Target | None) -> str:
    """Format the ratio to the target's methods, and to a command-line tool that is even faster."""
    if target is None:
        return "–"
    named = fastest(record, target.against)
    if named is None:
        return "not measured"
    text = f"{_number(ratio(record, named))} (≥ {target.ratio:g})"
    if not is_command_line(named):
        return text
    best = fastest(record, [name for name in record["methods"] if is_command_line(name)])
    besides = f"; {_number(ratio(record, best))} × {best}" if best and best != named else ""
    return text.replace(" (", f" × {named} (") + besides


def fastest(record: Record, names: Sequence[str]) -> str | None:
    """Return the fastest of the measured methods; None if none was measured."""
    found = {name: seconds for name in names if (seconds := median(record, name)) is not None}
    return min(found, key=lambda name: found[name]) if found else None


def is_command_line(name: str) -> bool:
    """Whether a method is another command-line tool."""
    return not name.startswith(("bound", "imgpool", "textbook"))


def _notes(method: Record) -> str:
    difference = method.get("difference", {})
    notes = [f"max {difference['max']:g}, mean {difference['mean']:.3g}"] if "max" in difference else []
    if method["images"] < method["of"]:
        notes.append(f"from {method['images']} of {method['of']} images")
    return "; ".join([*notes, *([method["note"]] if method["note"] else [])])


def _memory(record: Record) -> str:
    bound, pool = (record["methods"].get(name, {}).get("memory") for name in ("bound", POOL))
    return f"{pool / MB:.0f} MB, {pool / bound:.2f} × the bound's (≤ {MAX_MEMORY_RATIO})" if bound and pool else "–"


def _seconds(record: Record, name: str) -> str:
    found = median(record, name)
    return "–" if found is None else f"{found:.2f} s"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"  # noqa: PLR2004 - three digits


def _machine(results: Record) -> str:
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['date']}, {machine['cores']} × {machine['processor']}, {machine['memory'] / GB:.0f} GB, "
        f"{machine['system']}, files on {machine['file system']}; medians of {results['rounds']} rounds. {versions}."
    )


if __name__ == "__main__":
    print(markdown(merged([json.loads(Path(name).read_text()) for name in sys.argv[1:]])))
