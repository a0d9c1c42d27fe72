"""The result of ``imgpool verify``, as lines of text and as one JSON object."""

import shlex
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from imgpool.output.verify import CheckedFile, Verification
from imgpool.report.hints import with_options
from imgpool.report.progress import LINE_INTERVAL_S, Progress, choose_progress
from imgpool.report.stderr import stderr_console
from imgpool.report.text import StyledLine, current_folder, damage_text, duration, plural, printable, short

RECORDED_STATES = ("intact", "missing", "changed", "outdated")
"""States of outputs that were compared with the journal."""

PROBLEM_STATES = ("missing", "changed", "outdated", "extra", "unreadable")
"""States of files that are listed one by one, in this order in the summary."""

UNFINISHED_RUN_STATES = ("interrupted", "stopped", "killed")

RUN_AGAIN = (
    "Run the same `imgpool process` command again to make outputs anew that are missing or outdated, or that an "
    "interrupted run may have written."
)
MOVE_FIRST = (
    "Move links, folders and changed outputs away first: a new run keeps them. "
    "It notices changed outputs of the same size only if they have to be made again."
)
STILL_OUTDATED = (
    "If an image fails again, its output stays outdated: `imgpool status` shows why it fails. "
    "Delete the output if you do not want to keep it."
)
EXTRA_OF_UNFINISHED_RUN = (
    "Extra files may be the last outputs of a run that did not finish: the same command replaces those."
)
CHECK_EXTRA = "No run has recorded the extra files: look at them, then move or delete them."
MAKE_READABLE = "Make the unreadable files readable, then verify again."


class VerificationResult:
    """Runs a verification, shows its progress on stderr, and collects the result.

    Parameters
    ----------
    verification
        The verification to run.
    quiet
        Show no progress.
    keep_intact
        Keep intact files in `files` too.
    line_interval
        Seconds between two lines of progress where there is no terminal.

    Attributes
    ----------
    verification : Verification
    counts : Counter
        Number of files in each state.
    files : list of CheckedFile
        The files with a problem, and with `keep_intact` the intact ones.
    seconds : float
        Duration of the verification.
    """

    def __init__(
        self,
        verification: Verification,
        *,
        quiet: bool = False,
        keep_intact: bool = False,
        line_interval: float = LINE_INTERVAL_S,
    ) -> None:
        self.verification = verification
        self.counts: Counter[str] = Counter()
        self.files: list[CheckedFile] = []
        self._listed = {*PROBLEM_STATES, "intact"} if keep_intact else {*PROBLEM_STATES}
        self._started = time.monotonic()
        progress = choose_progress(
            stderr_console(), self._progress_text, len(verification.recorded), quiet=quiet, line_interval=line_interval
        )
        self._run(progress)
        self.seconds = time.monotonic() - self._started

    @property
    def checked(self) -> int:
        """Number of outputs that were compared with the journal."""
        return sum(self.counts[state] for state in RECORDED_STATES)

    @property
    def problems(self) -> int:
        """Number of files with a problem."""
        return sum(self.counts[state] for state in PROBLEM_STATES)

    @property
    def exit_code(self) -> int:
        """0 if all files are intact, otherwise 1."""
        return 1 if self.problems else 0

    def _run(self, progress: Progress) -> None:
        progress.start()
        try:
            for file in self.verification.check_files():
                self.counts[file.state] += 1
                if file.state in self._listed:
                    self.files.append(file)
                if file.path in self.verification.recorded:
                    progress.advance()
        finally:
            progress.stop()

    def _progress_text(self, left: int) -> str:
        parts = []
        if left and self.counts:
            seconds = (time.monotonic() - self._started) / self.counts.total()
            parts.append(f"{duration(left * seconds)} left")
        if self.problems:
            parts.append(f"{self.problems:,} not intact")
        return " · ".join(parts)


def verification_lines(result: VerificationResult, verbosity: int = 0) -> Iterator[StyledLine]:
    """List each file with a problem, the numbers, and what to do.

    Parameters
    ----------
    result
        The result of a verification.
    verbosity
        -1 lists the files with a problem only.
    """
    for file in result.files:
        yield _file_line(file)
    if verbosity < 0:
        return
    yield _summary_line(result)
    verification = result.verification
    see_status = f"see `imgpool status {shlex.quote(short(verification.output, current_folder()))}`"
    if result.counts["absent"]:
        yield StyledLine(f"  {plural(result.counts['absent'], 'image')} failed and left no output: {see_status}")
    if verification.state in UNFINISHED_RUN_STATES:
        yield StyledLine(f"  the last run was {verification.state}: {see_status}")
    if verification.damage:
        yield StyledLine(f"  {damage_text(verification.damage)}", "yellow")
    for folder in verification.other_outputs:
        yield StyledLine(f"  {printable(folder)} was not checked: it is an output folder of its own")
    for line in _advice(result):
        yield StyledLine(f"  {line}")


def _file_line(file: CheckedFile) -> StyledLine:
    name = printable(file.path) or "."
    if file.state == "intact":
        return StyledLine(f"✓ {name} · intact")
    return StyledLine(f"✗ {name} · {file.state} · {with_options(file.reason)}", "red")


def _summary_line(result: VerificationResult) -> StyledLine:
    counts = result.counts
    parts = [f"{plural(result.checked, 'output')} checked", f"{counts['intact']:,} intact"]
    parts += [f"{counts[state]:,} {state}" for state in PROBLEM_STATES if counts[state]]
    mark, style = ("✗", "red") if result.problems else ("✓", "green")
    return StyledLine(f"{mark} {' · '.join(parts)} · {duration(result.seconds)}", style)


def _advice(result: VerificationResult) -> list[str]:
    """Return what to do about the problems that were found."""
    must_be_moved = any(file.state == "changed" and not file.rerun_restores for file in result.files)
    has_extra = result.counts["extra"] > 0
    applies = {
        RUN_AGAIN: any(file.rerun_restores for file in result.files),
        MOVE_FIRST: must_be_moved,
        STILL_OUTDATED: result.counts["outdated"] > 0,
        EXTRA_OF_UNFINISHED_RUN: has_extra and result.verification.may_have_unrecorded_outputs,
        CHECK_EXTRA: has_extra,
        MAKE_READABLE: result.counts["unreadable"] > 0,
    }
    return [advice for advice, is_needed in applies.items() if is_needed]


def verification_json(result: VerificationResult) -> dict[str, Any]:
    """Return the result as plain JSON values."""
    problems = {
        state: [{"path": file.path, "reason": file.reason} for file in result.files if file.state == state]
        for state in PROBLEM_STATES
    }
    return {
        "checked": result.checked,
        "intact": result.counts["intact"],
        **problems,
        "seconds": round(result.seconds, 3),
        "damaged_line": result.verification.damage.line if result.verification.damage else None,
        "output": result.verification.output,
    }
