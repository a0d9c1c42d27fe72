"""SIGKILL of random processes that a run has started, busy or idle: the run ends and reports every image."""

import random
import signal
import time

from tests.support.runs import Running, records, send_each
from tests.support.scales import scaled

VICTIMS = {
    "workers": (Running.workers, 3),
    "hosts of the pool": (Running.hosts, 3),
    "processes but the parent": (Running.helpers, 1),
}
"""Which processes are killed, and how often before another image must be done. With more kills, a run may rightly say
that all its workers die, or that none can be started.
"""


@scaled(
    ("victims", "workers", "kills", "count"),
    short=[("workers", 4, 4, 200), ("hosts of the pool", 2, 2, 200), ("processes but the parent", 2, 4, 200)],
    long=[
        ("workers", 2, 100, 2000),
        ("workers", 4, 100, 2000),
        ("hosts of the pool", 2, 50, 2000),
        ("processes but the parent", 2, 100, 2000),
    ],
)
def test_run_survives_killed_processes(place, victims, workers, kills, count):
    row = place.row(f"SIGKILL of random {victims}, {workers} workers, {count:,} images")
    folder, expected = place.images(count)
    chance = random.Random(workers)
    retried = failed = runs = 0
    while row.rounds < kills and not row.hopeless:
        runs += 1
        output = place.folder / str(runs)
        running = place.process(folder, output, "-j", workers, "--json")
        row.rounds += _kill_at_random(running, *VICTIMS[victims], output, chance, kills - row.rounds)
        outcome = running.wait()
        if row.ended(outcome, 0, 1):
            row.reported(outcome, output, expected)
            retried += sum(record["attempt"] > 1 for record in records(output))
            failed += outcome.json["failed"]
        while outcome.code == 1:
            outcome = place.process(folder, output, "-j", workers, "--json").wait()
            row.ended(outcome, 0, 1)
        if outcome.code == 0:
            row.identical(output, expected, place.temporary)
    row.remarks.append(f"{runs} runs; {retried} retried, {failed} failed at first")
    assert not row.verdict


def _kill_at_random(running, victims, kills_between_images, output, chance, max_kills):
    """Kill one victim after another while the run lasts; return their number."""
    kills = 0
    while running.is_running() and kills < max_kills:
        if found := victims(running):
            send_each([chance.choice(found)], signal.SIGKILL)
            kills += 1
            if kills % kills_between_images == 0:
                done = _count(output)
                running.until(lambda done=done: _count(output) > done)
        time.sleep(chance.uniform(0, 0.1))
    return kills


def _count(output):
    return sum(1 for _ in output.glob("*.png"))
