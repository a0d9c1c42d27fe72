"""What an engine is: it runs a function over tasks, each answered exactly once."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from imgpool.core.task import Result, Task

Initializer = Callable[[], Any]
Function = Callable[[Any, Task], Result]
StartMethod = Literal["fork", "forkserver", "spawn"]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How to run.

    Attributes
    ----------
    workers
        Processes that work at the same time; 1 or more.
    chunksize
        Tasks handed to a worker at once; None lets the engine choose.
    timeout
        Seconds that one task may take; None for no limit.
    retries
        How often a task is tried again after its worker died or ran over its time.
    worker_memory
        Bytes that one worker's data may take beyond what it holds when set up; None for no limit.
    preload
        Modules to import before workers are started, where the start method allows.
    start_method
        How worker processes come to be.
    """

    workers: int = 1
    chunksize: int | None = None
    timeout: float | None = None
    retries: int = 1
    worker_memory: int | None = None
    preload: tuple[str, ...] = ()
    start_method: StartMethod = "forkserver"


class Engine(Protocol):
    """Runs a function over tasks, in this process or in others."""

    @property
    def name(self) -> str:
        """As in ``--engine NAME``."""

    @property
    def summary(self) -> str:
        """One line for the catalogue."""

    def run(
        self, tasks: Sequence[Task], function: Function, initializer: Initializer, options: EngineOptions
    ) -> Generator[Result, None, None]:
        """Yield one result for every task, as they are finished, in any order; closing it ends the workers.

        Parameters
        ----------
        tasks
            What to do; started in this order.
        function
            Called as ``function(state, task)``; picklable. What it raises becomes a failed result.
        initializer
            Called once in every worker, before its first task; returns the ``state``; picklable.
        options
            Workers, chunk size, limits.

        Raises
        ------
        WorkerError
            If `initializer` raises.
        """
