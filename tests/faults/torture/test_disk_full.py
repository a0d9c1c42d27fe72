"""A disk that gets full, at any number of bytes or files: the run says so, and continues once there is space."""

from collections import Counter

from tests.support.disks import mounted, remount
from tests.support.runs import records
from tests.support.scales import scaled

COUNT = 40
PAGE = 4096
LARGE = "size=64m,nr_inodes=10000"


@scaled(
    ("limit", "values"),
    short=[("size", (PAGE, 30 * PAGE, 90 * PAGE)), ("nr_inodes", (20,))],
    long=[("size", range(PAGE, 130 * PAGE, 4 * PAGE)), ("nr_inodes", range(1, 60, 3))],
)
def test_run_continues_after_a_full_disk(place, limit, values):
    row = place.row(f"disk full, {limit} from {values[0]:,} to {values[-1]:,}")
    images = place.images(COUNT)
    ends = Counter()
    for value in values:
        with mounted(place.folder / "disk", "-t", "tmpfs", "-o", f"{limit}={value}") as disk:
            ends[_fill(row, place, disk, images)] += 1
        row.rounds += 1
    row.expect(any(cause != "done" for cause in ends), "no disk was too small")
    row.remarks.append(", ".join(f"{number} × {cause}" for cause, number in ends.items()))
    assert not row.verdict


def _fill(row, place, disk, images):
    """Run on a small disk, then again when it is large; return why the first run ended."""
    folder, expected = images
    output = disk / "out"
    first = place.process(folder, output, "-j", 2, "--json").wait()
    if row.ended(first, 3, 0):
        row.whole(output, expected)
        recorded = {record["target"] for record in records(output) if record["status"] == "done"}
        row.count("lost", [name for name in recorded if not (output / name).exists()])
        row.expect(first.code == 3 or len(recorded) == COUNT, f"exit 0, and {COUNT - len(recorded)} not done")
    remount(disk, LARGE)
    again = place.process(folder, output, "-j", 2, "--json").wait()
    if row.ended(again, 0):
        row.reported(again, output, expected)
        row.identical(output, expected, place.temporary)
    return "done" if first.code == 0 else _cause(first)


def _cause(outcome):
    errors = [line for line in outcome.stderr.splitlines() if line.startswith("imgpool: ")]
    return errors[-1].rpartition(": ")[2] if errors else "no message"
