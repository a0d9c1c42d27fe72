"""How a run goes by: the sums of what its workers tell, and the sentence on what was chosen."""

import math
import time

from imgpool.core.engine import EngineOptions, RunMetrics
from imgpool.engines.pool.host.chunk_length import Load, TaskTimes
from imgpool.engines.pool.parent.worker_count import Progress, WorkerCount, next_crew
from imgpool.engines.pool.protocol.messages import ChunkPolicy, Timing

SEEN_SECONDS = 0.5
"""How long workers are watched before there may be other ones."""

SEEN_TASKS = 3
"""How many tasks each of them must have done by then."""

UNUSUAL = 4.0
"""Times what was to be expected: a chunk that took longer tells nothing of waiting."""


class MetricsCollector:
    """Adds up what the workers of a run tell, and tells `EngineOptions.on_metrics` of each choice.

    Parameters
    ----------
    options
        As the engine was given them.
    crew
        Who works at first.
    """

    def __init__(self, options: EngineOptions, crew: WorkerCount) -> None:
        self.crew = crew
        self._options = options
        self._total = Timing()
        self._chunks = self._longest = 0
        self._setup_seconds = 0.0
        self._choice: ChunkPolicy | None = None
        self._former_speed = 0.0
        self._begun = time.monotonic()
        self.begin_round()

    def begin_round(self) -> None:
        """Take note that new workers are being started."""
        self._times = TaskTimes(self.crew.workers)
        self._started = time.monotonic()
        self._looked = self._first = 0.0
        self._before = self._total
        self._usual = Timing()

    def add(self, timing: Timing, choice: ChunkPolicy | None = None) -> None:
        """Take note of a chunk that has come back, and of how chunks are handed out from now on."""
        if timing.tasks:
            self._note_start(timing)
            self._total = _sum(self._total, timing)
            self._chunks += 1
            self._longest = max(self._longest, timing.tasks)
            self._note_waiting(timing)
            self._times.learn(timing.load, timing.seconds)
        if choice:
            self._choice = choice
            self.tell()

    def due(self) -> bool:
        """Whether it is time to think about the workers: when these have been seen for a while, and again later.

        Fewer than usual are thought about at once. Where memory leaves workers idle, more would be idle too.
        """
        done = self._total.tasks - self._before.tasks
        idle = self._choice and self._choice.at_once
        if self._options.max_workers is None or idle or not done:
            return False
        if self.crew.workers < self._options.workers:
            return True
        now = time.monotonic()
        if now - self._looked < SEEN_SECONDS or done < SEEN_TASKS * self.crew.workers:
            return False
        self._looked = now
        return True

    def next_crew(self, left: Load | None) -> WorkerCount | None:
        """Other workers to go on with; None to stay with these.

        Parameters
        ----------
        left
            What is not done; None if that is not known.
        """
        return next_crew(self._progress(left), self._options)

    def replace(self, crew: WorkerCount) -> None:
        """Take note that others go on."""
        self._former_speed = self._speed
        self.crew = crew
        self._choice = None
        self.tell()

    def tell(self) -> None:
        """Tell how the run goes."""
        self._options.on_metrics(
            RunMetrics(
                workers=self.crew.workers,
                tasks=self._total.tasks,
                chunks=self._chunks,
                longest_chunk=self._longest,
                task_seconds=self._total.seconds,
                cpu_seconds=self._total.cpu_seconds,
                blocked_seconds=_blocked(self._total),
                idle_seconds=self._total.waited,
                dispatch_seconds=self._choice.dispatch_seconds if self._choice else 0.0,
                setup_seconds=self._setup_seconds,
                peak_memory=self._total.peak,
                reason="; ".join(self._reasons()),
            )
        )

    def _note_start(self, timing: Timing) -> None:
        if not self._first:
            self._looked = self._first = time.monotonic() - timing.seconds
        if not self._setup_seconds:
            self._setup_seconds = self._first - self._begun

    def _note_waiting(self, timing: Timing) -> None:
        """Take note of the time in tasks; but not of what took far longer than usual: the run may have been paused."""
        if timing.seconds <= UNUSUAL * self._times.seconds(timing.load):
            self._usual = _sum(self._usual, timing)

    def _progress(self, left: Load | None) -> Progress:
        task_seconds = self._total.seconds - self._before.seconds
        return Progress(
            crew=self.crew,
            task_seconds=task_seconds / (self._total.tasks - self._before.tasks),
            waiting=_blocked(self._usual) / max(self._usual.seconds, 1e-9),
            busy=task_seconds / max(self._seen * self.crew.workers, 1e-9),
            left=math.inf if left is None else self._times.seconds(left),
            tasks_left=None if left is None else left.tasks,
            start_seconds=self._first - self._started,
            speed=self._speed,
            former_speed=self._former_speed,
        )

    @property
    def _speed(self) -> float:
        """Tasks in a second, of these workers."""
        return (self._total.tasks - self._before.tasks) / max(self._seen, 1e-9)

    @property
    def _seen(self) -> float:
        """Seconds since the first task of these workers was begun."""
        return time.monotonic() - self._first

    def _reasons(self) -> list[str]:
        reasons = [f"{_counted(self.crew.workers, 'worker')}: {self.crew.why}"]
        if self._choice:
            reasons.append(chunk_reason(self._choice, self._options))
            if self._choice.at_once:
                reasons.append(f"there is memory for only {_counted(self._choice.at_once, 'worker')} at once")
        return reasons


def chunk_reason(choice: ChunkPolicy, options: EngineOptions) -> str:
    """A few words on the length of chunks."""
    at_a_time = f"{_counted(choice.length, 'image')} at a time"
    if options.chunksize:
        return f"{at_a_time}, as asked"
    each = f"{at_a_time}: {_duration(choice.task_seconds)}{' each' if choice.length > 1 else ''}"
    return f"{each}, handing over costs {_duration(choice.dispatch_seconds)}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count > 1 else ''}"


def _duration(seconds: float) -> str:
    """Two digits of it."""
    number, unit = (seconds, "s") if seconds >= 1 else (1000 * seconds, "ms")
    return f"{float(f'{number:.2g}'):g} {unit}"


def _sum(total: Timing, timing: Timing) -> Timing:
    return Timing(
        total.tasks + timing.tasks,
        total.nbytes + timing.nbytes,
        total.seconds + timing.seconds,
        total.cpu_seconds + timing.cpu_seconds,
        total.queued_seconds + timing.queued_seconds,
        total.waited + timing.waited,
        max(total.peak, timing.peak),
    )


def _blocked(timing: Timing) -> float:
    return max(0.0, timing.seconds - timing.cpu_seconds - timing.queued_seconds)
