"""Configuration of a host and its workers. It stays the same for all tasks of a pool."""

from dataclasses import dataclass

from imgpool.core.task import Task


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """Configuration of all workers of a pool.

    Attributes
    ----------
    workers
        How many workers there are. A worker with a higher number replaces one that died; it gets no work, because the
        host is about to discard the pool.
    payload
        Function and initializer, pickled. What they import is imported in the worker, and fails there.
    timeout, timeout_per_byte, memory
        As in `imgpool.core.engine.EngineOptions`.
    """

    workers: int
    payload: bytes
    timeout: float | None
    timeout_per_byte: float
    memory: int | None

    def time_limit(self, task: Task) -> float:
        """Return the seconds that a task may take; 0 for no limit."""
        return 0.0 if self.timeout is None else self.timeout + self.timeout_per_byte * task.size


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """Configuration of a host.

    Attributes
    ----------
    worker
        Configuration of its workers.
    chunksize, preload
        As in `imgpool.core.engine.EngineOptions`.
    start_method
        How the host starts its workers: "fork" or "spawn".
    """

    worker: WorkerConfig
    chunksize: int | None
    preload: tuple[str, ...]
    start_method: str


@dataclass(frozen=True, slots=True)
class EarlyCall:
    """Announces a function that a prefork host calls before it receives its configuration.

    The host answers once it has stopped importing. Only then is the function sent, as pickled bytes: it can be larger
    than what a connection takes in before the other end reads.

    Attributes
    ----------
    memory
        Bytes that the function may allocate.
    """

    memory: int
