"""The methods of a bare `multiprocessing.Pool`, on the same images with the same function.

Each runs in a process of its own with a limit of time: where a worker dies, a bare pool waits for ever.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.pool import Pool

from imgpool.compare.timeline import most_waiting
from imgpool.core.engine import EngineOptions
from imgpool.core.task import Result, Task
from imgpool.system.heap import keep_freed_memory
from imgpool.system.processes import (
    clean_start,
    import_modules,
    kill_group,
    kill_own_group,
    on_parent_exit,
    start,
    start_process_group,
)
from imgpool.system.threads import use_one_thread
from imgpool.work.process_file import Job, WorkerState, load_worker_state, process_file


@dataclass(frozen=True, slots=True)
class PoolMethod:
    """A way to have a pool do tasks.

    Attributes
    ----------
    name
        Of the pool's method.
    chunksize
        As the method takes it; None for its own default.
    """

    name: str
    chunksize: int | None = None


@dataclass(frozen=True, slots=True)
class PoolMethodTiming:
    """What a method took.

    Attributes
    ----------
    method
        Which.
    seconds, first
        Until the last and until the first result was handed over, from before the pool was there.
    waiting
        The most results that were finished and not yet handed over.
    results
        All of them.
    """

    method: PoolMethod
    seconds: float
    first: float
    waiting: int
    results: tuple[Result, ...]


SubmitTasks = Callable[[Pool, Sequence[Task], int | None], Iterator[Result]]

_workshop: WorkerState


def _set_up(job: Job) -> None:
    global _workshop  # noqa: PLW0603 - a pool's initializer can leave its work nowhere else
    use_one_thread()
    keep_freed_memory()
    _workshop = load_worker_state(job)


def _work(task: Task) -> Result:
    return process_file(_workshop, task)


def _map(pool: Pool, tasks: Sequence[Task], chunksize: int | None) -> Iterator[Result]:
    yield from pool.map(_work, tasks, chunksize)


def _imap(pool: Pool, tasks: Sequence[Task], chunksize: int | None) -> Iterator[Result]:
    yield from pool.imap(_work, tasks, chunksize or 1)


def _imap_unordered(pool: Pool, tasks: Sequence[Task], chunksize: int | None) -> Iterator[Result]:
    yield from pool.imap_unordered(_work, tasks, chunksize or 1)


def _apply_async(pool: Pool, tasks: Sequence[Task], _: int | None) -> Iterator[Result]:
    pending = [pool.apply_async(_work, (task,)) for task in tasks]
    for answer in pending:
        yield answer.get()


METHODS: dict[str, SubmitTasks] = {
    "map": _map,
    "imap": _imap,
    "imap_unordered": _imap_unordered,
    "apply_async": _apply_async,
}


def time_method(
    method: PoolMethod, tasks: Sequence[Task], job: Job, options: EngineOptions, patience: float
) -> PoolMethodTiming | None:
    """Run the tasks; None if that takes longer than `patience` seconds, or its process dies.

    Parameters
    ----------
    method
        How.
    tasks, job
        What.
    options
        Of an engine; those that a bare pool has count.
    patience
        In seconds.
    """
    context = multiprocessing.get_context(options.start_method)
    receiver, sender = context.Pipe(duplex=False)
    started = time.monotonic()
    arguments = (method, tasks, job, options.workers, options.preload, sender)
    child = context.Process(target=_time, args=arguments)  # type: ignore[attr-defined]
    with receiver, clean_start(forked=options.start_method == "fork"):
        with sender:
            start(child, options.start_method)
        try:
            handed_over = receiver.recv() if receiver.poll(patience) else None
        except EOFError:
            handed_over = None
        finally:
            kill_group(child)
            child.join()
            child.close()
    return _summed_up(method, handed_over, started) if handed_over else None


def _summed_up(method: PoolMethod, handed_over: Sequence[tuple[Result, float]], started: float) -> PoolMethodTiming:
    moments = [moment for _, moment in handed_over]
    waiting = most_waiting([(result.finished or moment, moment) for result, moment in handed_over])
    results = tuple(result for result, _ in handed_over)
    return PoolMethodTiming(method, max(moments) - started, min(moments) - started, waiting, results)


def _time(
    method: PoolMethod, tasks: Sequence[Task], job: Job, workers: int, preload: Sequence[str], sender: Connection
) -> None:
    """Send every result with the moment at which it was handed over."""
    start_process_group()
    import_modules(preload)
    use_one_thread()  # and OpenCV keeps no thread that a fork would miss
    forks = "fork" in multiprocessing.get_all_start_methods()
    with multiprocessing.get_context("fork" if forks else "spawn").Pool(workers, partial(_set_up, job)) as pool:
        on_parent_exit(kill_own_group)
        ask = METHODS[method.name]
        sender.send([(result, time.monotonic()) for result in ask(pool, tasks, method.chunksize)])
