"""All that ever crosses a process border: a task goes out, a result comes back.

Both hold numbers and strings only: never pixels, never an exception object.
"""

from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal

Stage = Literal["read", "filter", "write", "worker"]
Status = Literal["done", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class Task:
    """One image to process.

    Attributes
    ----------
    source, target
        Absolute paths; bytes that are not UTF-8 are kept as surrogates (PEP 383).
    size, mtime_ns
        Bytes and modification time of the source when it was planned.
    """

    source: str
    target: str
    size: int
    mtime_ns: int

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle: half the time that it takes with field by field."""
        return Task, (self.source, self.target, self.size, self.mtime_ns)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one image failed.

    Attributes
    ----------
    stage
        Where it happened; "worker" when the process died or ran over its time.
    error
        The name of the exception class, or of the signal.
    message, hint
        One sentence on what is wrong, and what to do about it.
    traceback
        For ``-v``.
    """

    stage: Stage
    error: str
    message: str
    hint: str = ""
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a task.

    Attributes
    ----------
    task
        The task this answers.
    status
        "done", "skipped" or "failed".
    failure
        Set if and only if the status is "failed".
    seconds
        Time by stage: "read", "filter", "write".
    step_seconds
        Time of each of the recipe's steps; 0 for one that was done by reading a part of the file.
    shape, dtype, axes
        Of the output's pixels.
    written
        The output's size in bytes.
    sha256
        Of the output file, in hexadecimal.
    source_hash
        What the source's bytes are known by (XXH3).
    lost
        What the output format could not keep ("pixel_size", "exif", …).
    pid
        The process that did it.
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
        """For pickle, as of `Task`."""
        return Result, _fields(self)


_fields = attrgetter(*Result.__slots__)
