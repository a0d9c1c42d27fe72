"""The results of a comparison, and what follows from them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from statistics import median

from imgpool.batch.plan import RunPlan
from imgpool.compare.advice import Advice, estimate_seconds, recommend
from imgpool.compare.bare_pool import PoolMethod, PoolMethodTiming
from imgpool.compare.bottleneck import MIN_QUEUED_SHARE, Bottleneck, RunProfile, find_bottleneck, queued_share
from imgpool.compare.differences import OutputDifference, find_differences
from imgpool.compare.measurement import SERIAL, EngineSetup, Measurement
from imgpool.compare.sample import cost
from imgpool.core.task import Result, Task


@dataclass
class Comparison:
    """Measurements of the same images with different setups.

    Attributes
    ----------
    plan
        The recipe and all images.
    tasks
        The sample, large files first.
    excluded
        Failures of images of the sample that killed their worker or timed out. They are run once, and not compared.
    cold_read_seconds
        Seconds for reading the files of the sample once, before all runs.
    memory_limit
        Memory available to all workers' data, in bytes; None for no limit.
    cores
        Number of available processors.
    rounds
        Number of times that each setup is measured; medians are reported.
    warm_up
        The first run, which is not among the measurements.
    measurements
        Measurements by setup.
    timings
        Timings by method of a bare pool; None for a run that did not finish.
    """

    plan: RunPlan
    tasks: Sequence[Task]
    excluded: Sequence[Result]
    cold_read_seconds: float
    memory_limit: int | None
    cores: int
    rounds: int
    warm_up: Measurement
    measurements: dict[EngineSetup, list[Measurement]] = field(default_factory=dict)
    timings: dict[PoolMethod, list[PoolMethodTiming | None]] = field(default_factory=dict)

    @property
    def largest(self) -> EngineSetup:
        """The pool with the most workers."""
        return self.warm_up.setup

    @property
    def runs(self) -> int:
        """Number of times that the sample was run."""
        return 1 + sum(map(len, self.measurements.values())) + sum(map(len, self.timings.values()))

    def median(self, setup: EngineSetup) -> Measurement:
        """Return the measurement of median duration of a setup."""
        runs = sorted(self.measurements[setup], key=lambda run: run.seconds)
        return runs[(len(runs) - 1) // 2]

    @property
    def by_workers(self) -> list[Measurement]:
        """The serial run, then the pool with increasing numbers of workers."""
        pools = [setup for setup in self._pools() if setup.chunksize == self.largest.chunksize]
        return [self.median(setup) for setup in (SERIAL, *sorted(pools, key=lambda setup: setup.workers))]

    @property
    def by_chunksize(self) -> list[Measurement]:
        """The pool with the most workers and increasing chunk sizes; the engine's own choice is last."""
        pools = [setup for setup in self._pools() if setup.workers == self.largest.workers]
        return [self.median(setup) for setup in sorted(pools, key=lambda setup: setup.chunksize or inf)]

    @property
    def methods(self) -> dict[PoolMethod, PoolMethodTiming | None]:
        """Median timings of the methods of a bare pool; None for one that did not finish."""
        return {method: _median_timing(timings) for method, timings in self.timings.items()}

    @cached_property
    def differences(self) -> list[OutputDifference]:
        """Images whose result differs from that of the serial run."""
        return find_differences(self.measurements[SERIAL][0].results, self._all_results())

    @property
    def failed(self) -> list[Result]:
        """Failures of the serial run."""
        return [result for result in self.measurements[SERIAL][0].results.values() if result.failure]

    @cached_property
    def bottleneck(self) -> Bottleneck:
        """The limit on the speed of the pool with the most workers."""
        largest = self.median(self.largest)
        return find_bottleneck(
            RunProfile(
                workers=largest.setup.workers,
                seconds=largest.seconds,
                cores=self.cores,
                startup_seconds=largest.startup_seconds,
                tail_seconds=largest.tail_seconds,
                idle_seconds=largest.stage_seconds("idle"),
                dispatch_seconds=largest.stage_seconds("dispatch"),
                cpu_share=largest.cpu_share,
                blocked_share=largest.blocked_share,
                slowdown=_slowdown(largest, self.median(SERIAL)),
                worker_memory=largest.peak_memory,
                memory_limit=self.memory_limit,
                cold_read_seconds=self.cold_read_seconds,
            )
        )

    @property
    def disturbed(self) -> bool:
        """Whether workers waited for a processor although there were enough, so that the times are unreliable."""
        fitting = [run for run in self.by_workers if run.setup.workers <= self.cores]
        return any(queued_share(run.cpu_share, run.blocked_share) > MIN_QUEUED_SHARE for run in fitting)

    @cached_property
    def advice(self) -> Advice:
        """The recommended setup for all images."""
        return recommend(self.by_workers, self.by_chunksize, self.work_ratio)

    @property
    def serial_seconds_for_all(self) -> float:
        """Estimated seconds of a serial run over all images."""
        return estimate_seconds(self.median(SERIAL), self.work_ratio)

    @cached_property
    def work_ratio(self) -> float:
        """Work of all images relative to the work of the sample."""
        return sum(map(cost, self.plan.tasks)) / sum(map(cost, self.tasks))

    def _pools(self) -> list[EngineSetup]:
        return [setup for setup in self.measurements if setup.engine == "pool"]

    def _all_results(self) -> Iterator[tuple[EngineSetup | PoolMethod, Mapping[str, Result]]]:
        yield self.largest, self.warm_up.results
        for setup, runs in self.measurements.items():
            yield from ((setup, run.results) for run in runs)
        for method, timings in self.timings.items():
            for timing in filter(None, timings):
                yield method, {result.task.source: result for result in timing.results}


def _slowdown(pool: Measurement, serial: Measurement) -> float:
    """Return the median factor by which an image takes longer in the pool than in the serial run."""
    times = [
        (sum(result.seconds.values()), sum(pool.results[source].seconds.values()))
        for source, result in serial.results.items()
        if source in pool.results
    ]
    return median([in_pool / max(alone, 1e-6) for alone, in_pool in times])


def _median_timing(timings: Sequence[PoolMethodTiming | None]) -> PoolMethodTiming | None:
    finished = sorted(filter(None, timings), key=lambda timing: timing.seconds)
    return finished[(len(finished) - 1) // 2] if len(finished) == len(timings) else None
