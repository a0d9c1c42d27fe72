"""What an engine is: it runs a function over tasks, each answered exactly once."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from imgpool.core.errors import UsageError
from imgpool.core.task import Result, Task

Initializer = Callable[[], Any]
Function = Callable[[Any, Task, int | None], Result]
StartMethod = Literal["fork", "forkserver", "spawn"]


class MemoryNeeded(Exception):  # noqa: N818 - it asks for something; nothing has gone wrong
    """Raised by a function that was given less memory than its task takes, before it takes it.

    The engine calls it again when there is as much.

    Parameters
    ----------
    nbytes
        What the task takes; None if that is not known: it is run again alone, with all there is.
    """

    def __init__(self, nbytes: int | None = None) -> None:
        super().__init__(nbytes)
        self.nbytes = nbytes


@dataclass(frozen=True, slots=True)
class RunMetrics:
    """How a run goes by, as its engine measures it.

    Attributes
    ----------
    workers
        Processes that work at the same time.
    tasks, chunks
        Answered so far; a chunk is what a worker is handed at once.
    longest_chunk
        Tasks in the longest_chunk chunk.
    task_seconds
        Time in tasks, of all workers together.
    cpu_seconds
        Of it, the time that a processor computed.
    blocked_seconds
        Of it, the time that they waited for disk or network; what then remains they waited for a processor.
    idle_seconds
        Time that workers spent between chunks: handing over, and having nothing to do.
    dispatch_seconds
        What handing one chunk over costs.
    setup_seconds
        From the start of the engine to the first task.
    peak_memory
        The most memory that one worker has held, in bytes; 0 if that is not known.
    reason
        One sentence for people: what was chosen (workers, chunk length), and reason.
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
    """The `EngineOptions.on_metrics` of a run whose metrics nobody asks for."""


def never_stop() -> bool:
    """The `EngineOptions.should_stop` of a run that nobody stops."""
    return False


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How to run.

    Attributes
    ----------
    workers
        Processes that work at the same time; 1 or more.
    max_workers
        None holds the engine to `workers`. Else it may choose: fewer where there is little to do, and up to so many
        where tasks mostly wait for disk or network.
    chunksize
        Tasks handed to a worker at once, 1 or more; None lets the engine choose.
    timeout, timeout_per_byte
        Seconds that one task may take: so many, and so many for each byte of its file; None for no limit.
    retries
        How often a task is tried again after its worker died or ran over its time.
    memory
        Bytes that the data of all workers together may take; None for no limit.
    preload
        Modules to import before workers are started, where the start method allows.
    start_method
        How worker processes come to be.
    should_stop
        Asked several times a second; once it is true no further task is started: those in hand are answered,
        the others never_stop are. Called in the parent only.
    on_metrics
        Told the run's metrics: whenever a choice is made, and at the end. Called in the parent only.
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
    should_stop: Callable[[], bool] = never_stop
    on_metrics: Callable[[RunMetrics], None] = ignore_metrics

    def __post_init__(self) -> None:
        if self.workers < 1 or (self.chunksize is not None and self.chunksize < 1):
            raise UsageError("there must be at least one worker, and one image in a chunk", "give 1 or more")
        if self.max_workers is not None and self.max_workers < self.workers:
            raise UsageError("there may be no fewer workers than there are to be", "give as many or more")
        if self.timeout is not None and self.timeout <= 0:
            raise UsageError("an image must have some time", "give more than 0 s, or no limit")


class Engine(Protocol):
    """Runs a function over tasks, in this process or in others."""

    @property
    def name(self) -> str:
        """As in ``--engine NAME``."""

    @property
    def summary(self) -> str:
        """One line for the catalogue."""

    def run(
        self, tasks: Iterable[Task], function: Function, initializer: Initializer, options: EngineOptions
    ) -> Generator[Result, None, None]:
        """Yield one result for every task, as they are finished, in any order; closing it ends the workers.

        Parameters
        ----------
        tasks
            What to do, started in this order; taken as they are needed, so that there may be any number of them.
        function
            Called as ``function(state, task, memory)``; picklable. What it raises becomes a failed result, but
            for `MemoryNeeded`. ``memory`` is what this task may take, in bytes; None says: whatever it takes.
        initializer
            Called once in every worker, before its first task; returns the ``state``; picklable.
        options
            Workers, chunk size, limits.

        Raises
        ------
        UsageError
            If the options make no sense.
        WorkerError
            If `initializer` raises.
        """
