"""Ctrl-C and SIGTERM at random moments: the run ends with the right exit code, and the same command continues it."""

import random
import signal
from collections import Counter

from tests.support.runs import random_moment
from tests.support.scales import scaled

MAX_RUNS_PER_ROUND = 5  # some runs finish before the signal arrives
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


@scaled(
    ("number", "group", "rounds", "count"),
    short=[(signal.SIGINT, True, 1, 200), (signal.SIGTERM, False, 1, 200)],
    long=[(signal.SIGINT, True, 20, 2000), (signal.SIGINT, False, 10, 2000), (signal.SIGTERM, False, 10, 2000)],
)
def test_interrupted_run_continues(place, number, group, rounds, count):
    row = place.row(f"{number.name}{' from the terminal' if group else ''}, {count:,} images")
    folder, expected = place.images(count)
    chance = random.Random(number)
    codes = Counter()
    while codes[CODES[number]] < rounds and row.rounds < MAX_RUNS_PER_ROUND * rounds and not row.hopeless:
        output = place.folder / str(row.rounds)
        running = place.process(folder, output, "-j", 2, "--json")
        random_moment(chance, running, output, count)
        running.send(number, group=group)
        outcome = running.wait()
        codes[outcome.code] += 1
        row.rounds += 1
        row.ended(outcome, 0, CODES[number])
        row.whole(output, expected)
        again = place.process(folder, output, "-j", 2, "--json").wait()
        if row.ended(again, 0):
            row.reported(again, output, expected)
            row.identical(output, expected, place.temporary)
    row.expect(codes[CODES[number]] == rounds, f"{rounds} interruptions expected, exit codes {codes}")
    row.remarks.append(", ".join(f"{times} × exit {code}" for code, times in codes.items()))
    assert not row.verdict
