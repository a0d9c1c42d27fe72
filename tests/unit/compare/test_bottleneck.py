"""The bottleneck of a run."""

from dataclasses import replace

import pytest

from imgpool.compare.bottleneck import RunProfile, find_bottleneck

BUSY = RunProfile(
    workers=2,
    cores=2,
    seconds=10.0,
    startup_seconds=0.4,
    tail_seconds=0.2,
    idle_seconds=0.5,
    dispatch_seconds=0.1,
    cpu_share=0.97,
    blocked_share=0.01,
)


@pytest.mark.parametrize(
    ("changes", "kind", "evidence"),
    [
        ({}, "cpu", "compute for 97% of that"),
        ({"slowdown": 1.6}, "cpu", "1.6 × as long as in a serial run"),
        ({"cpu_share": 0.6}, "cpu", "wait for a processor for 39% (other programs use them too)"),
        ({"cpu_share": 0.5, "cores": 1}, "cpu", "wait for a processor for 49% (there are only 1)"),
        ({"cpu_share": None, "blocked_share": None}, "cpu", "busy with images for 93% of the time"),
        ({"cpu_share": 0.3, "blocked_share": 0.6}, "disk", "60% of an image's time"),
        ({"cold_read_seconds": 25.0}, "disk", "25.0 s when they were not cached"),
        (
            {"worker_memory": 800_000_000, "memory_limit": 1_000_000_000, "idle_seconds": 6.0},
            "memory",
            "2 workers with 800 MB each",
        ),
        ({"tail_seconds": 2.5}, "tail", "only one worker is busy in the last 25%"),
        ({"startup_seconds": 2.0}, "start", "20% of the time passes before the first image"),
        ({"dispatch_seconds": 4.0}, "dispatch", "20% of the time is spent on sending images"),
    ],
)
def test_bottleneck_is_found_with_its_evidence(changes, kind, evidence):
    found = find_bottleneck(replace(BUSY, **changes))
    assert found.kind == kind
    assert evidence in found.evidence


def test_low_memory_without_idle_workers_is_no_bottleneck():
    assert find_bottleneck(replace(BUSY, worker_memory=800_000_000, memory_limit=1_000_000_000)).kind == "cpu"


def test_bottleneck_that_hides_the_others_comes_first():
    everything = {"startup_seconds": 5.0, "tail_seconds": 5.0, "blocked_share": 0.9, "dispatch_seconds": 9.0}
    assert find_bottleneck(replace(BUSY, **everything)).kind == "start"
