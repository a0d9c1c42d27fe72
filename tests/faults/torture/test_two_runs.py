"""Two runs with the same output, started together: one proceeds, the other names it."""

import socket

from tests.support.hashes import output_hashes
from tests.support.runs import TIMEOUT_S, seconds_until
from tests.support.scales import scaled

COUNT = 6


@scaled(("rounds",), short=[(2,)], long=[(20,)])
def test_only_one_of_two_runs_proceeds(place, rounds):
    row = place.row("two runs of one output at once")
    for number in range(rounds):
        notes = place.folder / f"notes{number}"
        folder, output = place.folder / f"in{number}", place.folder / f"out{number}"
        for each in (notes, folder):
            each.mkdir()
        for image in range(COUNT):
            (folder / f"{image}.poison").write_text(f"wait {notes}")
        both = [place.process(folder, output, "-j", 2, "--json") for _ in range(2)]
        seconds_until(lambda both=both: not all(running.is_running() for running in both), TIMEOUT_S / 2)
        refused = [running for running in both if not running.is_running()]
        row.expect(len(refused) == 1, f"{len(refused)} of two runs were refused")
        (notes / "go").touch()  # until now, no image was done: the first run is still there when the other one asks
        for running in both:
            outcome = running.wait()
            row.ended(outcome, 3 if running in refused else 0)
            if running in refused:
                [other] = [each for each in both if each is not running]
                named = str(other.pid) in outcome.stderr and socket.gethostname() in outcome.stderr
                row.expect(named, f"does not name pid {other.pid} on {socket.gethostname()}: {outcome.stderr}")
            else:
                row.reported(outcome, output, {f"{image}.poison" for image in range(COUNT)})
                row.identical(output, output_hashes(output), place.temporary)
        row.rounds += 1
    assert not row.verdict
