"""The status of a run from its run file and journal: as lines of text, as one JSON object, and watched to its end."""

import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from imgpool.core.task import Stage
from imgpool.output.run_file import RunInfo, describe_run, readable_time
from imgpool.output.status import Status
from imgpool.report.console import failure_lines, summary_lines
from imgpool.report.hints import with_options
from imgpool.report.overview import CONTINUE_ADVICE, RETRY_ADVICE, display_root
from imgpool.report.progress import LINE_INTERVAL_S, choose_progress, progress_text
from imgpool.report.stderr import stderr_console
from imgpool.report.step_loads import provenance_lines
from imgpool.report.tally import failure_json
from imgpool.report.text import StyledLine, current_folder, damage_text, duration, plural, printable, short

REFRESH_INTERVAL_S = 1.0
"""Time between two refreshes of the status of a run that is being watched."""

JSON_RUN_FIELDS = (
    "host", "pid", "since", "ended", "how", "inputs", "engine", "workers", "recipe", "fingerprint", "provenance",
)  # fmt: skip
"""Fields of the run file that the JSON object contains."""


STAGE_TEXTS: dict[Stage, str] = {
    "read": "while reading",
    "filter": "while filtering",
    "write": "while writing",
    "worker": "because the process died or took too long",
}


def status_lines(status: Status, verbosity: int = 0) -> Iterator[StyledLine]:
    """Return the state of a run, its counts, its failures by cause and by image, and what to do next.

    Parameters
    ----------
    status
        The status of a run.
    verbosity
        -1 lists the failed images only; 1 shows tracebacks too.
    """
    if verbosity >= 0:
        yield from _overview(status)
    root = display_root(status.run.inputs if status.run else ())
    for result in status.failures:
        yield from failure_lines(result, root, traceback=verbosity > 0)
    if verbosity >= 0:
        yield from (StyledLine(f"  {line}") for line in _advice(status))


def _overview(status: Status) -> Iterator[StyledLine]:
    target = short(status.output, current_folder())
    if status.run is None:
        yield StyledLine(f"{target} · no run file: these are the totals of its journal")
    else:
        images = plural(status.run.found - status.unlisted_folders, "image")
        workers = "serial" if status.run.engine == "serial" else plural(status.run.workers, "worker")
        yield StyledLine(f"{printable(status.run.recipe)} · {images} · {workers} → {target}")
        yield StyledLine(f"  {_state(status, status.run)}")
        yield from map(StyledLine, provenance_lines(status.run.provenance))
    yield from summary_lines(status, running=status.state == "running")
    if status.damage:
        yield StyledLine(f"  {damage_text(status.damage)}", "yellow")
    if status.unlisted_folders:
        yield StyledLine(f"  {plural(status.unlisted_folders, 'input folder')} could not be listed")
    by_stage = Counter(result.failure.stage for result in status.failures if result.failure)
    for stage, count in by_stage.most_common():
        yield StyledLine(f"  {count:,} failed {STAGE_TEXTS[stage]}")


def _state(status: Status, run: RunInfo) -> str:
    process = printable(describe_run(run))
    if status.state == "running":
        seconds_left = _seconds_left(status)
        return f"running: {process}" + (f" · {duration(seconds_left)} left" if seconds_left else "")
    if status.state == "killed":
        return f"killed: {process}; the process died unexpectedly"
    return f"{printable(with_options(run.how or ''))}: {process}, until {readable_time(run.ended or '')}"


def _advice(status: Status) -> Iterator[str]:
    if status.state == "running":
        output = shlex.quote(short(status.output, current_folder()))
        yield f"The run is still going on: `imgpool status {output} --watch` shows its progress."
    elif status.left:
        yield CONTINUE_ADVICE
    elif status.failed:
        yield RETRY_ADVICE


def status_json(status: Status) -> dict[str, Any]:
    """Return a status as plain JSON values; null for what is unknown without a run file."""
    common = {
        "state": status.state,
        "found": None,
        "done": status.done,
        "skipped": None,
        "failed": status.failed,
        "left": None,
        "seconds": None,
        "images_per_second": None,
        "seconds_left": None,
        "run": None,
        "output": status.output,
        "damaged_line": status.damage.line if status.damage else None,
        "causes": [{"stage": stage, "error": error, "count": count} for stage, error, count in status.causes],
        "failures": [failure_json(result) for result in status.failures],
    }
    return common | _run_json(status, status.run) if status.run else common


def _run_json(status: Status, run: RunInfo) -> dict[str, Any]:
    seconds_left = _seconds_left(status)
    return {
        "found": run.found,
        "skipped": status.skipped,
        "left": status.left,
        "seconds": status.seconds,
        "images_per_second": round(status.rate, 2),
        "seconds_left": None if seconds_left is None else round(seconds_left, 1),
        "run": {name: getattr(run, name) for name in JSON_RUN_FIELDS},
    }


def _seconds_left(status: Status) -> float | None:
    """Estimate how long a run will take from now on; None if it is not running, or its rate is unknown."""
    return status.left / status.rate if status.state == "running" and status.rate else None


def watch_run(
    status: Status,
    *,
    quiet: bool = False,
    line_interval: float = LINE_INTERVAL_S,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Refresh the status of a run until it ends, and show its progress on stderr.

    Parameters
    ----------
    status
        The status of a run.
    quiet
        Show no progress.
    line_interval
        Seconds between two lines of progress where there is no terminal.
    sleep
        Waits for a number of seconds.
    """
    if status.run is None:
        return
    token, shown = status.run.token, 0
    progress = choose_progress(
        stderr_console(), partial(progress_text, status), status.run.to_do, quiet=quiet, line_interval=line_interval
    )
    progress.start()
    try:
        while status.state == "running" and status.run.token == token:
            progress.advance(status.processed - shown)
            shown = status.processed
            sleep(REFRESH_INTERVAL_S)
            status.refresh()
    finally:
        progress.stop()
