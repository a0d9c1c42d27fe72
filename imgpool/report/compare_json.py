"""A comparison of serial and pool as one JSON object."""

from typing import Any

from imgpool.compare.bare_pool import PoolMethod, PoolMethodTiming
from imgpool.compare.comparison import Comparison
from imgpool.compare.measurer import Measurement
from imgpool.report.compare_words import label
from imgpool.report.tally import failure_json


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """All figures as plain JSON values; seconds and bytes unless a name says otherwise.

    Returns
    -------
    dict
        recipe, fingerprint
            What was done.
        found, sample, sample_bytes, cores, rounds, runs
            Images there are, images compared and the bytes of their files, processors, how often each way was
            measured, and how often the sample was run in all.
        reading
            Seconds that it took to read the sample's files once, before all else.
        same, differences
            Whether every image came out the same everywhere; else each source, where, and how.
        failures, left_out
            Images that failed serially; those that end their worker, and were not compared.
        workers
            The serial run and the pool with more and more workers: engine, workers, chunksize, seconds,
            first_result_seconds, images_per_second, speed_up, efficiency, stages (stage and seconds of all workers
            together), alone_seconds (at the end, with one worker at work), cpu_share and blocked_share (of the time
            in images; null where they are not known), most_waiting, peak_bytes (of one worker), peak_bytes_all,
            longest_chunk, why (what the engine chose).
        chunksizes
            The same for the pool with the most workers, by chunk size.
        methods
            Of a bare pool: method, chunksize, seconds, first_result_seconds, most_waiting; null where it came to no
            end.
        disturbed
            Whether other programs used the processors meanwhile: figures are rough then.
        bound
            by ("start", "memory", "tail", "disk", "dispatch", "cpu") and why.
        recommended
            engine, workers, chunksize, why, and seconds that all images take about, beside serial_seconds.
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
        "reading": round(comparison.reading, 3),
        "same": not comparison.differences,
        "differences": [
            {"source": each.source, "where": label(each.where), "how": each.how} for each in comparison.differences
        ],
        "failures": [failure_json(result) for result in comparison.failed],
        "left_out": [failure_json(result) for result in comparison.deadly],
        "workers": [_measurement(each, serial) for each in comparison.by_workers],
        "chunksizes": [_measurement(each, serial) for each in comparison.by_chunksize],
        "methods": [_method(method, timed) for method, timed in comparison.methods.items()],
        "disturbed": comparison.disturbed,
        "bound": {"by": bottleneck.by, "why": bottleneck.why},
        "recommended": {
            "engine": advice.setup.engine,
            "workers": advice.setup.workers,
            "chunksize": advice.setup.chunksize or "auto",
            "why": advice.why,
            "seconds": round(advice.seconds, 3),
            "serial_seconds": round(comparison.serial_for_all, 3),
        },
    }


def _measurement(measured: Measurement, serial: Measurement) -> dict[str, Any]:
    speed_up = serial.seconds / measured.seconds
    return {
        "engine": measured.setup.engine,
        "workers": measured.setup.workers,
        "chunksize": measured.setup.chunksize or "auto",
        "seconds": round(measured.seconds, 4),
        "first_result_seconds": round(measured.first, 4),
        "images_per_second": round(measured.rate, 3),
        "speed_up": round(speed_up, 3),
        "efficiency": round(speed_up / measured.setup.workers, 3),
        "stages": [{"stage": each.stage, "seconds": round(each.seconds, 4)} for each in measured.stages],
        "alone_seconds": round(measured.alone, 4),
        "cpu_share": _rounded(measured.cpu_share),
        "blocked_share": _rounded(measured.blocked_share),
        "most_waiting": measured.waiting,
        "peak_bytes": measured.peak,
        "peak_bytes_all": measured.total_peak,
        "longest_chunk": measured.metrics.longest_chunk or None,
        "why": measured.metrics.reason,
    }


def _method(method: PoolMethod, timed: PoolMethodTiming | None) -> dict[str, Any]:
    return {
        "method": method.name,
        "chunksize": method.chunksize or "auto",
        "seconds": round(timed.seconds, 4) if timed else None,
        "first_result_seconds": round(timed.first, 4) if timed else None,
        "most_waiting": timed.waiting if timed else None,
    }


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 3)
