"""Interface of engines: an engine runs a function over tasks and returns exactly one result for each."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from imgpool.core.errors import UsageError
from imgpool.core.task import Result, Task

Initializer = Callable[[], Any]
"""Called once in every worker; returns the state that its tasks share."""

Function = Callable[[Any, Task, int | None], Result]
"""Called for every task with the state, the task, and the bytes of memory that it may take (None for no limit)."""

StartMethod = Literal["fork", "forkserver", "spawn"]


class MemoryNeeded(Exception):  # noqa: N818 - a request to the engine, not an error
    """Raised by a function, before it allocates memory, when its task needs more than it was given.

    The engine calls the function again when that much memory is available.

    Parameters
    ----------
    nbytes
        Bytes that the task needs. None if unknown: the task then runs alone, without a limit.
    """

    def __init__(self, nbytes: int | None = None) -> None:
        super().__init__(nbytes)
        self.nbytes = nbytes


@dataclass(frozen=True, slots=True)
class RunMetrics:
    """Measurements of a run by its engine.

    Attributes
    ----------
    workers
        Processes that work at the same time.
    tasks, chunks
        Number done so far. A chunk is the tasks that a worker receives together.
    longest_chunk
        Number of tasks in the longest chunk.
    task_seconds
        Time spent in tasks, summed over all workers.
    cpu_seconds
        Part of ``task_seconds`` in which a processor computed.
    blocked_seconds
        Part of ``task_seconds`` spent waiting for disk or network. The rest was spent waiting for a processor.
    idle_seconds
        Time that workers spent between chunks: receiving the next one, or having nothing to do.
    dispatch_seconds
        Cost of handing over one chunk.
    setup_seconds
        From the start of the engine to the first task.
    peak_memory
        The most bytes that any one worker has held; 0 if unknown.
    reason
        Why this number of workers and this chunk length were chosen, as a sentence for users.
    """

    workers: int = 1
    tasks: int = 0
    chunks: int = 0
    longest_chunk: int = 0
    task_seconds: float = 0.0
    cpu_seconds: float = 0.0
    blocked_seconds: float = 0.0
    idle_seconds: float = 0.0
    dispatch_seconds: float = 0.0
    setup_seconds: float = 0.0
    peak_memory: int = 0
    reason: str = ""


def ignore_metrics(_metrics: RunMetrics) -> None:
    """Ignore the metrics: the default `EngineOptions.on_metrics`."""


def ignore_warning(_text: str) -> None:
    """Ignore a warning: the default `EngineOptions.on_warning`."""


def never_stop() -> bool:
    """Return False: the default `EngineOptions.should_stop`."""
    return False


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Options of a run.

    Attributes
    ----------
    workers
        Processes that work at the same time; at least 1.
    max_workers
        None to use exactly ``workers``. Otherwise the engine may use fewer if there is little to do, and up to
        ``max_workers`` if tasks mostly wait for disk or network.
    chunksize
        Tasks that a worker receives together, at least 1; None to let the engine choose.
    timeout
        Seconds that a task may take; None for no limit.
    timeout_per_byte
        Seconds added to ``timeout`` for each byte of the task's file.
    retries
        How often a task is tried again after its worker died or exceeded the time limit.
    memory
        Bytes that the data of all workers may take together; None for no limit.
    preload
        Modules to import before workers are started, where the start method allows it.
    start_method
        How worker processes are started.
    should_stop
        Called several times a second, in the parent process only. Once it returns True, no further task is started;
        tasks in progress still return their results.
    on_metrics
        Called with the metrics of the run when the engine chooses workers or a chunk size, and at the end; in the
        parent process only.
    fewer_workers
        Whether the engine may continue with fewer workers, or without any, if the system does not let all of them
        start. If not, it raises `WorkerError`.
    on_warning
        Called in the parent process with a sentence for users when the engine continues in another way than requested,
        for example with fewer workers because of a limit of the system.
    """

    workers: int = 1
    max_workers: int | None = None
    chunksize: int | None = None
    timeout: float | None = None
    timeout_per_byte: float = 0.0
    retries: int = 1
    memory: int | None = None
    preload: tuple[str, ...] = ()
    start_method: StartMethod = "forkserver"
    fewer_workers: bool = True
    should_stop: Callable[[], bool] = never_stop
    on_metrics: Callable[[RunMetrics], None] = ignore_metrics
    on_warning: Callable[[str], None] = ignore_warning

    def __post_init__(self) -> None:
        _require_at_least_one("workers", self.workers)
        _require_at_least_one("chunksize", self.chunksize)
        if self.max_workers is not None and self.max_workers < self.workers:
            raise UsageError("max_workers must not be less than workers", f"give {self.workers} or more")
        if self.timeout is not None and self.timeout <= 0:
            raise UsageError("timeout must be more than 0 s", "give a longer time, or none for no limit")


def _require_at_least_one(parameter: str, value: int | None) -> None:
    if value is not None and value < 1:
        raise UsageError(f"{parameter} must be at least 1", "give 1 or more")


class Engine(Protocol):
    """Runs a function over tasks, in this process or in others."""

    @property
    def name(self) -> str:
        """Name by which users choose the engine, such as "pool"."""

    @property
    def summary(self) -> str:
        """One line for the catalogue."""

    def run(
        self, tasks: Iterable[Task], function: Function, initializer: Initializer, options: EngineOptions
    ) -> Generator[Result, None, None]:
        """Yield exactly one result for every task, as they finish, in any order.

        Closing the generator ends the workers.

        Parameters
        ----------
        tasks
            They are started in this order and taken as they are needed, so there may be any number of them.
        function
            Called as ``function(state, task, memory)``; picklable. Whatever it raises becomes a failed result, except
            `MemoryNeeded`. ``memory`` is the number of bytes that this task may take; None for no limit.
        initializer
            Called once in every worker before its first task; picklable. It returns the ``state``.
        options
            Workers, chunk size, limits.

        Raises
        ------
        UsageError
            If the options are invalid.
        WorkerError
            If `initializer` raises.
        """
