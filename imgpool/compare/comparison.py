"""A comparison from beginning to end: choose a sample, warm up, measure every setup and every pool method."""

import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

from imgpool.batch.plan import RunPlan
from imgpool.batch.run import Runner
from imgpool.compare.bare_pool import PoolMethod, PoolMethodTiming
from imgpool.compare.measurement import EngineSetup, Measurement
from imgpool.compare.measurer import Measurer
from imgpool.compare.results import Comparison
from imgpool.compare.sample import choose_sample, flush_writes, read_files
from imgpool.compare.setups import list_methods, list_setups
from imgpool.core.errors import UsageError
from imgpool.core.task import Result
from imgpool.output.layout import default_output
from imgpool.system.resources import available_cpus

PILOT_SECONDS = 2.0
"""Seconds of work, summed over all workers, after which the pilot run starts no further image."""

MAX_DISK_SHARE = 0.1
"""Fraction of the free disk space that the outputs of earlier runs may occupy before they are deleted."""

POOL_TIMEOUT_S = 10.0
POOL_TIMEOUT_FACTOR = 5.0
"""Timeout of a bare pool: `POOL_TIMEOUT_S` plus `POOL_TIMEOUT_FACTOR` × the duration of the supervised pool."""


def new_folder_beside(first_input: str) -> str:
    """Return the path of a new folder beside the first input: ``photos-compare-3fa9b2c4`` for ``photos``."""
    stem = default_output(first_input).removesuffix("-processed")
    return f"{stem}-compare-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class ComparisonProgress:
    """Progress of a comparison after one of its runs.

    Attributes
    ----------
    comparison
        Everything measured so far.
    latest
        The latest measurement or timing; only the method itself if it did not finish.
    runs_left, seconds_left
        Number of runs to come, and their estimated duration.
    """

    comparison: Comparison
    latest: Measurement | PoolMethodTiming | PoolMethod
    runs_left: int
    seconds_left: float


class ComparisonRunner:
    """Measures a sample of a plan's images with different setups.

    Parameters
    ----------
    plan
        The images, the recipe, the number of workers and the limits; the plan itself is never run.
    folder
        An existing, empty folder for the outputs.
    sample
        Number of images; None chooses it from the time that a few of them take.
    rounds
        Number of times to measure each setup.
    """

    def __init__(self, plan: RunPlan, folder: str, *, sample: int | None = None, rounds: int = 1) -> None:
        self._plan = plan
        self._runner = Runner(plan)
        self._sample = sample
        self._rounds = rounds
        self._cores = available_cpus()
        self._measurer = Measurer(self._runner, folder)
        self._free_bytes = shutil.disk_usage(folder).free

    def measure_all(self, *, free_space: bool = True) -> Iterator[ComparisonProgress]:
        """Choose the sample and measure it; yields after each run.

        Parameters
        ----------
        free_space
            Delete the outputs of earlier runs if they occupy much of the disk.

        Raises
        ------
        UsageError
            If there is no image that can be compared.
        RunError
            If a run cannot continue.
        """
        self._runner.prepare()
        comparison = self._start()
        remaining = self._list_measurements(comparison)
        yield self._progress(comparison, comparison.warm_up, remaining)
        while remaining:
            if free_space:
                self._free_space(comparison)
            item = remaining.pop(0)
            flush_writes(self._measurer.folder)
            latest = self._measure(comparison, item) if isinstance(item, EngineSetup) else self._time(comparison, item)
            yield self._progress(comparison, latest, remaining)

    def _start(self) -> Comparison:
        """Choose the sample, cache its files, and run it once in the pool.

        The pool survives images that kill their worker, and this first run warms up everything that later runs use.
        """
        if not self._plan.tasks:
            raise UsageError("no image can be read", "make the folders readable (chmod +rX)")
        options = self._runner.options
        largest = EngineSetup("pool", options.workers, self._plan.settings.chunksize)
        pilot = EngineSetup("pool", options.workers)
        tasks = choose_sample(
            self._plan.tasks,
            self._sample,
            2 * options.workers,
            lambda tasks: self._measurer.measure(pilot, tasks, PILOT_SECONDS),
        )
        cold_read_seconds = read_files(tasks)
        warm_up = self._measurer.measure(largest, tasks)
        excluded = _worker_failures(warm_up)
        sources = {result.task.source for result in excluded}
        tasks = [task for task in tasks if task.source not in sources]
        if not tasks:
            reason = excluded[0].failure.message if excluded and excluded[0].failure else "no result"
            raise UsageError(f"every image of the sample kills its worker: {reason}", "compare other images")
        return Comparison(
            plan=self._plan,
            tasks=tasks,
            excluded=excluded,
            cold_read_seconds=cold_read_seconds,
            memory_limit=options.memory,
            cores=self._cores,
            rounds=self._rounds,
            warm_up=warm_up,
        )

    def _list_measurements(self, comparison: Comparison) -> list[EngineSetup | PoolMethod]:
        """List what to measure, in order; without bare pools if they would need more memory than there is."""
        images, workers = len(comparison.tasks), comparison.largest.workers
        items: list[EngineSetup | PoolMethod] = [*list_setups(comparison.largest, self._cores, images)]
        if comparison.warm_up.peak_memory * workers <= (comparison.memory_limit or inf):
            items += list_methods(images, workers)
        return items * self._rounds

    def _measure(self, comparison: Comparison, setup: EngineSetup) -> Measurement:
        measurement = self._measurer.measure(setup, comparison.tasks)
        comparison.measurements.setdefault(setup, []).append(measurement)
        return measurement

    def _time(self, comparison: Comparison, method: PoolMethod) -> PoolMethodTiming | PoolMethod:
        timeout = POOL_TIMEOUT_S + POOL_TIMEOUT_FACTOR * comparison.warm_up.seconds
        timing = self._measurer.time_method(method, comparison.tasks, comparison.largest.workers, timeout)
        comparison.timings.setdefault(method, []).append(timing)
        return timing or method

    def _free_space(self, comparison: Comparison) -> None:
        """Delete earlier outputs only if space is short, because many file systems are slow for a while after that."""
        bytes_per_run = sum(result.written for result in comparison.warm_up.results.values())
        if len(self._measurer.used_folders) * bytes_per_run > MAX_DISK_SHARE * self._free_bytes:
            self._measurer.remove_outputs()

    def _progress(
        self,
        comparison: Comparison,
        latest: Measurement | PoolMethodTiming | PoolMethod,
        remaining: Sequence[EngineSetup | PoolMethod],
    ) -> ComparisonProgress:
        warm_up, most = comparison.warm_up, comparison.largest.workers
        workers = [item.workers if isinstance(item, EngineSetup) else most for item in remaining]
        seconds = [warm_up.startup_seconds + warm_up.image_seconds / min(count, self._cores) for count in workers]
        return ComparisonProgress(comparison, latest, len(remaining), sum(seconds))


def _worker_failures(measurement: Measurement) -> list[Result]:
    return [result for result in measurement.results.values() if result.failure and result.failure.stage == "worker"]
