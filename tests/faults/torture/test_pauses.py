"""Processes that are stopped and continue, and a wall clock that jumps: no image exceeds its time limit for that."""

import itertools
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from tests.support.hashes import output_hashes
from tests.support.runs import SLEEPLESS, Running, records, send_each
from tests.support.scales import scaled

NAP = 0.3  # seconds per image
COUNT = 20
JUMP_INTERVAL_S = 0.2
LIMITS = ("-j", 2, "--timeout", 3, "--retries", 0, "--json")

LIBRARY = next(map(str, Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1")), None)
FAKETIME = {
    "LD_PRELOAD": LIBRARY,
    "PYTHONPATH": str(SLEEPLESS),
    "FAKETIME_NO_CACHE": "1",
    "FAKETIME_DISABLE_SHM": "1",
    "DONT_FAKE_MONOTONIC": "1",
    "NO_FAKE_STAT": "1",
}
"""A library that shows its process another wall clock; the times of files remain true."""


@pytest.fixture
def naps(place):
    """A folder of images that take a while."""
    folder = place.folder / "in"
    folder.mkdir()
    for number in range(COUNT):
        (folder / f"{number:02}.poison").write_text(f"nap {NAP} {number}")
    return folder


def _parent(running):
    return [process for process in running.processes() if process.pid == running.pid]


def _one_worker(running):
    return running.workers()[:1]


STOPPED = {"the parent": _parent, "all": Running.processes, "the host": Running.hosts, "one worker": _one_worker}


@scaled(("pause", "timeout", "rounds"), short=[(5, 3, 1)], long=[(10, 4, 3)])
def test_suspension_does_not_exceed_the_time_limit(place, naps, pause, timeout, rounds):
    rows = {whom: place.row(f"SIGSTOP {pause} s / CONT of {whom}, --timeout {timeout}") for whom in STOPPED}
    for number in range(rounds):
        outs = {whom: place.folder / f"{whom} {number}" for whom in STOPPED}
        runs = {whom: place.process(naps, outs[whom], *LIMITS, "--timeout", timeout) for whom in STOPPED}
        for whom, running in runs.items():
            assert running.until(partial(_has_started, outs[whom]))
        stopped = {whom: STOPPED[whom](running) for whom, running in runs.items()}
        for processes in stopped.values():
            send_each(processes, signal.SIGSTOP)
        time.sleep(pause)
        for whom, processes in stopped.items():
            rows[whom].expect(processes, "there was no process to stop")
            send_each(processes, signal.SIGCONT)
        for whom, running in runs.items():
            _all_done(rows[whom], running.wait(), outs[whom], None)
    assert not any(row.verdict for row in rows.values()), [row.verdict for row in rows.values()]


@pytest.mark.skipif(not LIBRARY, reason="libfaketime is not installed (Debian: faketime)")
@scaled(("rounds",), short=[(1,)], long=[(5,)])
def test_jumps_of_the_wall_clock_have_no_effect(place, naps, rounds):
    row = place.row("wall clock ±1 day")
    clock = place.folder / "clock"
    for number in range(rounds):
        clock.write_text("+0")
        output = place.folder / str(number)
        running = place.process(naps, output, *LIMITS, **FAKETIME, FAKETIME_TIMESTAMP_FILE=str(clock))
        for jump in itertools.cycle(("-1d", "+0", "+1d", "+0")):
            time.sleep(JUMP_INTERVAL_S)
            if not running.is_running():
                break
            _replace(clock, jump)
        _all_done(row, running.wait(), output, place.temporary)
        days = {record["time"][:10] for record in records(output)}
        row.expect(len(days) > 1, f"the clock did not jump: all images were done on {days}")
    assert not row.verdict


def _all_done(row, outcome, output, temporary):
    row.rounds += 1
    if row.ended(outcome, 0):
        row.reported(outcome, output, {f"{number:02}.poison" for number in range(COUNT)})
        row.identical(output, output_hashes(output), temporary)


def _has_started(output):
    return any(output.glob("*.poison"))


def _replace(path, text):
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)
