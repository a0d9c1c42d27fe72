"""Pool engine: many worker processes, and exactly one result for every task, whatever process dies.

A `multiprocessing.Pool` does not survive the death of a worker: the task never returns, and if the worker held a lock
of a queue, nothing moves any more, not even `Pool.terminate`. So each pool lives in a process of its own, the *host*,
which leads a process group. To discard a broken pool, the parent kills the group and starts another host.

Data flow::

    parent                              host                                workers
    ──────                              ────                                ───────
    TaskTracker                         ChunkScheduler                      initializer, once
      new, interrupted, suspects          Backlog: what is next             function, task by task
    RunMonitor                            Admission: what fits in memory
      WorkerCount                       Pool
        │                               Watchdog                              │
        │                                 │                                   │
        │ ──── Batch, Command ──────────▶ │ ──── ChunkAssignment ───────────▶ │
        │                                 │                                   │
        │ ◀─── ChunkResult ────────────── │ ◀─── ChunkResult, SetupFailure ── │
        │      WorkerDied                 │                                   │
        │      SetupFailure               │ ◀─── Claims, in shared memory ─── │
        │      None: finished             │      "task 17, at most 60 s"      │

The packages follow the processes: `parent`, `host` and `worker` contain the code that runs in each of them, and
`protocol` contains what they exchange. The parent and the host hold only a window of the tasks, so a run can have any
number of them.

States of a host::

    prefork ──▶ importing modules ──configuration received──▶ serving
    started for a round ────────────────────────────────────▶ serving

    serving ──every task done, or STOP received──────────────▶ closes and joins the pool ──▶ exits
            ──a worker died, or exceeded a time limit────────▶ sends WorkerDied ────┐
            ──a worker could not be set up───────────────────▶ sends SetupFailure ──┼──▶ kills its group
            ──ABANDON received, or the parent stopped reading───────────────────────┘

The parent kills the group too, because the host itself may have died.

States of a task, in the parent's `TaskTracker`::

    new ──▶ under way ──result received───────────────────────────────▶ done, or failed in the function
                      ──another task took the pool down───────────────▶ interrupted ──▶ under way
                      ──its worker died, or it exceeded its time limit─▶ suspect ──────▶ under way
                      ──the same, for more than `retries` times────────▶ failed

If the engine may choose the number of workers, the parent may end a host in an orderly way and continue with another
one that has more workers. This costs a tenth of a second, once or twice in a run, and no task has a failed attempt.

Why a host process: the alternative is to keep the pool in the parent and to abandon it there. Measured on two cores
(``make bench-supervision``), this is 4 µs per task cheaper, compared with some 700 µs for the smallest image, and the
death of a worker costs 0.03 s instead of 0.06 s. But it requires private attributes of the pool, whose finalizer would
wait for a dead worker's lock; and each death can leave up to two threads behind, waiting forever.

`POOL` is public. A newcomer can safely change the arithmetic (`host.chunk_length`, `parent.worker_count`), which has
property tests. Changes to the processes themselves need the tests under ``tests/faults``.
"""

from collections.abc import Generator, Iterable

from imgpool.core.engine import EngineOptions, Function, Initializer
from imgpool.core.task import Result, Task

__all__ = ["POOL"]


class PoolEngine:
    """Runs tasks in worker processes that share nothing.

    Each worker is set up once, uses one thread, leaves signals to the parent process, and never outlives it. With
    ``start_method="forkserver"``, the host comes from the fork server and its workers are forked from the host, which
    has one thread and has imported ``preload``. The first host may be one that was forked before there was anything to
    run (`imgpool.engines.pool.parent.prefork`). With "spawn", all of them are new interpreters.

    The ``attempt`` of a result counts the failed attempts of its task. A task that was interrupted because another one
    took the pool down has none.
    """

    name = "pool"
    summary = "on all cores: multiprocessing.Pool, supervised"

    def run(
        self, tasks: Iterable[Task], function: Function, initializer: Initializer, options: EngineOptions
    ) -> Generator[Result, None, None]:
        """Yield one result for every task, as they finish; see `imgpool.core.engine.Engine.run`.

        Raises
        ------
        WorkerError
            If `initializer` raises, or workers die again and again without finishing anything.
        """
        from imgpool.engines.pool.parent.run_pool import run_pool

        yield from run_pool(tasks, function, initializer, options)


POOL = PoolEngine()
