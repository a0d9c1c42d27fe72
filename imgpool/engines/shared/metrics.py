"""Metrics of a run, collected from the timing of its chunks."""

import time

from imgpool.core.engine import RunMetrics
from imgpool.engines.shared.timing import Timing


class MetricsCollector:
    """Sums up the timing of a run's chunks. The set-up time starts now.

    Attributes
    ----------
    total : Timing
        Of all chunks so far.
    """

    def __init__(self) -> None:
        self.total = Timing()
        self._chunks = self._longest_chunk = 0
        self._created = time.monotonic()
        self._setup_seconds = 0.0

    def add(self, timing: Timing) -> None:
        """Add a chunk in which at least one task returned a result."""
        if not self._chunks:
            self._setup_seconds = time.monotonic() - timing.seconds - self._created
        self.total = self.total.combine(timing)
        self._chunks += 1
        self._longest_chunk = max(self._longest_chunk, timing.tasks)

    def metrics(self, workers: int, reason: str, dispatch_seconds: float = 0.0) -> RunMetrics:
        """Return the metrics so far.

        Parameters
        ----------
        workers, reason, dispatch_seconds
            As in `imgpool.core.engine.RunMetrics`.
        """
        return RunMetrics(
            workers=workers,
            tasks=self.total.tasks,
            chunks=self._chunks,
            longest_chunk=self._longest_chunk,
            task_seconds=self.total.seconds,
            cpu_seconds=self.total.cpu_seconds,
            blocked_seconds=self.total.blocked_seconds,
            idle_seconds=self.total.idle_seconds,
            dispatch_seconds=dispatch_seconds,
            setup_seconds=self._setup_seconds,
            peak_memory=self.total.peak_memory,
            reason=reason,
        )
