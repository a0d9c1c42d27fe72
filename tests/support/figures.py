"""The table that `make torture` prints: what was done to imgpool, how often, and what it cost."""

import io
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

import imgpool
from tests.support.runs import outputs, records

PACKAGE = str(Path(imgpool.__file__).parent)
ENOUGH = 10
SOCKETS = "pymp-*"
"""Where multiprocessing has the socket of its fork server, among the temporary files. They are told of but are no
litter here: a run may be killed when it has made that folder and has not yet noted where it is.
"""

COUNTS = ("hangs", "unreported", "lost", "torn", "duplicated", "litter")


class Row:
    """One fault: how often it was provoked, and what went wrong. Only what was looked at has a figure."""

    def __init__(self, fault):
        self.fault = fault
        self.rounds = 0
        self.seconds = 0.0
        self.remarks = []
        self._counts = Counter()
        self._wrong = []
        self._litter = set()
        self.sockets = 0

    def count(self, what, things):
        """Count what is wrong, and keep a few of the things for the message."""
        things = sorted(map(str, things))
        self._counts[what] += len(things)
        if things:
            self._wrong.append(f"{what}: {', '.join(things[:5])}")

    def expect(self, condition, otherwise):
        """Note what else is wrong."""
        if not condition:
            self._wrong.append(otherwise)

    def ended(self, outcome, *codes):
        """Whether a run came to an end at all, by one of these exit codes, and without a traceback.

        But for Python's own, of a signal that came before it had loaded anything of imgpool.
        """
        self.count("hangs", [outcome.stderr] if outcome.code is None else [])
        if outcome.code is not None:
            self.expect(outcome.code in codes, f"exit code {outcome.code} instead of {codes}: {outcome.stderr[-2000:]}")
        self.expect("Traceback" not in outcome.stderr or PACKAGE not in outcome.stderr, outcome.stderr)
        return outcome.code in codes

    def whole(self, output, expected):
        """Whether every file that stands under its own name is what it has to be; some may be missing yet."""
        self.count("torn", _torn(outputs(output), expected))

    def identical(self, output, expected, temporary=None, shared=()):
        """Whether a finished output is what it has to be, and nothing else is left anywhere."""
        there = outputs(output)
        self.count("lost", expected.keys() - there.keys())
        self.count("torn", _torn(there, expected))
        self._count_litter(Path(output, name) for name in there.keys() - expected.keys())
        self._count_litter(path for left in ("tmp/**/*", "*.tmp") for path in Path(output, ".imgpool").glob(left))
        self._count_litter(path for path in map(Path, shared) if path.exists())
        if temporary:
            self.sockets = len(list(temporary.glob(SOCKETS)))
            self._count_litter(path for path in temporary.iterdir() if not path.match(SOCKETS))
        self.count("duplicated", _done_twice(output))
        self._counts["different"] += there != expected

    def _count_litter(self, paths):
        new = set(paths) - self._litter
        self._litter |= new
        self.count("litter", new)

    def reported(self, outcome, output, names):
        """Whether a run that ended has told of each image once: in the journal by name, and in its own sums."""
        told = {record["target"] for record in records(output)}
        self.count("unreported", set(names) - told)
        summary = outcome.json
        sums = [summary[what] for what in ("done", "failed", "skipped")]
        self.expect(sum(sums) == summary["found"] == len(names), f"done, failed, skipped: {sums} of {len(names)}")
        self.expect(len(summary["failures"]) == summary["failed"], "failures that are not listed")

    @property
    def hopeless(self):
        """Whether so much went wrong that there is no use in going on."""
        return len(self._wrong) > ENOUGH

    @property
    def verdict(self):
        """All that went wrong, in lines; empty when nothing did."""
        return "\n".join(self._wrong)

    def cells(self):
        """As the table shows it."""
        different = self._counts.get("different")
        same = "–" if different is None else "no" if different else "yes"
        figures = [str(self._counts[what]) if what in self._counts else "–" for what in COUNTS]
        left = [f"{self.sockets} × {SOCKETS} left"] if self.sockets else []
        remarks = "; ".join([*self.remarks, *left, *(["FAILED"] if self._wrong else [])])
        return [self.fault, str(self.rounds), *figures, same, f"{self.seconds:.0f}", remarks]


def _torn(there, expected):
    return [name for name in there.keys() & expected.keys() if there[name] != expected[name]]


def _done_twice(output):
    """What was done again although it was done, by the journal, from the same source and with the same recipe."""
    same = ("target", "source", "size", "source_hash", "fingerprint")
    done = Counter(tuple(record[key] for key in same) for record in records(output) if record["status"] == "done")
    return [key[0] for key, times in done.items() if times > 1]


def table(rows):
    """All rows as text."""
    shown = Table("fault", "rounds", *COUNTS, "identical", "seconds", "remarks", box=None, pad_edge=False)
    for row in rows:
        shown.add_row(*row.cells())
    text = io.StringIO()
    Console(file=text, width=200).print(shown)
    return text.getvalue()
