"""Many worker processes, and every task answered exactly once, whatever dies.

The heart is `multiprocessing.Pool.imap_unordered`, in a process of its own that can be thrown away (see
`imgpool.engines._host`)::

    tasks ──▶ ledger ──▶ host with a pool ──▶ answers ──▶ results
                ▲               │
                └── a death ────┘   charge the task that the dead worker had claimed,
                                    and start another host with all that is pending
"""

import multiprocessing
import pickle
from collections.abc import Generator, Iterable

from imgpool.core.engine import EngineOptions, Function, Initializer, StartMethod
from imgpool.core.errors import UsageError
from imgpool.core.task import Result, Task
from imgpool.engines._host import Order
from imgpool.engines._host_process import HostProcess
from imgpool.engines._ledger import Ledger

__all__ = ["POOL"]


class PoolEngine:
    """Runs in worker processes that share nothing.

    The workers are set up once each, use one thread each, ignore Ctrl-C and never outlive this process. With
    ``start_method="forkserver"`` the host comes from the fork server and its workers are forked from the host,
    which has one thread and has imported ``preload``; with "spawn" all are fresh interpreters.

    A task's ``attempt`` counts how often it was charged with a worker's end; a run cut short because another
    task took the pool with it does not count.
    """

    name = "pool"
    summary = "on all cores: multiprocessing.Pool, supervised"

    def run(
        self, tasks: Iterable[Task], function: Function, initializer: Initializer, options: EngineOptions
    ) -> Generator[Result, None, None]:
        """Yield one result for every task, as they are finished; see `imgpool.core.engine.Engine.run`.

        Raises
        ------
        UsageError
            If there is to be no worker, or nothing in a chunk.
        WorkerError
            If `initializer` raises, or workers die again and again without finishing anything.
        """
        if options.workers < 1 or options.chunksize == 0:
            raise UsageError("a pool needs at least one worker, and one image in a chunk")
        payload = pickle.dumps((function, initializer))
        start_method = _known(options.start_method)
        ledger = Ledger(list(tasks), options)
        while ledger.pending:
            with HostProcess(_order(ledger, payload, options, start_method), start_method) as host:
                for message in host.messages():
                    yield from ledger.enter(message)
            ledger.end_round()


def _order(ledger: Ledger, payload: bytes, options: EngineOptions, start_method: StartMethod) -> Order:
    return Order(
        tasks=ledger.fresh(),
        suspects=ledger.suspects(),
        payload=payload,
        workers=min(options.workers, len(ledger.pending)),
        chunksize=options.chunksize,
        timeout=options.timeout,
        worker_memory=options.memory and options.memory // options.workers,
        preload=() if start_method == "spawn" else options.preload,
        start_method="spawn" if start_method == "spawn" else "fork",
    )


def _known(start_method: StartMethod) -> StartMethod:
    """The start method, or the only one that every system has."""
    return start_method if start_method in multiprocessing.get_all_start_methods() else "spawn"


POOL = PoolEngine()
