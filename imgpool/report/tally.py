"""Counts of a run, for the progress display, the summary, the JSON object and the exit code."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from imgpool.core.task import Result
from imgpool.report.hints import with_options


class Counts(Protocol):
    """The counts of a run: of this process (`Tally`), or from the journal (`imgpool.output.status.Status`)."""

    @property
    def done(self) -> int:
        """Number of images done by this run."""

    @property
    def failed(self) -> int:
        """Number of images that failed and of folders that could not be listed."""

    @property
    def skipped(self) -> int:
        """Number of images that were done before this run."""

    @property
    def left(self) -> int:
        """Number of images that this run has not processed yet."""

    @property
    def lost(self) -> Counter[str]:
        """Number of outputs that lack some metadata of their source, by its kind ("pixel_size", …)."""

    @property
    def seconds(self) -> float:
        """Duration of the run so far, in seconds."""

    @property
    def rate(self) -> float:
        """Images per second; 0 if unknown."""


@dataclass(slots=True)
class Tally:
    """Counts the results of a run in this process.

    Attributes
    ----------
    found
        Number of images in the inputs and of folders that could not be listed.
    done, skipped
        Number of images with this status.
    failures
        The failed results, in the order in which they arrived.
    lost
        Number of outputs that lack some metadata of their source, by its kind ("pixel_size", …).
    clock
        Returns the time in seconds.
    started
        When the run started, by the clock.
    """

    found: int
    done: int = 0
    skipped: int = 0
    failures: list[Result] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)
    clock: Callable[[], float] = time.monotonic
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

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
        """Number of failures."""
        return len(self.failures)

    @property
    def left(self) -> int:
        """Number of images without a result."""
        return max(0, self.found - self.done - self.skipped - self.failed)

    @property
    def seconds(self) -> float:
        """Time since the start, in seconds."""
        return self.clock() - self.started

    @property
    def rate(self) -> float:
        """Images per second."""
        return (self.done + self.failed) / self.seconds if self.seconds else 0.0

    @property
    def exit_code(self) -> int:
        """0 if nothing failed, otherwise 1."""
        return 1 if self.failures else 0

    def as_dict(self) -> dict[str, Any]:
        """Return counts and failures as plain JSON values."""
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
    """Return a failed result as plain JSON values."""
    failure = result.failure
    assert failure is not None
    return {
        "source": result.task.source,
        "stage": failure.stage,
        "error": failure.error,
        "message": with_options(f"{failure.message}: {failure.hint}" if failure.hint else failure.message),
    }
