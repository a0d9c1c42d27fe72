"""Read the headers of images before a run, outside this process: a header can take any time and memory to parse."""

import math
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
from imgpool.system.paths import openable
from imgpool.system.resources import available_memory
from imgpool.work.files import check_is_file, format_of

PLANNING_SECONDS = 2.0
"""Time for all headers of a run; those that are not reached are checked by the tasks of their images."""

HEADER_TIMEOUT_S = 30.0
"""Time limit for one header where all are read."""

START_TIMEOUT_S = 60.0
"""Time limit for the start of the process that reads headers, with all that it imports."""

STOP_TIMEOUT_S = 0.2
"""Time after the limit for all headers in which the process may end by itself."""

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
        _examine_all(tasks, examine, reading.seconds, progress.receive)
        return progress.complete
    started = True
    while started and progress.position < len(tasks) and not progress.is_over():
        piece = tasks[progress.position : progress.position + MAX_TASKS_PER_PROCESS]
        started = _call(partial(_examine_all, piece, examine, progress.seconds_left), progress, reading)
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
    skipped
        Number of headers that took too much.
    """

    def __init__(self, tasks: Sequence[Task], on_value: Callable[[Task, Value], object], seconds: float | None) -> None:
        self.position = 0
        self.started = False
        self._tasks = tasks
        self._on_value = on_value
        self._seconds = seconds
        self._end: float | None = None
        self._called = time.monotonic()
        self.skipped = 0

    @property
    def complete(self) -> bool:
        """Whether every header was read."""
        return self.position == len(self._tasks) and not self.skipped

    @property
    def seconds_left(self) -> float | None:
        """Time that is left for all headers; None for no limit. It begins when the first process is ready."""
        return self._seconds if self._end is None else self._end - time.monotonic()

    def is_over(self) -> bool:
        """Whether a process has exceeded the time to start, or the time for all headers."""
        if not self.started:
            return time.monotonic() - self._called > START_TIMEOUT_S
        left = self.seconds_left
        return left is not None and left < -STOP_TIMEOUT_S

    def start_call(self) -> None:
        """Note that a process is asked to read what is left."""
        self.started = False
        self._called = time.monotonic()

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
        self.skipped += 1
        self._advance()

    def _advance(self) -> None:
        self.position += 1


_Message = tuple[Literal["ready", "examined", "too much"], Value | None]

READY: "_Message[None]" = ("ready", None)


def _call(function: Callable[[ReportProgress], object], progress: _Progress[Value], reading: HeaderReading) -> bool:
    """Call `_examine_all` in a process; return whether it is worth to start another one for what is left."""
    progress.start_call()
    memory = min(MAX_HEADER_MEMORY, reading.memory or available_memory())
    try:
        if not _call_prefork_host(function, memory, progress, reading):
            _call_isolated(function, memory, progress, reading)
    except IsolatedError:
        if not progress.started:
            return False
        progress.skip()
    except WorkerError:
        return False
    return progress.seconds_left is None or progress.seconds_left > 0


def _call_prefork_host(
    function: Callable[[ReportProgress], object], memory: int, progress: _Progress[Value], reading: HeaderReading
) -> bool:
    """Read in the process that waits to become the host of the pool, which saves a start; False if there is none.

    After a header that took too much, the host is discarded: workers should not be forked from it.
    """
    if reading.seconds is None:  # it has no time limit for a single header
        return False
    from imgpool.engines.pool.parent.prefork import call_prefork_host, discard_prefork_host

    returned = call_prefork_host(function, memory, progress.receive, progress.is_over)
    if returned is False and progress.started:
        progress.skip()
    if progress.skipped:
        discard_prefork_host()
    return returned is True or (returned is False and progress.started)


def _call_isolated(
    function: Callable[[ReportProgress], object], memory: int, progress: _Progress[Value], reading: HeaderReading
) -> None:
    method = quick_start_method(reading.start_method)
    options = EngineOptions(
        timeout=HEADER_TIMEOUT_S if reading.seconds is None else None,
        preload=_server_modules(reading) if method == "forkserver" else (),
        should_stop=progress.is_over,
    )
    call_isolated(function, options, progress.receive, memory=memory, start_method=method)


def _server_modules(reading: HeaderReading) -> tuple[str, ...]:
    """Return what the fork server of the pool imports: the pool uses the same one afterwards."""
    return ("imgpool.system.fork_server", "imgpool.engines.pool.host.main", *reading.preload)


def _examine_all(
    tasks: Sequence[Task], examine: Callable[[Task], Value | None], seconds: float | None, report: ReportProgress
) -> None:
    """Examine headers until `seconds` have passed; report that this process is ready, and then each header."""
    report(READY)
    end = math.inf if seconds is None else time.monotonic() + seconds
    for task in tasks:
        if time.monotonic() > end:
            break
        report(_examine(examine, task))


def _examine(examine: Callable[[Task], Value | None], task: Task) -> "_Message[Value]":
    try:
        check_is_file(os.stat(openable(task.source)))
        return "examined", examine(task)
    except (ImgpoolError, OSError):
        return "examined", None
    except Exception:  # noqa: BLE001 - too little memory, or a fault in a format: reported by the task
        return "too much", None
