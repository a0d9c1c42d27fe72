"""Number of workers for a run, and the reason for it: from what is known at the start, and from measurements later."""

import math
from dataclasses import dataclass

from imgpool.core.engine import EngineOptions
from imgpool.engines.shared.workload import Workload

WORKER_START_SECONDS = 0.02
"""Cost of another worker: the fork, and its own copy of the memory it writes to."""

ASSUMED_TASK_SECONDS, ASSUMED_BYTE_SECONDS = 0.001, 20e-9
"""Assumed duration of a task, and of each byte of its file, before any task is done; most tasks take less."""

MIN_BLOCKED_SHARE = 0.4
"""Share of the tasks' time spent waiting for disk or network from which on more workers are worthwhile."""

MIN_BUSY_SHARE = 0.5
"""Share of the workers' time spent in tasks below which they wait for something else: memory, or a slow reader."""

MIN_SPEEDUP = 1.1
"""Factor by which a run must have become faster with more workers before it gets still more."""

MIN_SAVING_RATIO = 3.0
"""What a change of workers must save, as a multiple of what it costs."""


@dataclass(frozen=True, slots=True)
class WorkerCount:
    """A number of workers, and the reason for it in a few words."""

    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class RoundStatistics:
    """Measurements since the present workers were started.

    Attributes
    ----------
    workers
        The present workers.
    task_seconds
        Mean duration of a task.
    blocked_share
        Share of the tasks' time spent waiting for disk or network.
    busy_share
        Share of the workers' time spent in tasks.
    remaining_seconds
        Time that all remaining tasks take together; may be infinite.
    remaining_tasks
        Their number; None if unknown.
    start_seconds
        From the start of the workers to their first task.
    speed, previous_speed
        Tasks per second with these workers, and with the previous ones; the latter is 0 if there were none.
    """

    workers: WorkerCount
    task_seconds: float
    blocked_share: float
    busy_share: float
    remaining_seconds: float
    remaining_tasks: int | None
    start_seconds: float
    speed: float
    previous_speed: float = 0.0


def initial_workers(options: EngineOptions, workload: Workload | None) -> WorkerCount:
    """Return the workers that a run starts with.

    Parameters
    ----------
    workload
        All tasks of the run; None if unknown.
    """
    tasks = options.workers if workload is None else workload.tasks
    worthwhile = options.workers if workload is None or options.max_workers is None else _worthwhile_workers(workload)
    if tasks < options.workers and tasks <= worthwhile:
        return WorkerCount(max(1, tasks), "there are no more tasks")
    if worthwhile < options.workers:
        return WorkerCount(max(1, worthwhile), "starting more would take longer than the work")
    return _default_workers(options)


def _worthwhile_workers(workload: Workload) -> int:
    """Return how many workers have more to do than it takes to start them."""
    seconds = ASSUMED_TASK_SECONDS * workload.tasks + ASSUMED_BYTE_SECONDS * workload.nbytes
    return math.ceil(seconds / WORKER_START_SECONDS)


def next_workers(statistics: RoundStatistics, options: EngineOptions) -> WorkerCount | None:
    """Return the workers to continue with; None to keep the present ones.

    Where tasks mostly wait for disk or network, there are more workers than processors: as many as keep the processors
    busy. The number only ever grows, and only while that makes the run faster.
    """
    present = statistics.workers.count
    workers = _suitable_workers(statistics, options)
    if workers is None or workers.count <= present:
        return None
    saved = statistics.remaining_seconds * (1 / present - 1 / workers.count)
    cost = statistics.start_seconds + statistics.task_seconds
    return workers if saved > MIN_SAVING_RATIO * cost else None


def _suitable_workers(statistics: RoundStatistics, options: EngineOptions) -> WorkerCount | None:
    if options.max_workers is None:
        return None
    limit = options.max_workers
    if statistics.remaining_tasks is not None:
        limit = min(limit, statistics.remaining_tasks)
    if statistics.workers.count < options.workers:
        return WorkerCount(min(options.workers, limit), _default_workers(options).reason)
    if (
        statistics.blocked_share < MIN_BLOCKED_SHARE
        or statistics.busy_share < MIN_BUSY_SHARE
        or statistics.speed < MIN_SPEEDUP * statistics.previous_speed
    ):
        return None
    count = math.ceil(options.workers / max(1 - statistics.blocked_share, 0.01))
    return WorkerCount(min(count, limit), f"tasks wait for disk or network {statistics.blocked_share:.0%} of the time")


def _default_workers(options: EngineOptions) -> WorkerCount:
    return WorkerCount(options.workers, "as requested" if options.max_workers is None else "one per processor")
