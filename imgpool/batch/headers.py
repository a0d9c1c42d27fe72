"""Read the headers of images before a run, outside this process: a header can take any time and memory to parse."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, Literal, TypeVar

from imgpool.core.engine import EngineOptions, StartMethod
from imgpool.core.errors import ImgpoolError, WorkerError
from imgpool.core.task import Task
from imgpool.system.isolated import IsolatedError, ReportProgress, call_isolated, quick_start_method
from imgpool.system.resources import available_memory
from imgpool.work.files import check_is_file, format_of

PLANNING_SECONDS = 2.0
"""Time for all headers of a run; those that are not reached are checked by the tasks of their images."""

HEADER_TIMEOUT_S = 30.0
"""Time limit for one header where all are read."""

MAX_HEADER_MEMORY = 1 << 30
"""Most bytes that reading headers may take."""

MAX_TASKS_PER_PROCESS = 10_000
"""Most tasks that are sent to a process at once."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class HeaderReading:
    """How headers are read.

    Attributes
    ----------
    seconds
        Time for all of them together; None for no limit.
    own_process
        Whether this process reads them, as a serial run does with the images.
    start_method
        How a process is started in which they are read, if this one cannot be forked.
    preload
        Modules that a fork server imports; the workers of the run need them as well.
    memory
        Most bytes that reading may take; never more than `MAX_HEADER_MEMORY`.
    """

    seconds: float | None = PLANNING_SECONDS
    own_process: bool = False
    start_method: StartMethod = "forkserver"
    preload: tuple[str, ...] = ()
    memory: int | None = None


def read_headers(
    tasks: Sequence[Task],
    examine: Callable[[Task], Value | None],
    on_value: Callable[[Task, Value], object],
    reading: HeaderReading,
) -> bool:
    """Examine the headers of images, one after another.

    Parameters
    ----------
    tasks
        The images.
    examine
        Reads one header and returns something small; picklable. If it raises `ImgpoolError` or `OSError`, the image is
        left out: its own task will report the error.
    on_value
        Called in this process with each task and what `examine` returned, unless that is None.
    reading
        Time limit, and where the headers are read.

    Returns
    -------
    bool
        Whether every header was read; False if one took too much time or memory, or was not reached.
    """
    progress = _Progress(tasks, on_value, reading.seconds)
    if reading.own_process:
        for task in tasks:
            progress.receive(_examine(examine, task))
            if progress.is_over():
                break
        return progress.complete
    method = quick_start_method(reading.start_method)
    while progress.position < len(tasks) and not progress.is_over():
        piece = tasks[progress.position : progress.position + MAX_TASKS_PER_PROCESS]
        if not _read_in_process(partial(_examine_all, piece, examine), progress, method, reading):
            break
    return progress.complete


def total_megapixels(tasks: Sequence[Task], reading: HeaderReading) -> float:
    """Return the megapixels that the headers of images declare; headers that cannot be read have none."""
    pixels: list[int] = []
    read_headers(tasks, count_pixels, lambda _, count: pixels.append(count), reading)
    return sum(pixels) / 1e6


def count_pixels(task: Task) -> int:
    """Return the number of pixels that the header of an image declares."""
    return format_of(task.source).properties(task.source).pixel_count


class _Progress(Generic[Value]):
    """What has been read.

    Attributes
    ----------
    position
        Number of tasks that are finished with.
    started
        Whether the present process has begun to read.
    """

    def __init__(self, tasks: Sequence[Task], on_value: Callable[[Task, Value], object], seconds: float | None) -> None:
        self.position = 0
        self.started = False
        self._tasks = tasks
        self._on_value = on_value
        self._seconds = seconds
        self._end: float | None = None
        self._skipped = 0

    @property
    def complete(self) -> bool:
        """Whether every header was read."""
        return self.position == len(self._tasks) and not self._skipped

    def is_over(self) -> bool:
        """Whether the time for all headers has passed; it starts when the first process is ready."""
        return self._end is not None and time.monotonic() > self._end

    def receive(self, message: "_Message[Value]") -> None:
        """Handle a message of `_examine_all`."""
        if self._end is None and self._seconds is not None:
            self._end = time.monotonic() + self._seconds
        self.started = True
        if message == READY:
            return
        state, value = message
        if state == "examined" and value is not None:
            self._on_value(self._tasks[self.position], value)
        self.skip() if state == "too much" else self._advance()

    def skip(self) -> None:
        """Leave the present header to its own task."""
        self._skipped += 1
        self._advance()

    def _advance(self) -> None:
        self.position += 1


_Message = tuple[Literal["ready", "examined", "too much"], Value | None]

READY: "_Message[None]" = ("ready", None)


def _read_in_process(
    function: Callable[[ReportProgress], object],
    progress: _Progress[Value],
    method: StartMethod,
    reading: HeaderReading,
) -> bool:
    """Call `_examine_all` in a process; return False if no process can be started."""
    progress.started = False
    options = EngineOptions(
        timeout=HEADER_TIMEOUT_S if reading.seconds is None else None,
        preload=_server_modules(reading) if method == "forkserver" else (),
        should_stop=progress.is_over,
    )
    memory = min(MAX_HEADER_MEMORY, reading.memory or available_memory())
    try:
        call_isolated(function, options, progress.receive, memory=memory, start_method=method)
    except IsolatedError:
        if not progress.started:
            return False
        progress.skip()
    except WorkerError:
        return False
    return True


def _server_modules(reading: HeaderReading) -> tuple[str, ...]:
    """Return what the fork server of the pool imports: the pool uses the same one afterwards."""
    return ("imgpool.system.fork_server", "imgpool.engines.pool.host.main", *reading.preload)


def _examine_all(tasks: Sequence[Task], examine: Callable[[Task], Value | None], report: ReportProgress) -> None:
    report(READY)
    for task in tasks:
        report(_examine(examine, task))


def _examine(examine: Callable[[Task], Value | None], task: Task) -> "_Message[Value]":
    try:
        check_is_file(os.stat(task.source))
        return "examined", examine(task)
    except (ImgpoolError, OSError):
        return "examined", None
    except Exception:  # noqa: BLE001 - too little memory, or a fault in a format: reported by the task
        return "too much", None
