"""What bounds a run, and which workers and chunk size to take: from figures alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from imgpool.compare.measurer import EngineSetup, Measurement

By = Literal["start", "memory", "tail", "disk", "dispatch", "cpu"]

START_SHARE = 0.15
TAIL_SHARE = 0.1
IDLE_SHARE = 0.1
DISPATCH_SHARE = 0.15
BLOCKED_SHARE = 0.3
QUEUED_SHARE = 0.15
"""From which share on something bounds a run, or is worth a word: of the run's time, of that of all workers, or of the
time in images, as each sentence says."""

CROWDED = 1.15
"""So many times as long as alone takes an image beside others where that is worth a word."""

WORTH = 0.05
"""The share of the time that another choice has to save before it is recommended."""


@dataclass(frozen=True, slots=True)
class RunProfile:
    """What there is to judge a run by.

    Attributes
    ----------
    workers, seconds
        Of the run.
    cores
        Processors that may be used.
    start, alone
        Seconds before the first image, and at the end with only one worker at work.
    idle, dispatch
        Seconds of all workers together.
    cpu_share, blocked_share
        Of the time in images, the share in which a processor computed, and that in which the disk or the network was
        waited for; None where that is not known.
    crowding
        How many times longer an image took than serially; the median.
    peak
        The most bytes that a worker held.
    memory
        Bytes that the data of all workers may take.
    reading
        Seconds that it took to read all files once, before.
    """

    workers: int
    seconds: float
    cores: int
    start: float = 0.0
    alone: float = 0.0
    idle: float = 0.0
    dispatch: float = 0.0
    cpu_share: float | None = None
    blocked_share: float | None = None
    crowding: float = 1.0
    peak: int = 0
    memory: int | None = None
    reading: float = 0.0

    @property
    def whole(self) -> float:
        """Seconds of all workers together."""
        return self.workers * self.seconds


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """What keeps a run from being faster, and one sentence on how that is known."""

    by: By
    why: str


def find_bottleneck(figures: RunProfile) -> Bottleneck:
    """The first that applies, from what hides all else to what is left."""
    signs: dict[By, Callable[[RunProfile], str]] = {
        "start": _start,
        "memory": _memory,
        "tail": _tail,
        "disk": _disk,
        "dispatch": _dispatch,
    }
    found = (Bottleneck(by, why) for by, sign in signs.items() if (why := sign(figures)))
    return next(found, Bottleneck("cpu", _cpu(figures)))


def _start(figures: RunProfile) -> str:
    share = figures.start / figures.seconds
    if share <= START_SHARE:
        return ""
    return f"{share:.0%} of the time passes before the first image: there is too little work here"


def _memory(figures: RunProfile) -> str:
    need, may = figures.workers * figures.peak, figures.memory
    if may is None or need <= may or figures.idle <= IDLE_SHARE * figures.whole:
        return ""
    return (
        f"{figures.workers} workers of {figures.peak / 1e6:,.0f} MB need more than the {may / 1e6:,.0f} MB "
        "that they may take: images wait until others are done"
    )


def _tail(figures: RunProfile) -> str:
    share = figures.alone / figures.seconds
    if share <= TAIL_SHARE:
        return ""
    return f"in the last {share:.0%} of the time only one worker has an image: the others are done"


def _disk(figures: RunProfile) -> str:
    if figures.reading > figures.seconds:
        return (
            f"reading the files took {figures.reading:.1f} s when they were not in memory yet, longer than all of the "
            f"work ({figures.seconds:.1f} s)"
        )
    if figures.blocked_share is None or figures.blocked_share <= BLOCKED_SHARE:
        return ""
    return f"workers wait for {figures.blocked_share:.0%} of an image's time: for the disk or the network"


def _dispatch(figures: RunProfile) -> str:
    share = figures.dispatch / figures.whole
    if share <= DISPATCH_SHARE:
        return ""
    return f"{share:.0%} of the time goes into handing images over: they are small"


def _cpu(figures: RunProfile) -> str:
    share = 1 - (figures.idle + figures.dispatch) / figures.whole - figures.start / figures.seconds
    sentence = f"workers are busy with images for {share:.0%} of the time"
    if figures.cpu_share is not None:
        sentence += f", and compute for {figures.cpu_share:.0%} of that"
    queued = queued_share(figures.cpu_share, figures.blocked_share)
    if queued > QUEUED_SHARE:
        rivals = f"there are only {figures.cores}" if figures.workers > figures.cores else "other programs use them too"
        sentence += f"; for {queued:.0%} they wait for a processor: {rivals}"
    elif figures.crowding > CROWDED:
        sentence += f"; an image takes {figures.crowding:.1f} × as long as serially: workers share caches and memory"
    return sentence


def queued_share(cpu_share: float | None, blocked_share: float | None) -> float:
    """Of the time in images, the share in which a processor was waited for; 0 if that is not known."""
    return 0.0 if cpu_share is None or blocked_share is None else max(0.0, 1 - cpu_share - blocked_share)


@dataclass(frozen=True, slots=True)
class Advice:
    """What to run all images with.

    Attributes
    ----------
    setup
        Engine, workers and chunk size.
    seconds
        What all images will take, about.
    why
        One sentence.
    """

    setup: EngineSetup
    seconds: float
    why: str


def seconds_for_all(measured: Measurement, times: float) -> float:
    """What work of so many times the sample's takes: workers are started once."""
    return measured.start + (measured.seconds - measured.start) * times


def advise(workers: Sequence[Measurement], chunks: Sequence[Measurement], times: float) -> Advice:
    """The fewest workers that are nearly the fastest, and a chunk size only where it is worth it.

    Parameters
    ----------
    workers
        Runs with more and more workers: the serial one first.
    chunks
        Runs with the most workers and different chunk sizes; that which the engine chose among them.
    times
        How many times the work of the sample all images are.
    """
    cost = {measured.setup: seconds_for_all(measured, times) for measured in (*workers, *chunks)}
    best = min(cost[measured.setup] for measured in workers)
    chosen = next(measured.setup for measured in workers if cost[measured.setup] <= (1 + WORTH) * best)
    if chosen.engine == "serial":
        return Advice(chosen, cost[chosen], "the pool saves next to nothing here")
    why = _why_workers(chosen, cost, [measured.setup for measured in workers])
    own = min((measured.setup for measured in chunks if measured.setup.chunksize is None), key=cost.__getitem__)
    fastest = min((measured.setup for measured in chunks), key=cost.__getitem__)
    if chosen.workers != own.workers or cost[fastest] >= (1 - WORTH) * cost[own]:
        setup = EngineSetup(chosen.engine, chosen.workers)
        return Advice(setup, cost.get(setup, cost[chosen]), f"{why}; no chunk size beats auto by {WORTH:.0%}")
    gain = 1 - cost[fastest] / cost[own]
    return Advice(fastest, cost[fastest], f"{why}; chunks of {fastest.chunksize} save {gain:.0%} over auto")


def _why_workers(chosen: EngineSetup, cost: Mapping[EngineSetup, float], tried: Sequence[EngineSetup]) -> str:
    serial, most = tried[0], max(tried, key=lambda setup: setup.workers)
    sentence = f"{cost[serial] / cost[chosen]:.2f} × as fast as serially"
    if chosen.workers < most.workers:
        sentence += f", and {most.workers} workers save less than {WORTH:.0%} more"
    return sentence
