"""The bottleneck of a run, found from its measurements."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

BottleneckKind = Literal["start", "memory", "tail", "disk", "dispatch", "cpu"]

MIN_STARTUP_SHARE = 0.15
"""Start-up is the bottleneck if more than this fraction of the run's time passes before the first image."""

MIN_TAIL_SHARE = 0.1
"""The last image is the bottleneck if only one worker is busy for more than this fraction of the run's time."""

MIN_IDLE_SHARE = 0.1
"""Too little memory is the bottleneck only if workers are idle for more than this fraction of their time."""

MIN_DISPATCH_SHARE = 0.15
"""Dispatch is the bottleneck if it takes more than this fraction of the workers' time."""

MIN_BLOCKED_SHARE = 0.3
"""The disk or network is the bottleneck if images wait for it for more than this fraction of their time."""

MIN_QUEUED_SHARE = 0.15
"""Waiting for a processor is reported if it takes more than this fraction of the time spent in images."""

MIN_SLOWDOWN = 1.15
"""Slowdown factor of an image, relative to the serial run, above which it is reported."""


@dataclass(frozen=True, slots=True)
class RunProfile:
    """The measurements of a run that determine its bottleneck.

    Attributes
    ----------
    workers, seconds
        Number of workers, and duration of the run.
    cores
        Number of available processors.
    startup_seconds, tail_seconds
        Seconds before the first image, and at the end with only one busy worker.
    idle_seconds, dispatch_seconds
        Seconds without work, and seconds spent on dispatch, summed over all workers.
    cpu_share, blocked_share
        Fractions of the time spent in images, 0 to 1, in which a processor computed, and in which the worker waited
        for the disk or the network; None if unknown.
    slowdown
        Median factor by which an image took longer than in the serial run.
    worker_memory, memory_limit
        Peak memory of a worker, and memory available to all workers' data, in bytes; None for no limit.
    cold_read_seconds
        Seconds for reading all files once, before they were cached.
    """

    workers: int
    seconds: float
    cores: int
    startup_seconds: float = 0.0
    tail_seconds: float = 0.0
    idle_seconds: float = 0.0
    dispatch_seconds: float = 0.0
    cpu_share: float | None = None
    blocked_share: float | None = None
    slowdown: float = 1.0
    worker_memory: int = 0
    memory_limit: int | None = None
    cold_read_seconds: float = 0.0

    @property
    def worker_seconds(self) -> float:
        """Seconds of all workers together."""
        return self.workers * self.seconds


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """The limit on the speed of a run, and the evidence for it in one sentence."""

    kind: BottleneckKind
    evidence: str


def find_bottleneck(profile: RunProfile) -> Bottleneck:
    """Find what limits the speed of a run.

    The checks are in the order of `_CHECKS`: each bottleneck hides those after it. The processor is the answer if none
    of them applies.
    """
    for kind, find_evidence in _CHECKS.items():
        if evidence := find_evidence(profile):
            return Bottleneck(kind, evidence)
    return Bottleneck("cpu", _describe_cpu(profile))


def queued_share(cpu_share: float | None, blocked_share: float | None) -> float:
    """Return the fraction of the time in images spent waiting for a processor; 0 if it is unknown."""
    return 0.0 if cpu_share is None or blocked_share is None else max(0.0, 1 - cpu_share - blocked_share)


def _check_startup(profile: RunProfile) -> str:
    share = profile.startup_seconds / profile.seconds
    if share <= MIN_STARTUP_SHARE:
        return ""
    return f"{share:.0%} of the time passes before the first image starts; the sample is too small"


def _check_memory(profile: RunProfile) -> str:
    needed, limit = profile.workers * profile.worker_memory, profile.memory_limit
    idle = profile.idle_seconds > MIN_IDLE_SHARE * profile.worker_seconds
    if limit is None or needed <= limit or not idle:
        return ""
    return (
        f"{profile.workers} workers with {profile.worker_memory / 1e6:,.0f} MB each need more than the available "
        f"{limit / 1e6:,.0f} MB, so images wait for others to finish"
    )


def _check_tail(profile: RunProfile) -> str:
    share = profile.tail_seconds / profile.seconds
    if share <= MIN_TAIL_SHARE:
        return ""
    return f"only one worker is busy in the last {share:.0%} of the time"


def _check_disk(profile: RunProfile) -> str:
    if profile.cold_read_seconds > profile.seconds:
        return (
            f"reading the files took {profile.cold_read_seconds:.1f} s when they were not cached yet, longer than the "
            f"whole run ({profile.seconds:.1f} s)"
        )
    if profile.blocked_share is None or profile.blocked_share <= MIN_BLOCKED_SHARE:
        return ""
    return f"workers wait for the disk or the network for {profile.blocked_share:.0%} of an image's time"


def _check_dispatch(profile: RunProfile) -> str:
    share = profile.dispatch_seconds / profile.worker_seconds
    if share <= MIN_DISPATCH_SHARE:
        return ""
    return f"{share:.0%} of the time is spent on sending images to workers, because they are small"


_CHECKS: dict[BottleneckKind, Callable[[RunProfile], str]] = {
    "start": _check_startup,
    "memory": _check_memory,
    "tail": _check_tail,
    "disk": _check_disk,
    "dispatch": _check_dispatch,
}
"""Every check returns its evidence, or an empty string if it does not apply."""


def _describe_cpu(profile: RunProfile) -> str:
    other = (profile.idle_seconds + profile.dispatch_seconds) / profile.worker_seconds
    busy = 1 - other - profile.startup_seconds / profile.seconds
    sentence = f"workers are busy with images for {busy:.0%} of the time"
    if profile.cpu_share is not None:
        sentence += f" and compute for {profile.cpu_share:.0%} of that"
    queued = queued_share(profile.cpu_share, profile.blocked_share)
    if queued > MIN_QUEUED_SHARE:
        few = profile.workers > profile.cores
        reason = f"there are only {profile.cores}" if few else "other programs use them too"
        sentence += f"; they wait for a processor for {queued:.0%} ({reason})"
    elif profile.slowdown > MIN_SLOWDOWN:
        sentence += (
            f"; an image takes {profile.slowdown:.1f} × as long as in a serial run, because workers share caches and "
            "memory bandwidth"
        )
    return sentence
