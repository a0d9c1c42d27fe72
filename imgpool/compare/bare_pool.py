"""The methods of a bare `multiprocessing.Pool`, timed on the same images with the same function.

Each method runs in a process of its own with a time limit, because a bare pool waits forever if a worker dies.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.pool import Pool

from imgpool.compare.timeline import max_waiting
from imgpool.core.engine import StartMethod
from imgpool.core.task import Result, Task
from imgpool.system.child_process import (
    become_group_leader,
    end_with_parent,
    import_modules,
    kill_own_group,
    on_parent_exit,
    prepare_to_compute,
)
from imgpool.system.processes import clean_start, kill_group, start
from imgpool.system.temporary import marked_socket_folder
from imgpool.system.threads import use_one_thread
from imgpool.work.process_file import Job, WorkerState, load_worker_state, process_file

POOL_EXIT_TIMEOUT_S = 5.0
"""Time that a pool of spawned workers has to end by itself."""


@dataclass(frozen=True, slots=True)
class PoolMethod:
    """A method of `multiprocessing.Pool`.

    Attributes
    ----------
    name
        One of `METHODS`.
    chunksize
        Argument for the method; None for its own default.
    """

    name: str
    chunksize: int | None = None


@dataclass(frozen=True, slots=True)
class PoolMethodTiming:
    """Times and results of a method.

    Attributes
    ----------
    method
        The method.
    seconds, first_result_seconds
        From before the pool was created until the last result was handed over, and until the first one was.
    max_waiting
        Largest number of results that were finished but not yet handed over.
    results
        Every result.
    """

    method: PoolMethod
    seconds: float
    first_result_seconds: float
    max_waiting: int
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class PoolRun:
    """A run of a bare pool.

    Attributes
    ----------
    method
        The method to call.
    tasks, job
        The images to process, and what every worker needs for that.
    workers
        Number of worker processes.
    preload
        Modules to import before the pool is created.
    """

    method: PoolMethod
    tasks: Sequence[Task]
    job: Job
    workers: int
    preload: Sequence[str]


def time_method(run: PoolRun, start_method: StartMethod, timeout: float) -> PoolMethodTiming | None:
    """Run a method in a process of its own.

    Parameters
    ----------
    run
        Method, images and number of workers.
    start_method
        How the process is started.
    timeout
        Seconds after which the process is killed.

    Returns
    -------
    PoolMethodTiming or None
        None if the process died or did not finish in time.
    """
    context = multiprocessing.get_context(start_method)
    if start_method == "forkserver":
        marked_socket_folder()  # the processes of the pool use it too, and are killed
    receiver, sender = context.Pipe(duplex=False)
    started = time.monotonic()
    child = context.Process(target=_run_pool, args=(run, sender))  # type: ignore[attr-defined]
    with receiver, clean_start(forked=start_method == "fork"):
        with sender:
            start(child, start_method)
        try:
            handed_over = receiver.recv() if receiver.poll(timeout) else None
            if handed_over and start_method == "spawn":  # spawned workers have semaphores to be removed
                child.join(POOL_EXIT_TIMEOUT_S)
        except EOFError:
            handed_over = None
        finally:
            kill_group(child)
            child.join()
            child.close()
    return _summarize(run.method, handed_over, started) if handed_over else None


def _summarize(method: PoolMethod, handed_over: Sequence[tuple[Result, float]], started: float) -> PoolMethodTiming:
    times = [handed_over_at for _, handed_over_at in handed_over]
    return PoolMethodTiming(
        method,
        seconds=max(times) - started,
        first_result_seconds=min(times) - started,
        max_waiting=max_waiting([(result.finished or at, at) for result, at in handed_over]),
        results=tuple(result for result, _ in handed_over),
    )


def _run_pool(run: PoolRun, sender: Connection) -> None:
    """Process the tasks, and send every result with the time at which it was handed over."""
    become_group_leader()
    import_modules(run.preload)
    use_one_thread()  # also so that OpenCV has no thread that would be missing after a fork
    worker_start_method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    with multiprocessing.get_context(worker_start_method).Pool(run.workers, partial(_initialize, run.job)) as pool:
        on_parent_exit(kill_own_group)
        results = METHODS[run.method.name](pool, run.tasks, run.method.chunksize)
        sender.send([(result, time.monotonic()) for result in results])


_state: WorkerState


def _initialize(job: Job) -> None:
    global _state  # noqa: PLW0603 - a pool's initializer can pass its result to the tasks in no other way
    end_with_parent()
    prepare_to_compute()
    _state = load_worker_state(job)


def _process(task: Task) -> Result:
    return process_file(_state, task)


def _map(pool: Pool, tasks: Sequence[Task], chunksize: int | None) -> Iterator[Result]:
    yield from pool.map(_process, tasks, chunksize)


def _imap(pool: Pool, tasks: Sequence[Task], chunksize: int | None) -> Iterator[Result]:
    yield from pool.imap(_process, tasks, chunksize or 1)


def _imap_unordered(pool: Pool, tasks: Sequence[Task], chunksize: int | None) -> Iterator[Result]:
    yield from pool.imap_unordered(_process, tasks, chunksize or 1)


def _apply_async(pool: Pool, tasks: Sequence[Task], _chunksize: int | None) -> Iterator[Result]:
    pending = [pool.apply_async(_process, (task,)) for task in tasks]
    for result in pending:
        yield result.get()


RunTasks = Callable[[Pool, Sequence[Task], int | None], Iterator[Result]]

METHODS: dict[str, RunTasks] = {
    "map": _map,
    "imap": _imap,
    "imap_unordered": _imap_unordered,
    "apply_async": _apply_async,
}
