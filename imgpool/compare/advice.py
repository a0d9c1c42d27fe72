"""Recommended workers and chunk size for all images, from measurements on a sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from imgpool.compare.measurement import EngineSetup, Measurement

MIN_SAVING = 0.05
"""Fraction of the time that another setup must save to be recommended."""


@dataclass(frozen=True, slots=True)
class Advice:
    """A recommended setup.

    Attributes
    ----------
    setup
        Engine, workers and chunk size.
    seconds
        Estimated seconds for all images.
    reason
        The reason in one sentence.
    """

    setup: EngineSetup
    seconds: float
    reason: str


def recommend(by_workers: Sequence[Measurement], by_chunksize: Sequence[Measurement], work_ratio: float) -> Advice:
    """Recommend the fewest workers that are nearly the fastest, and a chunk size only if it saves time.

    Parameters
    ----------
    by_workers
        The serial run, then runs with increasing numbers of workers.
    by_chunksize
        Runs with the most workers and different chunk sizes, including the engine's own choice.
    work_ratio
        Work of all images relative to the work of the sample.
    """
    cost = {run.setup: estimate_seconds(run, work_ratio) for run in (*by_workers, *by_chunksize)}
    tried = [run.setup for run in by_workers]
    chosen = _fewest_workers(tried, cost)
    if chosen.engine == "serial":
        return Advice(chosen, cost[chosen], "the pool saves almost nothing here")
    reason = _explain_workers(chosen, tried, cost)
    automatic = min((run.setup for run in by_chunksize if run.setup.chunksize is None), key=cost.__getitem__)
    fastest = min((run.setup for run in by_chunksize), key=cost.__getitem__)
    saving = 1 - cost[fastest] / cost[automatic]
    if chosen.workers != automatic.workers or saving <= MIN_SAVING:
        setup = EngineSetup(chosen.engine, chosen.workers)
        seconds = cost.get(setup, cost[chosen])
        return Advice(setup, seconds, f"{reason}; no fixed chunk size saves {MIN_SAVING:.0%} over auto")
    return Advice(fastest, cost[fastest], f"{reason}; chunks of {fastest.chunksize} save {saving:.0%} over auto")


def estimate_seconds(run: Measurement, work_ratio: float) -> float:
    """Estimate the seconds for `work_ratio` times the measured work; workers are started only once."""
    return run.startup_seconds + (run.seconds - run.startup_seconds) * work_ratio


def _fewest_workers(tried: Sequence[EngineSetup], cost: Mapping[EngineSetup, float]) -> EngineSetup:
    best = min(cost[setup] for setup in tried)
    return next(setup for setup in tried if cost[setup] <= (1 + MIN_SAVING) * best)


def _explain_workers(chosen: EngineSetup, tried: Sequence[EngineSetup], cost: Mapping[EngineSetup, float]) -> str:
    serial, most = tried[0], max(tried, key=lambda setup: setup.workers)
    sentence = f"{cost[serial] / cost[chosen]:.2f} × as fast as a serial run"
    if chosen.workers < most.workers:
        sentence += f", and {most.workers} workers save less than {MIN_SAVING:.0%} more"
    return sentence
