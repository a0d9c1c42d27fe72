"""The process in which a pool lives, between the parent and the workers.

A `multiprocessing.Pool` does not survive the death of a worker: the task is never answered, and if the worker
held a lock of the queues nothing moves any more, not even `Pool.terminate`. So each pool lives in a process of
its own that leads a process group: the host. To throw a broken pool away is to kill that group.

::

                         tasks, commands                tickets
             parent ───────────────────────▶ host ───────────────────▶ workers
               ▲                              │ ▲                        │
               └── answers, deaths, the end ──┘ └── answers, claims ─────┘

What the host does::

    start ──▶ serving ──every task answered, or told to stop──▶ pool closed and joined ──▶ exit
                 │
                 ├── a worker died or was killed for its time ──▶ tell what has arrived, then the deaths ─┐
                 ├── a worker could not be set up ──▶ tell why ───────────────────────────────────────────┤
                 └── told to abandon all, or nobody reads ────────────────────────────────────────────────┤
                                                                                                          ▼
                                                                                the whole group is killed

The parent then starts another host with the tasks that have no answer yet. It also kills the group itself, for
a host may have died.

The other way is to keep the pool in the parent and to abandon it there. Measured on two cores (``make
bench-supervision``), that is 4 µs a task cheaper, beside some 700 µs that the smallest image takes, and a death costs
0.03 s instead of 0.06 s. But it takes private attributes of the pool, for its finalizer would wait for a dead
worker's lock; and with every death up to two threads stay behind, waiting for ever. Hence a host.

Three threads, beside the pool's own: the main one takes answers from the pool, sends them to the parent and watches
the workers; one listens to the parent; and the pool's own feeder asks the desk what comes next.
"""

import contextlib
import gc
import itertools
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import SimpleQueue

from imgpool.engines.pool.host.chunk_scheduler import ChunkScheduler
from imgpool.engines.pool.host.watchdog import TICK, Watchdog
from imgpool.engines.pool.protocol.claims import SETTING_UP, Claims
from imgpool.engines.pool.protocol.messages import (
    Batch,
    ChunkAssignment,
    ChunkPolicy,
    ChunkResult,
    Command,
    SetupFailure,
    WorkerDied,
)
from imgpool.engines.pool.worker.worker import WorkerConfig, set_up, work
from imgpool.system.processes import (
    import_modules,
    kill_own_group,
    on_parent_exit,
    parent_exits,
    process_number,
    start_process_group,
    wait_until_gone,
    worker_context,
)
from imgpool.system.threads import ONE_THREAD

TERMINATION = 1.0  # seconds
FAREWELL = 0.5  # seconds between a parent's last word and its end

NOT_READY = SetupFailure("a worker could not be set up in time", "give it more time with --timeout", "")


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """What a host is told to be.

    Attributes
    ----------
    rules
        For its workers.
    chunksize, preload
        As in `imgpool.core.engine.EngineOptions`.
    start_method
        How the workers come to be: forked from the host, or spawned.
    """

    rules: WorkerConfig
    chunksize: int | None
    preload: tuple[str, ...]
    start_method: str


class Host:
    """One pool, from its start to its end or its first death."""

    def __init__(self, order: PoolConfig, parent: Connection, claims: Claims) -> None:
        self._forked = order.start_method == "fork"
        self._parent = parent
        self._abandoned = False
        self._events: SimpleQueue[Batch | ChunkResult | Command] = SimpleQueue()
        self._desk = ChunkScheduler(order.rules.workers, order.chunksize, order.rules.memory)
        self._told: ChunkPolicy | None = None
        self._claims = claims
        inherited = [parent] if self._forked else []
        pool_context = worker_context(order.start_method)
        self._pool = pool_context.Pool(order.rules.workers, set_up, (order.rules, self._claims, inherited))
        workers = multiprocessing.active_children()
        self._complete = _are_the_first(workers, order.rules.workers)
        self._watch = Watchdog(workers, self._claims)
        self._results = self._pool.imap_unordered(work, self._tickets(), chunksize=1)

    def listen(self) -> None:
        """Heed what the parent says, to its end; in a thread, begun when all workers are forked."""
        try:
            while (message := self._parent.recv()) is not Command.ABANDON:
                if message is Command.STOP:
                    self._claims.stop()
                self._events.put(message)
            self._abandoned = True
        except (EOFError, OSError):
            self._abandoned = not parent_exits(FAREWELL)  # who watches it ends all

    def serve(self) -> bool:
        """Send answers until all are there (True), or until the pool is broken (False)."""
        if not self._complete:
            self._parent.send(WorkerDied("while starting", None))
            return False
        while not self._abandoned:
            try:
                answers = self._results.next(timeout=TICK)
            except multiprocessing.TimeoutError:
                pass
            except StopIteration:
                return True
            else:
                if isinstance(answers, SetupFailure):
                    self._parent.send(answers)
                    return False
                self._parent.send(self._with_choice(answers))  # waits for a slow reader, and the feeder with it
                self._events.put(answers)
            if self._watch.due() and self._watch.look():
                self._tell_deaths()
                return False
        return False

    def leave(self, *, whole: bool) -> None:
        """End the pool if it is whole; never wait for it if it is broken."""
        if whole:
            self._pool.close()
            self._pool.join()
        elif self._forked:
            kill_own_group()  # at once: a worker that still finds somebody to talk to, but no reader, complains
        else:
            self._release_semaphores()

    def _tickets(self) -> Iterator[ChunkAssignment]:
        """What is handed to the workers, each when there is room: the pool itself would take all at once."""
        while not self._desk.finished:
            if ticket := self._desk.next():
                yield ticket
            else:
                self._desk.take(self._events.get())

    def _with_choice(self, answers: ChunkResult) -> ChunkResult:
        """The answers, and what has been chosen since the last were sent."""
        choice = self._desk.choice
        if choice == self._told:
            return answers
        self._told = choice
        return replace(answers, choice=choice)

    def _tell_deaths(self) -> None:
        with contextlib.suppress(multiprocessing.TimeoutError, StopIteration):
            while True:
                self._parent.send(self._results.next(timeout=TICK))
        for death in self._watch.deaths():
            late = death.error == "TimeoutError" and death.index == SETTING_UP
            self._parent.send(NOT_READY if late else death)

    def _release_semaphores(self) -> None:
        """Let the locks of a pool with spawned workers be removed: they have names, and outlive their process.

        Only an orderly exit does it, which begins with `Pool.terminate`; and that may wait for ever for a lock
        that a dead worker holds. So it runs in a thread, for a while.
        """
        self._events.put(Command.STOP)
        termination = threading.Thread(target=self._pool.terminate, daemon=True)
        termination.start()
        termination.join(TERMINATION)


def main(
    order: PoolConfig, claims: Claims, parents_end: Connection, connection: Connection, parents_folder: str | None
) -> None:
    """Be a host; write answers, deaths and at last None to `connection`, and read from it.

    Parameters
    ----------
    claims
        Of the workers; the parent sees them too, should this process die.
    parents_end
        The other end, closed here so that writing fails once the parent has closed its own.
    parents_folder
        Where the parent has its sockets; a parent that is killed cannot remove it.
    """
    _become_host(parents_end)
    _serve(order, claims, connection, parents_folder)


def await_order(
    modules: Sequence[str], claims: Claims, parents_end: Connection, connection: Connection, parents_folder: str
) -> None:
    """Be a host that imports `modules` until it is told its order; else as `main`."""
    _become_host(parents_end)
    import_modules(itertools.takewhile(lambda _: not connection.poll(), modules))
    gc.freeze()
    gc.enable()
    try:
        order = connection.recv()
    except (EOFError, OSError):
        if parent_exits(FAREWELL):
            _follow_parent(parents_folder)
        return
    _serve(order, claims, connection, parents_folder)


def _serve(order: PoolConfig, claims: Claims, connection: Connection, parents_folder: str | None) -> None:
    host, whole = None, False
    try:
        import_modules(order.preload)
        host = Host(order, connection, claims)
        # Threads not before: workers are forked while there is but one.
        on_parent_exit(partial(_follow_parent, parents_folder))
        threading.Thread(target=host.listen, name="listen to parent", daemon=True).start()
        whole = host.serve()
        connection.send(None)
    except ConnectionError:  # nobody is there to be told
        if parent_exits(FAREWELL):
            _follow_parent(parents_folder)
    except Exception as error:  # noqa: BLE001 - the parent raises it
        connection.send(SetupFailure.of(error))
    finally:
        if host:
            host.leave(whole=whole)


def _follow_parent(parents_folder: str | None) -> None:
    """End with all workers; and with what the parent has left, if it is really gone."""
    parent = multiprocessing.parent_process()
    if parents_folder and parent and wait_until_gone(parent.pid or 0, FAREWELL):
        shutil.rmtree(parents_folder, ignore_errors=True)
    kill_own_group()


def _are_the_first(workers: Iterable[BaseProcess], count: int) -> bool:
    """Whether none has died yet: the pool replaces a dead worker by one with a higher number in its name."""
    return {process_number(worker) for worker in workers} == set(range(1, count + 1))


def _become_host(parents_end: Connection) -> None:
    start_process_group()
    for ending in (signal.SIGINT, signal.SIGTERM):  # sent to a whole group or service: for the parent to heed
        signal.signal(ending, signal.SIG_IGN)
    parents_end.close()
    os.environ.update(ONE_THREAD)  # a fork server that somebody else has started does not know
