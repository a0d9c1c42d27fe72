"""Comparisons with invented measurements."""

from dataclasses import replace

from imgpool.compare.bare_pool import PoolMethod, PoolMethodTiming
from imgpool.compare.measurement import SERIAL, EngineSetup, Measurement
from imgpool.compare.results import Comparison
from imgpool.compare.timeline import StageTime
from imgpool.core.engine import RunMetrics
from imgpool.core.task import Failure, Result, Task

STAGE_SHARES = {
    "start": 0.04,
    "read": 0.2,
    "gaussian": 0.5,
    "other": 0.001,
    "write": 0.2,
    "dispatch": 0.019,
    "idle": 0.03,
    "end": 0.01,
}


def done(source="a", sha256="00", **changes):
    result = Result(Task(source, f"out/{source}", 10, 0), "done", sha256=sha256)
    return replace(result, **changes)


def failed(source="a", stage="read", error="ReadError"):
    failure = Failure(stage, error, "the file is cut off", "copy it again")
    return done(source, "", status="failed", failure=failure)


def measurement(setup, seconds, results=None, startup_seconds=None):
    """A measurement with the stages of `STAGE_SHARES`, or only with the given start-up time."""
    shares = STAGE_SHARES if startup_seconds is None else {"start": startup_seconds / seconds}
    return Measurement(
        setup=setup,
        seconds=seconds,
        first_result_seconds=0.25,
        results=results or {"a": done()},
        stages=tuple(StageTime(name, share * seconds * setup.workers) for name, share in shares.items()),
        tail_seconds=0.1,
        max_waiting=3,
        cpu_share=0.95,
        blocked_share=0.02,
        peak_memory=90_000_000,
        total_peak_memory=150_000_000,
        metrics=RunMetrics(workers=setup.workers, longest_chunk=16, reason="as asked"),
    )


def comparison_of(plan, change=lambda _setup, results: results):
    """A comparison of a plan's images on 1, 2 and 4 workers, in which `change` may alter the results."""
    results = {
        task.source: done(task.source, seconds={"read": 0.1, "filter": 0.2, "write": 0.1}) for task in plan.tasks
    }
    seconds = {SERIAL: 12.0, EngineSetup("pool", 1): 12.5, EngineSetup("pool", 2): 6.4, EngineSetup("pool", 4): 3.5}
    seconds |= {EngineSetup("pool", 4, 1): 4.5, EngineSetup("pool", 4, 4): 3.6, EngineSetup("pool", 4, 16): 3.4}
    measurements = {setup: [measurement(setup, each, change(setup, results))] for setup, each in seconds.items()}
    return Comparison(
        plan=plan,
        tasks=list(plan.tasks),
        excluded=[],
        cold_read_seconds=0.5,
        memory_limit=None,
        cores=4,
        rounds=1,
        warm_up=measurements[EngineSetup("pool", 4)][0],
        measurements=measurements,
        timings={
            PoolMethod("map"): [_timing(PoolMethod("map"), results, seconds=3.6, first=3.6, waiting=12)],
            PoolMethod("imap_unordered", 1): [
                _timing(PoolMethod("imap_unordered", 1), results, seconds=3.7, first=0.3, waiting=2)
            ],
            PoolMethod("imap_unordered", 16): [None],
        },
    )


def _timing(method, results, *, seconds, first, waiting):
    return PoolMethodTiming(method, seconds, first, waiting, tuple(results.values()))
