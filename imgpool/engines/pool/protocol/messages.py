"""What travels between the parent, the host of a pool, and its workers: numbers and strings only."""

import enum
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from imgpool.core.errors import ImgpoolError, WorkerError
from imgpool.core.task import Task
from imgpool.engines.pool.host.chunk_length import Load

Numbered = tuple[int, Task]
"""A task with its index in the run."""

Chunk = Sequence[Numbered]
"""Tasks that one worker is handed at once."""


class Command(enum.Enum):
    """From the parent to the host, at any time."""

    STOP = "start no further task, answer those in hand, and end"
    ABANDON = "end at once"


@dataclass(frozen=True, slots=True)
class Batch:
    """From the parent to the host: tasks to do.

    Attributes
    ----------
    tasks
        In the order in which they are started.
    suspects
        Tasks that took a worker with them before: each is a chunk of its own, after all others.
    loners
        Those of them that may have done so for want of memory: each runs while nothing else does.
    last
        Whether no further batch follows.
    beyond
        What will follow in further batches; None if that is not known.
    """

    tasks: Chunk
    suspects: Chunk = ()
    loners: Chunk = ()
    last: bool = False
    beyond: Load | None = None

    @property
    def count(self) -> int:
        """The number of tasks."""
        return len(self.tasks) + len(self.suspects) + len(self.loners)


@dataclass(frozen=True, slots=True)
class ChunkAssignment:
    """From the host to a worker: a chunk to do.

    Attributes
    ----------
    slot
        The chunk's place among the claims.
    memory
        Bytes that each of its tasks may take; None for all there is.
    chunk
        The tasks.
    """

    slot: int
    memory: int | None
    chunk: Chunk


class Timing(NamedTuple):
    """What a chunk took.

    Attributes
    ----------
    tasks, nbytes
        That were answered, and the size of their files.
    seconds
        From the first task to the last.
    cpu_seconds, queued_seconds
        Of it, the time that a processor computed, and the time that it had other things to do.
    waited
        From the chunk before, or the worker's start, to this one.
    peak
        The most memory that the worker has held, in bytes; 0 if that is not known.
    """

    tasks: int = 0
    nbytes: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    queued_seconds: float = 0.0
    waited: float = 0.0
    peak: int = 0

    @property
    def load(self) -> Load:
        """What was answered."""
        return Load(self.tasks, self.nbytes)

    @property
    def net_seconds(self) -> float:
        """The time that it would have taken had a processor always been free."""
        return max(0.0, self.seconds - self.queued_seconds)


NOTHING_DONE = Timing()


@dataclass(frozen=True, slots=True)
class ChunkPolicy:
    """How chunks are handed out now.

    Attributes
    ----------
    length
        Tasks in a chunk, while there is plenty to do.
    task_seconds
        What one of them takes.
    dispatch_seconds
        What handing a chunk over costs.
    at_once
        Chunks that memory lets run at the same time, where workers are idle for it; 0 where none is.
    """

    length: int
    task_seconds: float
    dispatch_seconds: float
    at_once: int = 0


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """From a worker: a chunk that has come back, done or not.

    Attributes
    ----------
    slot
        As in the ticket.
    results
        Of the tasks that are done or have failed the indices and results, pickled: the host only hands them on.
    deferred
        Tasks that need more memory than they were given, with the bytes that they need, as far as that is known.
    rest
        Tasks that were not begun, for the chunk takes long and its answers are wanted.
    timing
        What it took.
    choice
        What the host has chosen since it last told; added on the way to the parent.
    """

    slot: int
    results: bytes
    deferred: list[tuple[Numbered, int | None]]
    rest: Chunk = ()
    timing: Timing = NOTHING_DONE
    choice: ChunkPolicy | None = None


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """Of a worker.

    Attributes
    ----------
    error
        The signal that ended it, its exit code, or "TimeoutError".
    index
        The task it was working on; None if it had none in hand.
    peak
        The most memory it ever held, in bytes; 0 if that is not known.
    """

    error: str
    index: int | None
    peak: int = 0


@dataclass(frozen=True, slots=True)
class PoolCrashed:
    """Of a whole pool, with the host that it lived in.

    Attributes
    ----------
    error
        The signal that ended the host, or its exit code.
    indices
        The tasks that its workers had in hand.
    """

    error: str
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SetupFailure:
    """What the initializer raised."""

    message: str
    hint: str
    traceback: str

    @classmethod
    def of(cls, error: BaseException) -> "SetupFailure":
        """The same in strings."""
        meant_for_people = isinstance(error, ImgpoolError)
        message, hint = describe(error)
        return cls(message if meant_for_people else f"{type(error).__name__}: {message}", hint, trace(error))

    def as_error(self) -> WorkerError:
        """The error to raise, the worker's traceback in its notes."""
        error = WorkerError(self.message, self.hint)
        error.add_note(self.traceback)
        return error


def describe(error: BaseException) -> tuple[str, str]:
    """Message and hint."""
    if isinstance(error, ImgpoolError):
        return error.message, error.hint
    try:
        return str(error) or type(error).__name__, ""
    except BaseException:  # noqa: BLE001 - an exception's text is code as well
        return type(error).__name__, ""


def trace(error: BaseException) -> str:
    """The traceback as text."""
    try:
        return "".join(traceback.format_exception(error))
    except BaseException:  # noqa: BLE001 - as above
        return type(error).__name__
