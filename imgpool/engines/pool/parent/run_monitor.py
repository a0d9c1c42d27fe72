"""Run monitor: measures a run, reports its metrics, and proposes when its workers should be replaced by more."""

import math
import time
from dataclasses import replace

from imgpool.core.engine import EngineOptions
from imgpool.engines.pool.parent.worker_count import RoundStatistics, WorkerCount, next_workers
from imgpool.engines.pool.protocol.messages import ChunkPolicy
from imgpool.engines.shared.metrics import MetricsCollector
from imgpool.engines.shared.timing import Timing
from imgpool.engines.shared.workload import TaskTimes, Workload

MIN_REVIEW_INTERVAL_S = 0.5
"""Time for which workers are measured before they may be replaced."""

MIN_TASKS_PER_WORKER = 3
"""Tasks per worker that must be done before the workers may be replaced."""

MAX_DEVIATION = 4.0
"""A chunk that takes longer than this multiple of the estimate does not count as waiting: the run was suspended."""


class RunMonitor:
    """Measures a run and calls `EngineOptions.on_metrics` whenever something is chosen.

    Parameters
    ----------
    options
        Options of the run.
    workers
        Workers that the run starts with.
    """

    def __init__(self, options: EngineOptions, workers: WorkerCount) -> None:
        self.workers = workers
        self._options = options
        self._collector = MetricsCollector()
        self._policy: ChunkPolicy | None = None
        self._previous_speed = 0.0
        self.start_round()

    def start_round(self) -> None:
        """Note that workers are being started."""
        self._times = TaskTimes(self.workers.count)
        self._round_started = time.monotonic()
        self._first_task = self._last_review = 0.0
        self._total_before = self._collector.total
        self._ordinary = Timing()

    def add(self, timing: Timing, policy: ChunkPolicy | None = None) -> None:
        """Add a chunk that has come back, and how chunks are formed from now on."""
        if timing.tasks:
            if not self._first_task:
                self._last_review = self._first_task = time.monotonic() - timing.seconds
            self._collector.add(timing)
            if timing.seconds <= MAX_DEVIATION * self._times.estimate(timing.workload):
                self._ordinary = self._ordinary.combine(timing)
            self._times.observe(timing.workload, timing.seconds)
        if policy:
            self._policy = policy
            self.report()

    def report(self) -> None:
        """Report the metrics of the run so far."""
        dispatch_seconds = self._policy.dispatch_seconds if self._policy else 0.0
        self._options.on_metrics(
            self._collector.metrics(self.workers.count, "; ".join(self._reasons()), dispatch_seconds)
        )

    def review_is_due(self) -> bool:
        """Return whether to consider other workers: once these have been measured for a while, and again later.

        If the run has fewer workers than ``options.workers``, they are reviewed as soon as a task is done. If memory
        keeps workers idle, they are not reviewed: further workers would be idle too.
        """
        idle_for_memory = self._policy and self._policy.memory_limited_workers
        if self._options.max_workers is None or idle_for_memory or not self._round_tasks:
            return False
        if self.workers.count < self._options.workers:
            return True
        now = time.monotonic()
        too_early = now - self._last_review < MIN_REVIEW_INTERVAL_S
        if too_early or self._round_tasks < MIN_TASKS_PER_WORKER * self.workers.count:
            return False
        self._last_review = now
        return True

    def next_workers(self, remaining: Workload | None) -> WorkerCount | None:
        """Return other workers to continue with; None to keep the present ones.

        Parameters
        ----------
        remaining
            Tasks that are not done; None if unknown.
        """
        return next_workers(self._round_statistics(remaining), self._options)

    def replace_workers(self, workers: WorkerCount) -> None:
        """Note that other workers continue."""
        self._previous_speed = self._speed
        self.workers = workers
        self._policy = None
        self.report()

    def limit_workers(self, workers: WorkerCount) -> None:
        """Note that the system does not let more workers start; there will not be more again."""
        self._options = replace(self._options, workers=workers.count, max_workers=None)
        self.replace_workers(workers)

    def _round_statistics(self, remaining: Workload | None) -> RoundStatistics:
        task_seconds = self._collector.total.seconds - self._total_before.seconds
        return RoundStatistics(
            workers=self.workers,
            task_seconds=task_seconds / self._round_tasks,
            blocked_share=self._ordinary.blocked_seconds / max(self._ordinary.seconds, 1e-9),
            busy_share=task_seconds / max(self._measured_seconds * self.workers.count, 1e-9),
            remaining_seconds=math.inf if remaining is None else self._times.estimate(remaining),
            remaining_tasks=None if remaining is None else remaining.tasks,
            start_seconds=self._first_task - self._round_started,
            speed=self._speed,
            previous_speed=self._previous_speed,
        )

    @property
    def _round_tasks(self) -> int:
        """Tasks that the present workers have done."""
        return self._collector.total.tasks - self._total_before.tasks

    @property
    def _speed(self) -> float:
        """Tasks per second of the present workers."""
        return self._round_tasks / max(self._measured_seconds, 1e-9)

    @property
    def _measured_seconds(self) -> float:
        """Seconds since the first task of the present workers started."""
        return time.monotonic() - self._first_task

    def _reasons(self) -> list[str]:
        reasons = [f"{_count(self.workers.count, 'worker')}: {self.workers.reason}"]
        if self._policy:
            reasons.append(_chunk_reason(self._policy, self._options))
            if self._policy.memory_limited_workers:
                limited = _count(self._policy.memory_limited_workers, "worker")
                reasons.append(f"memory for only {limited} at the same time")
        return reasons


def _chunk_reason(policy: ChunkPolicy, options: EngineOptions) -> str:
    """Describe the chunk length in a few words."""
    chunks = f"{_count(policy.length, 'task')} per chunk"
    if options.chunksize:
        return f"{chunks}, as requested"
    each = " each" if policy.length > 1 else ""
    dispatch = _duration(policy.dispatch_seconds)
    return f"{chunks}: {_duration(policy.task_seconds)}{each}, and {dispatch} to hand over a chunk"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count > 1 else ''}"


def _duration(seconds: float) -> str:
    """Format a duration with two digits."""
    number, unit = (seconds, "s") if seconds >= 1 else (1000 * seconds, "ms")
    return f"{float(f'{number:.2g}'):g} {unit}"
