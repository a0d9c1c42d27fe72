"""The pool as the parent process runs it: rounds of tasks, each round in a host process of its own."""

import multiprocessing
import pickle
from collections.abc import Generator, Iterable, Sequence

from imgpool.core.engine import EngineOptions, Function, Initializer, StartMethod
from imgpool.core.task import Result, Task
from imgpool.engines.pool.host.chunk_length import LONGEST, Load
from imgpool.engines.pool.host.host import PoolConfig
from imgpool.engines.pool.parent.host_process import HostProcess
from imgpool.engines.pool.parent.metrics import MetricsCollector
from imgpool.engines.pool.parent.task_tracker import TaskTracker
from imgpool.engines.pool.parent.worker_count import initial_workers
from imgpool.engines.pool.protocol.claims import SLOTS
from imgpool.engines.pool.protocol.messages import ChunkResult, Command, PoolCrashed, SetupFailure, WorkerDied
from imgpool.engines.pool.worker.worker import WorkerConfig

SUPPLY = 3  # times the tasks that can be in chunks under way


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
    meter = MetricsCollector(options, initial_workers(options, _load(tasks)))
    ledger = TaskTracker(tasks, options, _window(options, meter.crew.workers))
    start_method = _known(options.start_method)
    while not options.should_stop() and (batch := ledger.begin_round()):
        order = _order(options, payload, start_method, min(meter.crew.workers, batch.count))
        with HostProcess(order, start_method) as host:
            host.send(batch)
            yield from _attend(host, ledger, meter, options)
        ledger.end_round()
        ledger.window = _window(options, meter.crew.workers)
        meter.begin_round()
    meter.tell()


def _attend(
    host: HostProcess, ledger: TaskTracker, meter: MetricsCollector, options: EngineOptions
) -> Generator[Result, None, None]:
    """Take in what the host tells and give it more to do, to its end, or till other workers are to go on."""
    stopping = False
    for message in host.messages():
        if isinstance(message, SetupFailure):
            raise message.as_error()
        if isinstance(message, WorkerDied):
            yield from ledger.enter_death(message)
        elif isinstance(message, PoolCrashed):
            yield from ledger.enter_collapse(message)
        elif isinstance(message, ChunkResult):
            meter.add(message.timing, message.choice)
            yield from ledger.enter_results(message.results)
        if not stopping and (options.should_stop() or _is_replaced(ledger, meter)):
            stopping = True
            host.send(Command.STOP)
        if not stopping and (more := ledger.refill()) is not None:
            host.send(more)


def _is_replaced(ledger: TaskTracker, meter: MetricsCollector) -> bool:
    """Whether other workers are to go on with what is left."""
    if not meter.due() or (crew := meter.next_crew(ledger.left)) is None:
        return False
    meter.replace(crew)
    return True


def _load(tasks: Iterable[Task]) -> Load | None:
    return Load.of(tasks) if isinstance(tasks, Sequence) else None


def _window(options: EngineOptions, workers: int) -> int:
    return SUPPLY * SLOTS * workers * (options.chunksize or LONGEST)


def _order(options: EngineOptions, payload: bytes, start_method: StartMethod, workers: int) -> PoolConfig:
    return PoolConfig(
        rules=WorkerConfig(
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


def _known(start_method: StartMethod) -> StartMethod:
    """The start method, or the only one that every system has."""
    return start_method if start_method in multiprocessing.get_all_start_methods() else "spawn"
