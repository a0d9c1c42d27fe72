"""A run as its run file and journal tell of it: in lines for people, in one JSON object, and followed to its end."""

import os
import shlex
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from imgpool.output.run_file import RunInfo, describe_run, readable_time
from imgpool.output.status import Status
from imgpool.report.console import failure_lines, summary_lines
from imgpool.report.overview import display_root
from imgpool.report.progress import choose_progress, progress_line, stderr_console
from imgpool.report.step_loads import provenance_lines
from imgpool.report.tally import failure_json
from imgpool.report.text import StyledLine, duration, plural, printable, short

REFRESH_INTERVAL_S = 1.0
"""Between two looks at a run that is being followed."""


def status_lines(status: Status, verbosity: int = 0) -> Iterator[StyledLine]:
    """What a run did, or does: where it stands, its numbers, its failures by cause and by name, how to go on.

    Parameters
    ----------
    status
        What there is to tell.
    verbosity
        -1 names the failures only; 1 shows tracebacks too.
    """
    if verbosity >= 0:
        yield from _overview(status)
    below = display_root(status.run.inputs if status.run else ())
    for result in status.failures:
        yield from failure_lines(result, below, traceback=verbosity > 0)
    if verbosity >= 0:
        yield from (StyledLine(f"  {line}") for line in _advice(status))


def _overview(status: Status) -> Iterator[StyledLine]:
    target = short(status.output, os.getcwd())
    if status.run is None:
        yield StyledLine(f"{target} · no run file: this is what its journal holds in all")
    else:
        images = plural(status.run.found - status.unlisted_folders, "image")
        workers = "serial" if status.run.engine == "serial" else plural(status.run.workers, "worker")
        yield StyledLine(f"{printable(status.run.recipe)} · {images} · {workers} → {target}")
        yield StyledLine(f"  {_where_it_stands(status, status.run)}")
        yield from map(StyledLine, provenance_lines(status.run.provenance))
    yield from summary_lines(status, running=status.state == "running")
    if status.unlisted_folders:
        yield StyledLine(f"  {plural(status.unlisted_folders, 'folder')} could not be listed")
    for stage, error, count in status.causes:
        yield StyledLine(f"  {count:,} × {stage} · {printable(error)}")


def _where_it_stands(status: Status, run: RunInfo) -> str:
    whose = printable(describe_run(run))
    if status.state == "running":
        left = f" · {duration(status.left / status.rate)} left" if status.rate and status.left else ""
        return f"running: {whose}{left}"
    if status.state == "killed":
        return f"killed: {whose}; it ended without a word"
    return f"{printable(run.how or '')}: {whose}, until {readable_time(run.ended or '')}"


def _advice(status: Status) -> Iterator[str]:
    if status.state == "running":
        output = shlex.quote(short(status.output, os.getcwd()))
        yield f"It goes on; `imgpool status {output} --watch` follows it."
    elif status.left:
        yield "Run the same command again to continue; what is done stays done."
    elif status.failed:
        yield "Run the same command again to retry what failed; what is done stays done."


def status_json(status: Status) -> dict[str, Any]:
    """A run as plain JSON values; null for what cannot be told without a run file."""
    run = status.run
    return {
        "state": status.state,
        "found": run.found if run else None,
        "done": status.done,
        "skipped": status.skipped if run else None,
        "failed": status.failed,
        "left": status.left if run else None,
        "seconds": status.seconds if run else None,
        "images_per_second": round(status.rate, 2) if run else None,
        "seconds_left": round(status.left / status.rate, 1) if status.state == "running" and status.rate else None,
        "run": {name: getattr(run, name) for name in SHOWN} if run else None,
        "output": status.output,
        "causes": [{"stage": stage, "error": error, "count": count} for stage, error, count in status.causes],
        "failures": [failure_json(result) for result in status.failures],
    }


SHOWN = ("host", "pid", "since", "ended", "how", "inputs", "engine", "workers", "recipe", "fingerprint", "provenance")
"""What a run file tells that is told on."""


def watch_run(status: Status, *, quiet: bool = False) -> None:
    """Look at a run again and again until it has ended, and show on stderr how far it has come."""
    if status.run is None:
        return
    token, shown = status.run.token, 0
    progress = choose_progress(stderr_console(), partial(progress_line, status), status.run.to_do, quiet=quiet)
    progress.start()
    try:
        while status.state == "running" and status.run.token == token:
            progress.advance(status.processed - shown)
            shown = status.processed
            time.sleep(REFRESH_INTERVAL_S)
            status.refresh()
    finally:
        progress.stop()
