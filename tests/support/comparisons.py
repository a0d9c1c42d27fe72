"""Comparisons made by hand: what was measured is said, not measured."""

from dataclasses import replace

from imgpool.compare.bare_pool import PoolMethod, PoolMethodTiming
from imgpool.compare.comparison import SERIAL, Comparison
from imgpool.compare.measurer import EngineSetup, Measurement
from imgpool.compare.timeline import StageTime
from imgpool.core.engine import RunMetrics
from imgpool.core.task import Failure, Result

STAGES = ("start", "read", "gaussian", "other", "write", "dispatch", "idle", "end")
SHARES = (0.04, 0.2, 0.5, 0.001, 0.2, 0.019, 0.03, 0.01)


def failing(result, stage="read", error="ReadError"):
    return replace(result, status="failed", sha256="", failure=Failure(stage, error, "it is cut off", "copy it again"))


def measured(setup, seconds, results, **changes):
    stages = tuple(StageTime(name, share * seconds * setup.workers) for name, share in zip(STAGES, SHARES, strict=True))
    metrics = RunMetrics(workers=setup.workers, longest_chunk=16, reason="as asked")
    whole = Measurement(setup, seconds, 0.25, results, stages, 0.1, 3, 0.95, 0.02, 90_000_000, 150_000_000, metrics)
    return replace(whole, **changes)


def comparison_of(plan, place, change=lambda _setup, results: results):
    """A comparison of all images of a run, on 1, 2 and 4 workers, in which `change` may alter what was found."""
    comparison = Comparison(plan, place)
    comparison.cores = 4
    comparison.tasks = list(plan.tasks)
    comparison.reading = 0.5
    results = {
        task.source: Result(task, "done", seconds={"read": 0.1, "filter": 0.2, "write": 0.1}, sha256="00")
        for task in plan.tasks
    }
    seconds = {SERIAL: 12.0, EngineSetup("pool", 1): 12.5, EngineSetup("pool", 2): 6.4, EngineSetup("pool", 4): 3.5}
    seconds |= {EngineSetup("pool", 4, 1): 4.5, EngineSetup("pool", 4, 4): 3.6, EngineSetup("pool", 4, 16): 3.4}
    comparison._measured = {setup: [measured(setup, each, change(setup, results))] for setup, each in seconds.items()}
    comparison._warm_up = comparison._measured[EngineSetup("pool", 4)][0]
    comparison._timed = {
        PoolMethod("map"): [PoolMethodTiming(PoolMethod("map"), 3.6, 3.6, 12, tuple(results.values()))],
        PoolMethod("imap_unordered", 1): [
            PoolMethodTiming(PoolMethod("imap_unordered", 1), 3.7, 0.3, 2, tuple(results.values()))
        ],
        PoolMethod("imap_unordered", 16): [None],
    }
    return comparison
