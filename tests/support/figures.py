"""The table that `make torture` prints: the faults injected, how often, and their consequences."""

import io
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

import imgpool
from tests.support.hashes import output_hashes
from tests.support.runs import records

PACKAGE = str(Path(imgpool.__file__).parent)
MAX_PROBLEMS = 10
SOCKETS = "pymp-*"
"""Temporary folders in which multiprocessing keeps the socket of its fork server. They are reported but do not count as
litter: a run may be killed after it created the folder and before it recorded its path.
"""

COUNTS = ("hangs", "unreported", "lost", "torn", "duplicated", "litter")


class Row:
    """One fault: how often it was injected, and what went wrong. Only checks that were made have a count."""

    def __init__(self, fault):
        self.fault = fault
        self.rounds = 0
        self.seconds = 0.0
        self.remarks = []
        self._counts = Counter()
        self._problems = []
        self._litter = set()
        self.sockets = 0

    def count(self, what, things):
        """Count problems of one kind, and keep a few of them for the message."""
        things = sorted(map(str, things))
        self._counts[what] += len(things)
        if things:
            self._problems.append(f"{what}: {', '.join(things[:5])}")

    def expect(self, condition, problem):
        """Record another problem unless the condition holds."""
        if not condition:
            self._problems.append(problem)

    def ended(self, outcome, *codes):
        """Check that a run ended, with one of these exit codes and without a traceback of imgpool.

        A traceback without imgpool is accepted: the signal arrived before imgpool was imported.
        """
        self.count("hangs", [outcome.stderr] if outcome.code is None else [])
        if outcome.code is not None:
            self.expect(outcome.code in codes, f"exit code {outcome.code} instead of {codes}: {outcome.stderr[-2000:]}")
        self.expect("Traceback" not in outcome.stderr or PACKAGE not in outcome.stderr, outcome.stderr)
        return outcome.code in codes

    def whole(self, output, expected):
        """Check that every output has the expected content; outputs may be missing."""
        self.count("torn", _torn(output_hashes(output), expected))

    def identical(self, output, expected, temporary=None, shared=()):
        """Check that a finished output folder is complete and correct, and that no other files are left."""
        there = output_hashes(output)
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
        """Check that a run reported every image: in the journal by name, and in the summary's counts."""
        shown = {record["target"] for record in records(output)}
        self.count("unreported", set(names) - shown)
        summary = outcome.json
        sums = [summary[what] for what in ("done", "failed", "skipped")]
        self.expect(sum(sums) == summary["found"] == len(names), f"done, failed, skipped: {sums} of {len(names)}")
        self.expect(len(summary["failures"]) == summary["failed"], "failures that are not listed")

    @property
    def hopeless(self):
        """Whether so many problems occurred that the test should stop."""
        return len(self._problems) > MAX_PROBLEMS

    @property
    def verdict(self):
        """All problems, one per line; empty if there are none."""
        return "\n".join(self._problems)

    def cells(self):
        """The cells of the table row."""
        different = self._counts.get("different")
        same = "–" if different is None else "no" if different else "yes"
        figures = [str(self._counts[what]) if what in self._counts else "–" for what in COUNTS]
        left = [f"{self.sockets} × {SOCKETS} left"] if self.sockets else []
        remarks = "; ".join([*self.remarks, *left, *(["FAILED"] if self._problems else [])])
        return [self.fault, str(self.rounds), *figures, same, f"{self.seconds:.0f}", remarks]


def _torn(there, expected):
    return [name for name in there.keys() & expected.keys() if there[name] != expected[name]]


def _done_twice(output):
    """Return targets that the journal records as done twice from the same source with the same recipe."""
    same = ("target", "source", "size", "source_hash", "fingerprint")
    done = Counter(tuple(record[key] for key in same) for record in records(output) if record["status"] == "done")
    return [key[0] for key, times in done.items() if times > 1]


def table(rows):
    """Render all rows as text."""
    shown = Table("fault", "rounds", *COUNTS, "identical", "seconds", "remarks", box=None, pad_edge=False)
    for row in rows:
        shown.add_row(*row.cells())
    text = io.StringIO()
    Console(file=text, width=200).print(shown)
    return text.getvalue()
