"""What a verification found, in lines for people and in one JSON object."""

import os
import shlex
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from imgpool.output.verify import CheckedFile, Verification
from imgpool.report.progress import choose_progress, stderr_console
from imgpool.report.text import StyledLine, duration, plural, printable, short

WRONG = ("missing", "changed", "outdated", "extra", "unreadable")
"""The kinds of check_files that are told one by one."""

UNFINISHED = ("interrupted", "stopped", "killed")
"""The states of a last run that left something to do."""


class VerificationResult:
    """Counts the check_files of a verification while it goes on, and shows on stderr how far it has come.

    Parameters
    ----------
    verification
        What to take the check_files from; all are taken at once.
    quiet
        Show nothing meanwhile.
    keep_intact
        Keep the check_files on intact files too.

    Attributes
    ----------
    verification : Verification
    counts : Counter
        Findings of each kind.
    told : list of CheckedFile
        What is wrong, and all else that is to be told.
    seconds : float
        How long it took.
    """

    def __init__(self, verification: Verification, *, quiet: bool = False, keep_intact: bool = False) -> None:
        self.verification = verification
        self.counts: Counter[str] = Counter()
        self.told: list[CheckedFile] = []
        self._started = time.monotonic()
        progress = choose_progress(stderr_console(), self._line, len(verification.known), quiet=quiet)
        progress.start()
        try:
            for finding in verification.check_files():
                self.counts[finding.kind] += 1
                if finding.kind in WRONG or (keep_intact and finding.kind == "intact"):
                    self.told.append(finding)
                if finding.path in verification.known:
                    progress.advance()
        finally:
            progress.stop()
        self.seconds = time.monotonic() - self._started

    @property
    def checked(self) -> int:
        """Outputs that were compared with the journal."""
        return sum(self.counts[kind] for kind in ("intact", "missing", "changed", "outdated"))

    @property
    def wrong(self) -> int:
        """Files that are not as they ought to be."""
        return sum(self.counts[kind] for kind in WRONG)

    @property
    def exit_code(self) -> int:
        """0 if all is intact, else 1."""
        return 1 if self.wrong else 0

    def _line(self, left: int) -> str:
        parts = []
        if left and self.counts:
            seconds = (time.monotonic() - self._started) / self.counts.total()
            parts.append(f"{duration(left * seconds)} left")
        if self.wrong:
            parts.append(f"{self.wrong:,} not intact")
        return " · ".join(parts)


def verification_lines(result: VerificationResult, verbosity: int = 0) -> Iterator[StyledLine]:
    """Each file that is not as it ought to be, the numbers, and what to do.

    Parameters
    ----------
    result
        What was found.
    verbosity
        -1 names what is wrong, and no more.
    """
    for finding in result.told:
        yield _finding_line(finding)
    if verbosity < 0:
        return
    yield _numbers(result)
    see = f"see `imgpool status {shlex.quote(short(result.verification.output, os.getcwd()))}`"
    if result.counts["absent"]:
        yield StyledLine(f"  {plural(result.counts['absent'], 'image')} failed without an output: {see}")
    if result.verification.state in UNFINISHED:
        yield StyledLine(f"  the last run was {result.verification.state}: {see}")
    for folder in result.verification.left_out:
        yield StyledLine(f"  {printable(folder)} left out: results of another run of imgpool")
    for line in _advice(result):
        yield StyledLine(f"  {line}")


def _finding_line(finding: CheckedFile) -> StyledLine:
    name = printable(finding.path) or "."
    if finding.kind == "intact":
        return StyledLine(f"✓ {name} · intact")
    return StyledLine(f"✗ {name} · {finding.kind} · {finding.reason}", "red")


def _numbers(result: VerificationResult) -> StyledLine:
    counts = result.counts
    parts = [f"{plural(result.checked, 'output')} checked", f"{counts['intact']:,} intact"]
    parts += [f"{counts[kind]:,} {kind}" for kind in WRONG if counts[kind]]
    mark, style = ("✗", "red") if result.wrong else ("✓", "green")
    return StyledLine(f"{mark} {' · '.join(parts)} · {duration(result.seconds)}", style)


def _advice(result: VerificationResult) -> Iterator[str]:
    """What to do about each kind of finding."""
    kinds = {finding.kind for finding in result.told}
    if any(finding.rerun_restores for finding in result.told):
        yield "Run the same `imgpool process` command again: what is missing, outdated or of another size is made anew."
    if any(finding.kind == "changed" and not finding.rerun_restores for finding in result.told):
        yield "Links, folders, other bytes of the same size: delete them before you run it, for it may not see them."
    if "outdated" in kinds:
        yield "What fails again stays outdated: `imgpool status` tells why; delete what must not pass for today's."
    if "extra" in kinds:
        if result.verification.unsettled:
            yield "Extra files may be what a run wrote last before it was cut off: the same command makes those anew."
        yield "Extra files that no run accounts for: look at them, and move or delete them."
    if "unreadable" in kinds:
        yield "Make readable what could not be read, then verify again."


def verification_json(result: VerificationResult) -> dict[str, Any]:
    """What was found, as plain JSON values."""
    listed = {
        kind: [{"path": each.path, "reason": each.reason} for each in result.told if each.kind == kind]
        for kind in WRONG
    }
    return {
        "checked": result.checked,
        "intact": result.counts["intact"],
        **listed,
        "seconds": round(result.seconds, 3),
        "output": result.verification.output,
    }
