"""Many worker processes, and every task answered exactly once, whatever dies.

The heart is `multiprocessing.Pool.imap_unordered`, in a process of its own that can be thrown away (see
`imgpool.engines.pool.host.host`)::

    tasks ──▶ ledger ──▶ host with a pool ──▶ answers ──▶ results
                ▲               │
                └── a death ────┘   charge the task that the dead worker had claimed,
                                    and start another host with all that is under way

Neither end holds more than a window of tasks: the ledger forgets what is answered, and takes the next when the host
runs short of them.

Where the engine may choose its workers, it may end a host in good order and go on with another that has more of them:
that costs a tenth of a second, once or twice in a run, and no task is charged.
"""

from collections.abc import Generator, Iterable

from imgpool.core.engine import EngineOptions, Function, Initializer
from imgpool.core.task import Result, Task

__all__ = ["POOL"]


class PoolEngine:
    """Runs in worker processes that share nothing.

    The workers are set up once each, use one thread each, leave signals to this process and never outlive it. With
    ``start_method="forkserver"`` the host comes from the fork server and its workers are forked from the host,
    which has one thread and has imported ``preload``; the first host may have been waiting since before there was
    anything to run (`imgpool.engines.pool.parent.prefork`). With "spawn" all are fresh interpreters.

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
        WorkerError
            If `initializer` raises, or workers die again and again without finishing anything.
        """
        from imgpool.engines.pool.parent.engine import run_pool

        yield from run_pool(tasks, function, initializer, options)


POOL = PoolEngine()
