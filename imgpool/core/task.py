"""The data that cross process boundaries: a `Task` goes to a worker, a `Result` comes back.

Both consist of numbers and strings only, never of pixels or exception objects.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal

Stage = Literal["read", "filter", "write", "worker"]
Status = Literal["done", "skipped", "failed"]
IfExists = Literal["fail", "skip", "replace"]


@dataclass(frozen=True, slots=True)
class ExistingTarget:
    """What is known of the file that existed at a target when the run was planned.

    Attributes
    ----------
    sources
        SHA-256, in hexadecimal, of every result that imgpool is proved to have put there, with its source.
    up_to_date
        SHA-256 of the result that would make the task done; empty if no file would. A worker hashes the file first,
        and skips the task if it is equal.
    interrupted
        Whether an interrupted run had this target: it may have left a file that is empty or holds zero bytes only.
    """

    sources: Mapping[str, str] = field(default_factory=dict, hash=False)
    up_to_date: str = ""
    interrupted: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as a plain call, as `Task` does."""
        return ExistingTarget, (dict(self.sources), self.up_to_date, self.interrupted)


@dataclass(frozen=True, slots=True)
class Task:
    """One image to process.

    Attributes
    ----------
    source, target
        Absolute paths; bytes that are not UTF-8 are represented by surrogates (PEP 383).
    size, mtime_ns
        Size in bytes and modification time of the source when the run was planned.
    existing
        What is known of the file at the target; None if there was none, or nothing is known of it.
    """

    source: str
    target: str
    size: int
    mtime_ns: int
    existing: ExistingTarget | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as a plain call, which takes half the time of pickling field by field."""
        if self.existing is None:
            return Task, (self.source, self.target, self.size, self.mtime_ns)
        return Task, (self.source, self.target, self.size, self.mtime_ns, self.existing)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one image failed.

    Attributes
    ----------
    stage
        Where it happened; "worker" if the process died or exceeded the time limit.
    error
        Name of the exception class or of the signal.
    message, hint
        One sentence that says what is wrong, and what to do about it.
    traceback
        Traceback as text; empty if there is none.
    """

    stage: Stage
    error: str
    message: str
    hint: str = ""
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a task.

    Attributes
    ----------
    task
        The task; its size and modification time are those of the source when it was read.
    status
        "done", "skipped" or "failed".
    failure
        Set if and only if the status is "failed".
    seconds
        Time per stage: "read", "filter", "write".
    step_seconds
        Time per step of the recipe; 0 for a step that was done by reading a part of the file.
    shape, dtype, axes
        Shape, dtype and axes of the pixels of the output.
    written
        Size of the output file in bytes.
    sha256
        SHA-256 of the output file, in hexadecimal.
    source_hash
        XXH3 hash of the bytes of the source.
    lost
        What the output format could not store ("pixel_size", "exif", …).
    pid
        Id of the process that ran the task.
    attempt
        1 for the first attempt.
    finished
        When the result was ready, in seconds of `time.monotonic`, whose zero all processes of a machine share;
        0.0 if unknown. Not part of the journal.
    """

    task: Task
    status: Status
    failure: Failure | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    step_seconds: tuple[float, ...] = ()
    shape: tuple[int, ...] = ()
    dtype: str = ""
    axes: str = ""
    written: int = 0
    sha256: str = ""
    source_hash: str = ""
    lost: tuple[str, ...] = ()
    pid: int = 0
    attempt: int = 1
    finished: float = 0.0

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as a plain call, as `Task` does."""
        return Result, _fields(self)


_fields = attrgetter(*Result.__slots__)
