"""Run files of this process, and of runs on other machines."""

import os
import time

from imgpool.output.layout import run_path
from imgpool.output.run_file import RunInfo, write

ELSEWHERE = "a-host-that-is-not-this-one"


def run_of(**changes):
    """Describe a run of this process."""
    fields = {"inputs": ("/photos",), "recipe": "keep", "fingerprint": "f", "engine": "serial", "workers": 1}
    return RunInfo(**fields | {"found": 3, "skipped": 1, "to_do": 2} | changes)


def write_elsewhere(output, seconds_ago=0.0, **changes):
    """Write the run file of a run on another machine, with a heartbeat some time ago."""
    info = run_of(**{"host": ELSEWHERE, "boot": "another", "pid": 4711, "since": "2026-11-22T21:03:11Z"} | changes)
    write(str(output), info)
    moment = time.time() - seconds_ago
    os.utime(run_path(str(output)), (moment, moment))
    return info
