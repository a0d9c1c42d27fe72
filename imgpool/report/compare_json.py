"""Results of a comparison as one JSON object."""

from typing import Any

from imgpool.compare.bare_pool import PoolMethod, PoolMethodTiming
from imgpool.compare.measurement import Measurement
from imgpool.compare.results import Comparison
from imgpool.report.compare_words import label
from imgpool.report.tally import failure_json


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Convert a comparison to plain JSON values; times are in seconds and sizes in bytes.

    Returns
    -------
    dict
        recipe, fingerprint
            The recipe that was run.
        found, sample, sample_bytes
            Number of all images, and number and total file size of the compared ones.
        cores, rounds, runs
            Number of processors, number of measurements per setup, and number of times that the sample was run.
        reading
            Seconds for reading the files of the sample once, before all runs.
        same, differences
            Whether every image has the same result in all runs; source, where and how for each one that has not.
        failures, left_out
            Images that failed in the serial run; images that were not compared because they kill their worker.
        workers
            The serial run, then the pool with increasing numbers of workers: engine, workers, chunksize, seconds,
            first_result_seconds, images_per_second, speed_up, efficiency, stages (stage and seconds, summed over all
            workers), alone_seconds (at the end, with one busy worker), cpu_share and blocked_share (of the time in
            images; null if unknown), most_waiting, peak_bytes (of one worker), peak_bytes_all, longest_chunk, why (the
            engine's reason for its choices).
        chunksizes
            The same for the pool with the most workers, by chunk size.
        methods
            Methods of a bare pool: method, chunksize, seconds, first_result_seconds, most_waiting; null if the method
            did not finish.
        disturbed
            Whether other programs used the processors, so that the times are unreliable.
        bound
            The bottleneck: by ("start", "memory", "tail", "disk", "dispatch" or "cpu") and why.
        recommended
            engine, workers, chunksize, why, and the estimated seconds for all images, beside serial_seconds.
    """
    plan, advice, bottleneck = comparison.plan, comparison.advice, comparison.bottleneck
    serial = comparison.by_workers[0]
    return {
        "recipe": plan.settings.recipe.name,
        "fingerprint": plan.fingerprint,
        "found": len(plan.tasks),
        "sample": len(comparison.tasks),
        "sample_bytes": sum(task.size for task in comparison.tasks),
        "cores": comparison.cores,
        "rounds": comparison.rounds,
        "runs": comparison.runs,
        "reading": round(comparison.cold_read_seconds, 3),
        "same": not comparison.differences,
        "differences": [
            {"source": each.source, "where": label(each.where), "how": each.how} for each in comparison.differences
        ],
        "failures": [failure_json(result) for result in comparison.failed],
        "left_out": [failure_json(result) for result in comparison.excluded],
        "workers": [_measurement_json(each, serial) for each in comparison.by_workers],
        "chunksizes": [_measurement_json(each, serial) for each in comparison.by_chunksize],
        "methods": [_timing_json(method, timing) for method, timing in comparison.methods.items()],
        "disturbed": comparison.disturbed,
        "bound": {"by": bottleneck.kind, "why": bottleneck.evidence},
        "recommended": {
            "engine": advice.setup.engine,
            "workers": advice.setup.workers,
            "chunksize": advice.setup.chunksize or "auto",
            "why": advice.reason,
            "seconds": round(advice.seconds, 3),
            "serial_seconds": round(comparison.serial_seconds_for_all, 3),
        },
    }


def _measurement_json(run: Measurement, serial: Measurement) -> dict[str, Any]:
    speed_up = serial.seconds / run.seconds
    return {
        "engine": run.setup.engine,
        "workers": run.setup.workers,
        "chunksize": run.setup.chunksize or "auto",
        "seconds": round(run.seconds, 4),
        "first_result_seconds": round(run.first_result_seconds, 4),
        "images_per_second": round(run.images_per_second, 3),
        "speed_up": round(speed_up, 3),
        "efficiency": round(speed_up / run.setup.workers, 3),
        "stages": [{"stage": each.stage, "seconds": round(each.seconds, 4)} for each in run.stages],
        "alone_seconds": round(run.tail_seconds, 4),
        "cpu_share": _round(run.cpu_share),
        "blocked_share": _round(run.blocked_share),
        "most_waiting": run.max_waiting,
        "peak_bytes": run.peak_memory,
        "peak_bytes_all": run.total_peak_memory,
        "longest_chunk": run.metrics.longest_chunk or None,
        "why": run.metrics.reason,
    }


def _timing_json(method: PoolMethod, timing: PoolMethodTiming | None) -> dict[str, Any]:
    return {
        "method": method.name,
        "chunksize": method.chunksize or "auto",
        "seconds": round(timing.seconds, 4) if timing else None,
        "first_result_seconds": round(timing.first_result_seconds, 4) if timing else None,
        "most_waiting": timing.max_waiting if timing else None,
    }


def _round(share: float | None) -> float | None:
    return None if share is None else round(share, 3)
