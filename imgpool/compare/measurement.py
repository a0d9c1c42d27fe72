"""The result of one measured run."""

from collections.abc import Mapping
from dataclasses import dataclass

from imgpool.compare.timeline import StageTime
from imgpool.core.engine import RunMetrics
from imgpool.core.task import Result


@dataclass(frozen=True, slots=True)
class EngineSetup:
    """An engine with its number of workers and its chunk size.

    Attributes
    ----------
    engine
        "serial" or "pool".
    workers
        Number of worker processes.
    chunksize
        Images per chunk; None lets the engine choose.
    """

    engine: str
    workers: int = 1
    chunksize: int | None = None


SERIAL = EngineSetup("serial")


@dataclass(frozen=True, slots=True)
class Measurement:
    """Times, memory and results of one run.

    Attributes
    ----------
    setup
        Engine, workers and chunk size.
    seconds
        From the first preparation until all results were durable and all workers had exited.
    first_result_seconds
        From the first preparation until the first result.
    results
        Every result by source.
    stages
        Seconds per stage, summed over all workers; together they are workers × `seconds`.
    tail_seconds
        Seconds at the end in which only one worker was busy.
    max_waiting
        Largest number of results that were finished but not yet handed over.
    cpu_share, blocked_share
        Fractions of the time spent in images, 0 to 1, in which a processor computed, and in which the worker waited
        for the disk or the network; None if the engine does not measure them.
    peak_memory, total_peak_memory
        Peak memory in bytes of one worker, and of all workers together.
    metrics
        The engine's own metrics.
    """

    setup: EngineSetup
    seconds: float
    first_result_seconds: float
    results: Mapping[str, Result]
    stages: tuple[StageTime, ...]
    tail_seconds: float
    max_waiting: int
    cpu_share: float | None
    blocked_share: float | None
    peak_memory: int
    total_peak_memory: int
    metrics: RunMetrics

    def stage_seconds(self, name: str) -> float:
        """Seconds of a stage, summed over all workers; 0 if there is no such stage."""
        return sum(stage.seconds for stage in self.stages if stage.stage == name)

    @property
    def startup_seconds(self) -> float:
        """Seconds before the first image was started."""
        return self.stage_seconds("start") / self.setup.workers

    @property
    def image_seconds(self) -> float:
        """Seconds spent in images, summed over all workers."""
        return sum(sum(result.seconds.values()) for result in self.results.values())

    @property
    def images_per_second(self) -> float:
        """Throughput of the whole run."""
        return len(self.results) / self.seconds
