"""SIGKILL of the run itself at random moments: no process stays behind, and the same command continues the run."""

import itertools
import random
import signal
import sys

from tests.support.runs import random_moment, records, seconds_until
from tests.support.scales import scaled

MAX_KILLS_PER_RUN = 4
METHODS = ("fork", "forkserver", "spawn")

SCRIPT = """
import sys, imgpool
folder, output, method = sys.argv[1:]
list(imgpool.process(folder, output=output, filters=["gaussian"], workers=2, start_method=method, timeout=0))
"""


@scaled(
    ("whom", "kills", "count"),
    short=[("parent", 2, 200), ("group", 1, 200)],
    long=[("parent", 100, 2000), ("group", 50, 2000)],
)
def test_killed_run_continues(place, whom, kills, count):
    row = place.row(f"SIGKILL of the run, its {whom}, {count:,} images")
    folder, expected = place.images(count)
    chance = random.Random(kills)
    runs, slowest = 0, 0.0
    while row.rounds < kills and not row.hopeless:
        runs += 1
        output = place.folder / str(runs)
        running = place.process(folder, output, "-j", 2, "--json")
        names = set()
        for _ in range(chance.randint(1, MAX_KILLS_PER_RUN)):
            random_moment(chance, running, output, count)
            names |= running.shared_names()
            if not running.is_running():
                break
            running.send(signal.SIGKILL, group=whom == "group")
            row.rounds += 1
            killed, running = running, place.process(folder, output, "-j", 2, "--json")
            slowest = max(slowest, _seconds_until_gone(killed))
            row.whole(output, expected)
            row.count("lost", _recorded(output) - {path.name for path in output.glob("*.png")})
        last = running.wait()
        if row.ended(last, 0):
            row.reported(last, output, expected)
            row.identical(output, expected, place.temporary, names)
    row.remarks.append(f"{runs} runs; no process left after {slowest:.2f} s")
    row.expect(row.sockets <= row.rounds // 100, f"{row.sockets} folders of sockets were left")
    assert not row.verdict


@scaled(
    ("method", "work", "kills", "max_seconds"),
    short=[(method, "hang-in-c", 1, 10) for method in METHODS],
    long=[(method, work, 5, 2) for method, work in itertools.product(METHODS, ("hang-in-c", "hang", "gaussian"))],
)
def test_no_process_outlives_the_parent(place, method, work, kills, max_seconds):
    row = place.row(f"SIGKILL of the parent, {method}, workers at {work}")
    slowest = 0.0
    for number in range(kills):
        notes = place.folder / f"notes{number}"
        notes.mkdir()
        output = place.folder / f"out{number}"
        if work == "gaussian":
            folder, marks = place.images(2000)[0], output
        else:
            folder, marks = _poison(place.folder / f"in{number}", f"{work} {notes}"), notes
        running = place.start(sys.executable, "-c", SCRIPT, folder, output, method)
        assert running.until(lambda marks=marks: len(list(marks.glob("[0-9]*"))) > 1)
        row.expect(len(running.workers()) == 2, "there were not two workers")
        running.send(signal.SIGKILL)
        slowest = max(slowest, _seconds_until_gone(running))
        row.rounds += 1
    row.remarks.append(f"no process left after {slowest:.2f} s")
    row.expect(slowest < max_seconds, f"a process was left for {slowest:.2f} s")
    assert not row.verdict


def _seconds_until_gone(running):
    """Return how many seconds the processes of a killed run live on."""
    seconds = seconds_until(lambda: not running.processes(), timeout_s=30)
    return float("inf") if seconds is None else seconds


def _recorded(output):
    return {record["target"] for record in records(output) if record["status"] == "done"}


def _poison(folder, text):
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.poison").write_text(text)
    return folder
