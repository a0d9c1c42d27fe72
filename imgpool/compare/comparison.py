"""A sample of the images, run serially and in the pool: the same bytes, and how fast."""

import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from statistics import median

from imgpool.batch.plan import RunPlan
from imgpool.batch.run import Runner
from imgpool.batch.sampling import spread_evenly
from imgpool.compare.bare_pool import METHODS, PoolMethod, PoolMethodTiming
from imgpool.compare.bottleneck import (
    QUEUED_SHARE,
    Advice,
    Bottleneck,
    RunProfile,
    advise,
    find_bottleneck,
    queued_share,
    seconds_for_all,
)
from imgpool.compare.differences import OutputDifference, differences
from imgpool.compare.measurer import EngineSetup, Measurement, Measurer
from imgpool.compare.sample import LONGEST_CHUNK, chunk_lengths, cost, read_once, settle, worker_counts
from imgpool.core.errors import UsageError
from imgpool.core.task import Result, Task
from imgpool.output.layout import default_output
from imgpool.system.resources import available_cpus

SERIAL_SECONDS = 10.0
"""What a sample takes serially, where its size is chosen here."""

PILOT_IMAGES = 32
PILOT_SECONDS = 2.0
"""How many of the images in the middle are run to learn what one takes, and for how long."""

SHARE_OF_DISK = 0.1
"""Of what is free on the disk: outputs of earlier runs are left standing as long as they take less than this."""

PATIENCE = (10.0, 5.0)
"""A bare pool is given so many seconds, and so many times what the supervised one takes."""

SERIAL = EngineSetup("serial")


def new_folder_beside(first: str) -> str:
    """A folder that there is not, beside the first input: ``photos-compare-3fa9`` for ``photos``."""
    stem = default_output(first).removesuffix("-processed")
    return f"{stem}-compare-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class ComparisonProgress:
    """How far a comparison has come.

    Attributes
    ----------
    done
        What was measured last; only the method itself where it came to no end.
    left, seconds_left
        What is still to be measured, and for how long, about.
    """

    done: Measurement | PoolMethodTiming | PoolMethod
    left: int
    seconds_left: float


class Comparison:
    """Runs a sample of a run's images in many ways.

    Parameters
    ----------
    plan
        The images, recipe, workers and limits to compare with; the plan itself is never run.
    place
        An empty folder for the outputs.
    sample
        How many images; None to choose, by the time that a few of them take.
    rounds
        How often each way is measured, in turns; the median counts.

    Attributes
    ----------
    cores : int
        Processors that may be used.
    tasks : list of Task
        The sample, big files first; those that end their worker are in `deadly` instead.
    deadly : list of Result
        Images that ended their worker or took too long: they are run once, and nowhere else.
    reading : float
        Seconds that it took to read the files of the sample once, before all else.
    """

    def __init__(self, plan: RunPlan, place: str, *, sample: int | None = None, rounds: int = 1) -> None:
        self.plan = plan
        self._runner = Runner(plan)
        self.rounds = rounds
        self.cores = available_cpus()
        self.tasks: list[Task] = []
        self.deadly: list[Result] = []
        self.reading = 0.0
        self._sample = sample
        self._bench = Measurer(self._runner, place)
        self._measured: dict[EngineSetup, list[Measurement]] = {}
        self._timed: dict[PoolMethod, list[PoolMethodTiming | None]] = {}
        self._free = shutil.disk_usage(place).free

    @property
    def most(self) -> EngineSetup:
        """The pool with as many workers as are asked for."""
        return EngineSetup("pool", self._runner.options.workers, self.plan.settings.chunksize)

    def measure_all(self, *, free_space: bool = True) -> Iterator[ComparisonProgress]:
        """Choose the sample, and measure; say after each measurement how far that is.

        Parameters
        ----------
        free_space
            Remove the outputs of earlier runs where they take much of the disk.
        """
        self._runner.prepare()
        self._choose()
        yield ComparisonProgress(self._warm_up, *self._left(plan := self._plan()))
        while plan:
            if free_space:
                self._make_room()
            each = plan.pop(0)
            done = self._measure(each) if isinstance(each, EngineSetup) else self._time(each)
            yield ComparisonProgress(done, *self._left(plan))

    @cached_property
    def weight(self) -> float:
        """How many times the work of the sample all images are."""
        return sum(map(cost, self.plan.tasks)) / sum(map(cost, self.tasks))

    def median(self, setup: EngineSetup) -> Measurement:
        """Of the runs of one kind, that which took neither longest nor shortest."""
        runs = sorted(self._measured[setup], key=lambda each: each.seconds)
        return runs[(len(runs) - 1) // 2]

    @property
    def by_workers(self) -> list[Measurement]:
        """The serial run, and the pool with more and more workers."""
        chunksize = self.plan.settings.chunksize
        pools = [setup for setup in self._measured if setup.engine == "pool" and setup.chunksize == chunksize]
        return [self.median(setup) for setup in (SERIAL, *sorted(pools, key=lambda setup: setup.workers))]

    @property
    def by_chunksize(self) -> list[Measurement]:
        """The pool with the most workers and longer and longer chunks; what the engine chooses comes last."""
        pools = [setup for setup in self._measured if setup.engine == "pool" and setup.workers == self.most.workers]
        return [self.median(setup) for setup in sorted(pools, key=lambda setup: setup.chunksize or inf)]

    @property
    def methods(self) -> dict[PoolMethod, PoolMethodTiming | None]:
        """What the methods of a bare pool took; None for one that came to no end."""
        return {method: _median(times) for method, times in self._timed.items()}

    @property
    def runs(self) -> int:
        """How often the sample was run."""
        return 1 + sum(map(len, self._measured.values())) + sum(map(len, self._timed.values()))

    @cached_property
    def differences(self) -> list[OutputDifference]:
        """Every image that came out otherwise than serially, once for each way in which it did."""
        return differences(self._measured[SERIAL][0].results, self._all_results())

    @property
    def failed(self) -> list[Result]:
        """The images that failed serially."""
        return [result for result in self._measured[SERIAL][0].results.values() if result.failure]

    @cached_property
    def bottleneck(self) -> Bottleneck:
        """What keeps the pool from being faster."""
        most, serial = self.median(self.most), self.median(SERIAL)
        return find_bottleneck(
            RunProfile(
                workers=most.setup.workers,
                seconds=most.seconds,
                cores=self.cores,
                start=most.start,
                alone=most.alone,
                idle=most.stage("idle"),
                dispatch=most.stage("dispatch"),
                cpu_share=most.cpu_share,
                blocked_share=most.blocked_share,
                crowding=_crowding(most, serial),
                peak=most.peak,
                memory=self._runner.options.memory,
                reading=self.reading,
            )
        )

    @property
    def disturbed(self) -> bool:
        """Whether workers had to wait for a processor though there were enough for them: figures are rough then."""
        few = [each for each in self.by_workers if each.setup.workers <= self.cores]
        return any(queued_share(each.cpu_share, each.blocked_share) > QUEUED_SHARE for each in few)

    @cached_property
    def advice(self) -> Advice:
        """What to run all images with."""
        return advise(self.by_workers, self.by_chunksize, self.weight)

    @property
    def serial_for_all(self) -> float:
        """Seconds that all images will take serially, about."""
        return seconds_for_all(self.median(SERIAL), self.weight)

    def _choose(self) -> None:
        if not self.plan.tasks:
            raise UsageError("no image can be reached", "make the folders readable (chmod +rX)")
        everything = sorted(self.plan.tasks, key=lambda task: (task.size, task.source))
        count = len(everything) if self._sample is None else self._sample
        least = 2 * self.most.workers
        if self._sample is None and len(everything) > least:
            pilot = spread_evenly(everything, PILOT_IMAGES)
            pilot.sort(key=lambda task: abs(task.size - everything[len(everything) // 2].size))
            seconds = self._pilot(pilot)
            count = max(least, int(SERIAL_SECONDS / seconds)) if seconds else least
        self.tasks = spread_evenly(everything, count)[::-1]
        self.reading = read_once(self.tasks)
        self._run_first()

    def _pilot(self, tasks: Sequence[Task]) -> float:
        """Seconds that an image takes, by some of those in the middle; 0 if they failed."""
        found = self._bench.measure(EngineSetup("pool", self.most.workers), tasks, PILOT_SECONDS)
        done = [result for result in found.results.values() if result.status == "done"]
        if not done:
            return 0.0
        seconds = sorted(sum(result.seconds.values()) for result in done)[len(done) // 2]
        bigger = _mean_cost(self.plan.tasks) / _mean_cost([result.task for result in done])
        return seconds * bigger

    def _run_first(self) -> None:
        """Once in the pool: it outlives images that end their process, and leaves warm what later runs need."""
        self._warm_up = self._bench.measure(self.most, self.tasks)
        results = self._warm_up.results
        self.deadly = [each for each in results.values() if each.failure and each.failure.stage == "worker"]
        deadly = {result.task.source for result in self.deadly}
        self.tasks = [task for task in self.tasks if task.source not in deadly]
        if not self.tasks:
            why = self.deadly[0].failure.message if self.deadly and self.deadly[0].failure else "no result"
            raise UsageError(f"no image of the sample outlives its run: {why}", "compare other images")

    def _plan(self) -> list[EngineSetup | PoolMethod]:
        """All that is to be measured, in its order."""
        workers, chunksize = self.most.workers, self.most.chunksize
        counts = [EngineSetup("pool", count, chunksize) for count in worker_counts(workers, self.cores)]
        chunks = [EngineSetup("pool", workers, length) for length in chunk_lengths(len(self.tasks), workers)]
        setups = list(dict.fromkeys([SERIAL, *counts, *chunks, EngineSetup("pool", workers)]))
        return [*setups, *self._methods()] * self.rounds

    def _methods(self) -> list[PoolMethod]:
        """Those of a bare pool, unless its workers, which wait for nobody, would need more memory than there is."""
        if self._warm_up.peak * self.most.workers > (self._runner.options.memory or inf):
            return []
        good = min(LONGEST_CHUNK, len(self.tasks) // (4 * self.most.workers))
        methods = [PoolMethod(name, None if name in {"map", "apply_async"} else 1) for name in METHODS]
        return [*methods, *([PoolMethod("imap_unordered", good)] if good > 1 else [])]

    def _measure(self, setup: EngineSetup) -> Measurement:
        settle(self._bench.place)
        measured = self._bench.measure(setup, self.tasks)
        self._measured.setdefault(setup, []).append(measured)
        return measured

    def _time(self, method: PoolMethod) -> PoolMethodTiming | PoolMethod:
        settle(self._bench.place)
        base, times = PATIENCE
        patience = base + times * self._warm_up.seconds
        timed = self._bench.time(method, self.tasks, self.most.workers, patience)
        self._timed.setdefault(method, []).append(timed)
        return timed or method

    def _make_room(self) -> None:
        """Nothing is deleted between runs if it can be helped: file systems are slower after that for a while."""
        results = self._warm_up.results.values()
        if len(self._bench.finished) * sum(result.written for result in results) > SHARE_OF_DISK * self._free:
            for folder in self._bench.finished:
                shutil.rmtree(folder, ignore_errors=True)

    def _left(self, plan: Sequence[EngineSetup | PoolMethod]) -> tuple[int, float]:
        """How many are to be measured, and the seconds that this will take, by the first run."""
        first, busy = self._warm_up.start, _in_images(self._warm_up)
        workers = [each.workers if isinstance(each, EngineSetup) else self.most.workers for each in plan]
        return len(plan), sum(first + busy / min(count, self.cores) for count in workers)

    def _all_results(self) -> Iterator[tuple[EngineSetup | PoolMethod, Mapping[str, Result]]]:
        yield self.most, self._warm_up.results
        for setup, runs in self._measured.items():
            yield from ((setup, measured.results) for measured in runs)
        for method, times in self._timed.items():
            for timed in times:
                if timed:
                    yield method, {result.task.source: result for result in timed.results}


def _mean_cost(tasks: Sequence[Task]) -> float:
    return sum(map(cost, tasks)) / len(tasks)


def _in_images(measured: Measurement) -> float:
    return sum(sum(result.seconds.values()) for result in measured.results.values())


def _crowding(most: Measurement, serial: Measurement) -> float:
    """How many times longer an image takes in the pool; the median, for the first ones take longer than others."""
    times = [
        (sum(each.seconds.values()), sum(most.results[source].seconds.values()))
        for source, each in serial.results.items()
        if source in most.results
    ]
    return median([pool / max(alone, 1e-6) for alone, pool in times])


def _median(times: Sequence[PoolMethodTiming | None]) -> PoolMethodTiming | None:
    ended = sorted((each for each in times if each), key=lambda each: each.seconds)
    return ended[(len(ended) - 1) // 2] if len(ended) == len(times) else None
