"""An image's processing, with the moment at which its result was there."""

import time
from dataclasses import replace

from imgpool.core.task import Result, Task
from imgpool.work.process_file import WorkerState, process

FINISHED = "finished"
"""Beside a result's seconds by stage: when it was there, by a clock that all processes share."""


def process_and_note(workshop: WorkerState, task: Task, memory: int | None = None) -> Result:
    """What `imgpool.work.process_file.process` does; the result tells when it was there."""
    result = process(workshop, task, memory)
    return replace(result, seconds={**result.seconds, FINISHED: time.monotonic()})
