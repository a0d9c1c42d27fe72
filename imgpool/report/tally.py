"""Counting: what a run did, for the summary, the JSON object and the exit code."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol

from imgpool.core.task import Result
from imgpool.report.hints import with_options


class Counts(Protocol):
    """What became of the images of a run, in numbers: of one in this process, or of another as its journal tells."""

    @property
    def done(self) -> int:
        """Images done by this run."""

    @property
    def failed(self) -> int:
        """Images that failed, and folders that could not be listed."""

    @property
    def skipped(self) -> int:
        """Images that were done before this run."""

    @property
    def left(self) -> int:
        """Images that this run has not come to."""

    @property
    def lost(self) -> Counter[str]:
        """How many outputs could not keep something ("pixel_size", …)."""

    @property
    def seconds(self) -> float:
        """How long the run has taken."""

    @property
    def rate(self) -> float:
        """Images a second; 0 as long as that cannot be told."""


@dataclass(slots=True)
class Tally:
    """What became of the images so far.

    Attributes
    ----------
    found
        Images in the inputs, and folders of theirs that could not be listed.
    failures
        The failed results, in the order in which they came.
    lost
        How often an output could not keep something ("pixel_size", …).
    """

    found: int
    done: int = 0
    skipped: int = 0
    failures: list[Result] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.monotonic)

    def add(self, result: Result) -> None:
        """Count one result."""
        if result.status == "done":
            self.done += 1
            self.lost.update(result.lost)
        elif result.status == "skipped":
            self.skipped += 1
        else:
            self.failures.append(result)

    @property
    def failed(self) -> int:
        """The number of failures."""
        return len(self.failures)

    @property
    def left(self) -> int:
        """Images without a result yet."""
        return max(0, self.found - self.done - self.skipped - self.failed)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.started

    @property
    def rate(self) -> float:
        """Images a second."""
        return (self.done + self.failed) / self.seconds if self.seconds else 0.0

    @property
    def exit_code(self) -> int:
        """0 if nothing failed, else 1."""
        return 1 if self.failures else 0

    def as_dict(self) -> dict[str, Any]:
        """The counts and failures as plain JSON values."""
        return {
            "found": self.found,
            "done": self.done,
            "skipped": self.skipped,
            "failed": self.failed,
            "left": self.left,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.rate, 2),
            "failures": [failure_json(result) for result in self.failures],
        }


def failure_json(result: Result) -> dict[str, str]:
    """A failed result as plain JSON values."""
    failure = result.failure
    assert failure is not None
    return {
        "source": result.task.source,
        "stage": failure.stage,
        "error": failure.error,
        "message": with_options(f"{failure.message}: {failure.hint}" if failure.hint else failure.message),
    }
