"""Messages between the parent, the host and the workers of a pool."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from imgpool.core.task import Task
from imgpool.engines.shared.timing import Timing
from imgpool.engines.shared.workload import Workload

NumberedTask = tuple[int, Task]
"""A task with its index in the run."""

Chunk = Sequence[NumberedTask]
"""Tasks that a worker receives together."""

MAX_CHUNK_TASKS = 128
"""The most tasks in a chunk whose length the engine chooses. Their results fit into a pipe's buffer."""

NOTHING_DONE = Timing()


class Command(enum.Enum):
    """Parent to host, at any time."""

    STOP = "start no further task, return the results of those in progress, and exit"
    ABANDON = "exit at once"


@dataclass(frozen=True, slots=True)
class Batch:
    """Parent to host: tasks to do.

    Attributes
    ----------
    tasks
        In the order in which they are started.
    suspects
        Tasks that may have killed a worker: each is a chunk of its own, after all other tasks.
    run_alone
        Suspects that may have done so by taking too much memory: each runs while no other task does.
    last
        Whether no further batch follows.
    upcoming
        Workload of the batches that follow; None if unknown.
    """

    tasks: Chunk
    suspects: Chunk = ()
    run_alone: Chunk = ()
    last: bool = False
    upcoming: Workload | None = None

    @property
    def count(self) -> int:
        """The number of tasks."""
        return len(self.tasks) + len(self.suspects) + len(self.run_alone)


@dataclass(frozen=True, slots=True)
class ChunkAssignment:
    """Host to worker: a chunk to do.

    Attributes
    ----------
    slot
        Where in the claims the worker states what it is working on.
    memory
        Bytes that each of the tasks may take; None for no limit.
    chunk
        The tasks.
    """

    slot: int
    memory: int | None
    chunk: Chunk


@dataclass(frozen=True, slots=True)
class ChunkPolicy:
    """How the host forms chunks now.

    Attributes
    ----------
    length
        Tasks per chunk, while many tasks are left.
    task_seconds
        Estimated duration of one of them.
    dispatch_seconds
        Cost of handing over a chunk.
    memory_limited_workers
        Workers that can run at the same time, where memory keeps others idle; 0 where it does not.
    """

    length: int
    task_seconds: float
    dispatch_seconds: float
    memory_limited_workers: int = 0


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """Worker to host, and host to parent: a chunk that has come back, complete or not.

    Attributes
    ----------
    slot
        As in the assignment.
    results
        Indices and results of the tasks that are done or failed, pickled: the host passes them on unread.
    deferred
        Tasks that need more memory than they were given, with the bytes they need, or None if unknown.
    unstarted
        Tasks that were not started, because the chunk has taken too long or the workers have been asked to stop.
    timing
        Measurements of the chunk.
    policy
        Set by the host when it has changed how it forms chunks.
    """

    slot: int
    results: bytes
    deferred: list[tuple[NumberedTask, int | None]]
    unstarted: Chunk = ()
    timing: Timing = NOTHING_DONE
    policy: ChunkPolicy | None = None


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """Host to parent: a worker has died, and the host is about to exit.

    Attributes
    ----------
    error
        The signal that ended it, its exit code, "TimeoutError", or "while starting".
    index
        The task it was working on; None if it was idle.
    peak_memory
        The most bytes that it held; 0 if unknown.
    """

    error: str
    index: int | None
    peak_memory: int = 0


@dataclass(frozen=True, slots=True)
class PoolCrashed:
    """Created by the parent itself: the host has died, and all its workers were killed.

    Attributes
    ----------
    error
        The signal that ended the host, or its exit code.
    indices
        The tasks that its workers were working on.
    """

    error: str
    indices: tuple[int, ...]
