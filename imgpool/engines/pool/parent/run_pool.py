"""Main loop of the pool engine: rounds of tasks, each round in a host process of its own."""

import pickle
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace

from imgpool.core.engine import EngineOptions, Function, Initializer, StartMethod
from imgpool.core.task import Result, Task
from imgpool.engines.pool.parent.host_process import POLL_INTERVAL_S, HostProcess
from imgpool.engines.pool.parent.run_in_parent import run_in_parent
from imgpool.engines.pool.parent.run_monitor import RunMonitor
from imgpool.engines.pool.parent.task_tracker import TaskTracker
from imgpool.engines.pool.parent.worker_count import WorkerCount, initial_workers
from imgpool.engines.pool.protocol.claims import SLOTS_PER_WORKER
from imgpool.engines.pool.protocol.config import PoolConfig, WorkerConfig
from imgpool.engines.pool.protocol.messages import MAX_CHUNK_TASKS, ChunkResult, Command, PoolCrashed, WorkerDied
from imgpool.engines.shared.errors import SetupFailure
from imgpool.engines.shared.workload import Workload
from imgpool.system.start_errors import StartError, continuing
from imgpool.system.start_methods import max_pool_workers, supported_start_method

WINDOW_CHUNKS_PER_SLOT = 3
"""Tasks that a host is given in advance, as a multiple of those in chunks under way."""

NO_WORKERS = "without workers, one image after another, without limits on time and memory"

HostMessage = ChunkResult | WorkerDied | PoolCrashed | SetupFailure | None


def run_pool(
    tasks: Iterable[Task], function: Function, initializer: Initializer, options: EngineOptions
) -> Generator[Result, None, None]:
    """Yield one result for every task, as they finish; see `imgpool.core.engine.Engine.run`.

    Raises
    ------
    WorkerError
        If `initializer` raises, or workers die again and again without finishing anything.
    """
    payload = pickle.dumps((function, initializer))
    options = _supported_options(options)
    start_method = options.start_method
    workload = Workload.of(tasks) if isinstance(tasks, Sequence) else None
    monitor = RunMonitor(options, initial_workers(options, workload))
    tracker = TaskTracker(tasks, options, task_window(options, monitor.workers.count))
    while not options.should_stop() and (batch := tracker.start_round()):
        config = _pool_config(options, payload, start_method, min(monitor.workers.count, batch.count))
        try:
            with HostProcess(config, start_method) as host:
                host.send(batch)
                yield from _run_round(host, tracker, monitor, options)
        except StartError as error:
            if not options.fewer_workers:
                raise
            tracker.return_tasks()
            workers = config.worker.workers // 2 if error.fewer_may_start else 0
            options.on_warning(_fallback_warning(config.worker.workers, workers, error))
            monitor.limit_workers(WorkerCount(max(1, workers), error.message))
            if not workers:
                yield from run_in_parent(tracker, function, initializer, options, monitor)
                break
        else:
            if options.should_stop():  # a host that was told to stop has not died
                break
            tracker.end_round()
            _pause(tracker.policy.pause_s, options)
        tracker.window = task_window(options, monitor.workers.count)
        monitor.start_round()
    monitor.report()


def _supported_options(options: EngineOptions) -> EngineOptions:
    """Return the options with what this system supports: its start methods, and a number of workers."""
    most = max_pool_workers()
    return replace(
        options,
        workers=min(options.workers, most),
        max_workers=options.max_workers and min(options.max_workers, most),
        start_method=supported_start_method(options.start_method),
    )


def _pause(seconds: float, options: EngineOptions) -> None:
    """Wait, unless the run is to stop."""
    end = time.monotonic() + seconds
    while not options.should_stop() and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, POLL_INTERVAL_S))


def task_window(options: EngineOptions, workers: int) -> int:
    """Return the number of tasks that a host is given in advance."""
    return WINDOW_CHUNKS_PER_SLOT * SLOTS_PER_WORKER * workers * (options.chunksize or MAX_CHUNK_TASKS)


def _fallback_warning(before: int, workers: int, error: StartError) -> str:
    """Say how the run continues after the system did not let `before` workers start."""
    way = f"with {workers} worker{'s' * (workers > 1)} instead of {before}" if workers else NO_WORKERS
    return continuing(error, way)


def _run_round(
    host: HostProcess, tracker: TaskTracker, monitor: RunMonitor, options: EngineOptions
) -> Generator[Result, None, None]:
    """Handle the messages of a host and send it more tasks, until it ends or its workers are replaced."""
    stopping = False
    for message in host.messages():
        yield from _handle(message, tracker, monitor)
        if stopping:
            continue
        if options.should_stop() or _replace_workers(tracker, monitor):
            stopping = True
            host.send(Command.STOP)
        elif (more := tracker.refill()) is not None:
            host.send(more)


def _handle(message: HostMessage, tracker: TaskTracker, monitor: RunMonitor) -> Iterator[Result]:
    """Record a message of the host; yield the results it contains."""
    if isinstance(message, ChunkResult):
        monitor.add(message.timing, message.policy)
        yield from tracker.record_results(message.results)
    elif isinstance(message, WorkerDied):
        yield from tracker.record_worker_death(message)
    elif isinstance(message, PoolCrashed):
        yield from tracker.record_pool_crash(message)
    elif isinstance(message, SetupFailure):
        raise message.as_error()


def _replace_workers(tracker: TaskTracker, monitor: RunMonitor) -> bool:
    """Choose other workers for the rest of the tasks, if that is due and worthwhile; return whether it is."""
    if not monitor.review_is_due():
        return False
    workers = monitor.next_workers(tracker.remaining)
    if workers is None:
        return False
    monitor.replace_workers(workers)
    return True


def _pool_config(options: EngineOptions, payload: bytes, start_method: StartMethod, workers: int) -> PoolConfig:
    return PoolConfig(
        worker=WorkerConfig(
            workers=workers,
            payload=payload,
            timeout=options.timeout,
            timeout_per_byte=options.timeout_per_byte,
            memory=options.memory,
        ),
        chunksize=options.chunksize,
        preload=() if start_method == "spawn" else options.preload,
        start_method="spawn" if start_method == "spawn" else "fork",
    )
