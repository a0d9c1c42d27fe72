"""The parent's memory does not grow with the number of tasks."""

import sys
from pathlib import Path

import pytest

from tests.support.runs import seconds_until
from tests.support.scales import scaled

SCRIPT = """
import sys
sys.path.insert(0, {support!r})
from tests.support import engine_tasks
from imgpool.core.task import Task
from imgpool.engines.pool import POOL

tasks = (Task(f"pass {{number}}", f"out-{{number}}", 10, 0) for number in range({count}))
finished = sum(1 for _ in POOL.run(tasks, engine_tasks.do, engine_tasks.no_state, engine_tasks.options()))
[peak] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(finished, peak)
"""


@scaled(("few", "many"), short=[(1000, 20_000)], long=[(1000, 100_000)])
def test_memory_of_the_engine_is_constant(place, few, many):
    row = place.row(f"peak RSS of the parent, {few:,} → {many:,} tasks")
    peaks = {}
    for count in (few, many):
        script = SCRIPT.format(support=str(Path(__file__).parents[3]), count=count)
        outcome = place.start(sys.executable, "-c", script).wait()
        row.rounds += 1
        if row.ended(outcome, 0):
            finished, peaks[count] = map(int, outcome.stdout.split())
            row.count("unreported", range(finished, count))
    ratio = peaks[many] / peaks[few]
    row.remarks.append(f"{peaks[few] / 1024:.0f} → {peaks[many] / 1024:.0f} MiB, ratio {ratio:.2f}")
    row.expect(ratio < 1.2, f"the parent grows: {row.remarks}")
    assert not row.verdict


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_memory_of_the_command_is_reported(place):
    """For information: a plan contains every file, so the command's memory cannot be constant."""
    row = place.row("peak RSS of the command, 1,000 → 20,000 images")
    peaks = {}
    for count in (1000, 20_000):
        folder, expected = place.images(count)
        running = place.process(folder, place.folder / str(count), "-j", 2, "--json")
        sampled = []
        seconds_until(
            lambda running=running, sampled=sampled: sampled.append(_peak(running.pid)) or not running.is_running()
        )
        peaks[count] = max(sampled)
        row.rounds += 1
        outcome = running.wait()
        if row.ended(outcome, 0):
            row.reported(outcome, place.folder / str(count), expected)
    row.remarks.append(f"{peaks[1000] / 1024:.0f} → {peaks[20_000] / 1024:.0f} MiB")
    assert not row.verdict


def _peak(pid):
    """Return the peak memory of a process in KiB; 0 if it has ended."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return max((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), default=0)
