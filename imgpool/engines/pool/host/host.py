"""The host of one pool: feeds it, returns its results, and discards it when a worker dies.

Three threads work here beside those of the pool: the main thread takes results from the pool, sends them to the parent
and checks the workers (`Host.serve`); one thread receives from the parent (`Host.receive`); and the pool's own feeder
thread asks the scheduler for the next chunk (`Host._assignments`).
"""

import contextlib
import multiprocessing
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import SimpleQueue

from imgpool.core.hint import Hint
from imgpool.engines.pool.host.chunk_scheduler import ChunkScheduler
from imgpool.engines.pool.host.watchdog import CHECK_INTERVAL_S, Watchdog
from imgpool.engines.pool.protocol.claims import SETUP, Claims
from imgpool.engines.pool.protocol.config import PoolConfig
from imgpool.engines.pool.protocol.messages import (
    Batch,
    ChunkAssignment,
    ChunkPolicy,
    ChunkResult,
    Command,
    WorkerDied,
)
from imgpool.engines.pool.worker.worker import initialize_worker, run_chunk
from imgpool.engines.shared.errors import SetupFailure
from imgpool.system.child_process import kill_own_group, parent_exits
from imgpool.system.processes import process_number, worker_context

PARENT_EXIT_TIMEOUT_S = 0.5
"""Time for the parent to exit after it has closed the connection."""

POOL_TERMINATE_TIMEOUT_S = 1.0

SETUP_TIMED_OUT = SetupFailure("a worker could not be set up in time", f"allow more time with {Hint('timeout')}", "")


class Host:
    """One pool, from its start to its end or the first death of a worker.

    Parameters
    ----------
    parent
        Connection to the parent process.
    """

    def __init__(self, config: PoolConfig, parent: Connection, claims: Claims) -> None:
        self._forked = config.start_method == "fork"
        self._parent = parent
        self._abandoned = False
        self._events: SimpleQueue[Batch | ChunkResult | Command] = SimpleQueue()
        self._scheduler = ChunkScheduler(config.worker.workers, config.chunksize, config.worker.memory)
        self._sent_policy: ChunkPolicy | None = None
        self._claims = claims
        inherited = [parent] if self._forked else []
        context = worker_context(config.start_method)
        self._pool = context.Pool(config.worker.workers, initialize_worker, (config.worker, claims, inherited))
        workers = multiprocessing.active_children()
        self._all_started = _none_was_replaced(workers, config.worker.workers)
        self._watchdog = Watchdog(workers, claims)
        self._results = self._pool.imap_unordered(run_chunk, self._assignments(), chunksize=1)

    def receive(self) -> None:
        """Receive from the parent until it closes the connection; runs in a thread, started after the workers."""
        try:
            while (message := self._parent.recv()) is not Command.ABANDON:
                if message is Command.STOP:
                    self._claims.stop()
                self._events.put(message)
            self._abandoned = True
        except (EOFError, OSError):
            # If the parent has ended, the thread that watches it ends this process.
            self._abandoned = not parent_exits(PARENT_EXIT_TIMEOUT_S)

    def serve(self) -> bool:
        """Send results to the parent. Return True when all are sent, and False if the pool must be discarded."""
        if not self._all_started:
            self._parent.send(WorkerDied("while starting", None))
            return False
        while not self._abandoned:
            try:
                result = self._results.next(timeout=CHECK_INTERVAL_S)
            except multiprocessing.TimeoutError:
                pass
            except StopIteration:
                return True
            else:
                if isinstance(result, SetupFailure):
                    self._send_arrived_results()
                    self._parent.send(result)
                    return False
                self._parent.send(self._add_policy(result))  # blocks while the reader is slow, and the feeder with it
                self._events.put(result)
            if self._watchdog.due() and self._watchdog.check():
                self._send_deaths()
                return False
        return False

    def shut_down(self, *, intact: bool) -> None:
        """End the pool. Wait for its workers only if it is intact: with a dead worker, this could take forever."""
        if intact:
            self._pool.close()
            self._pool.join()
        elif self._forked:
            kill_own_group()  # at once: a worker that can still write, but finds no reader, prints a traceback
        else:
            self._release_semaphores()

    def _assignments(self) -> Iterator[ChunkAssignment]:
        """Yield chunks for the workers, each only when a slot and memory are free: the pool takes all it can get."""
        while not self._scheduler.finished:
            if assignment := self._scheduler.next_assignment():
                yield assignment
            else:
                self._scheduler.handle(self._events.get())

    def _add_policy(self, result: ChunkResult) -> ChunkResult:
        """Add the chunk policy to a result if it has changed since the last one."""
        policy = self._scheduler.policy
        if policy == self._sent_policy:
            return result
        self._sent_policy = policy
        return replace(result, policy=policy)

    def _send_deaths(self) -> None:
        """Send the results that have arrived, then the deaths."""
        self._send_arrived_results()
        for death in self._watchdog.deaths():
            setup_timed_out = death.error == "TimeoutError" and death.index == SETUP
            self._parent.send(SETUP_TIMED_OUT if setup_timed_out else death)

    def _send_arrived_results(self) -> None:
        with contextlib.suppress(multiprocessing.TimeoutError, StopIteration):
            while True:
                result = self._results.next(timeout=CHECK_INTERVAL_S)
                if not isinstance(result, SetupFailure):
                    self._parent.send(result)

    def _release_semaphores(self) -> None:
        """Let multiprocessing remove the semaphores of spawned workers: they have names and outlive their process.

        Only an orderly exit removes them, and it begins with `Pool.terminate`, which may wait forever for a lock that
        a dead worker holds. So `Pool.terminate` runs in a thread for a limited time.
        """
        self._events.put(Command.STOP)
        thread = threading.Thread(target=self._pool.terminate, daemon=True)
        thread.start()
        thread.join(POOL_TERMINATE_TIMEOUT_S)


def _none_was_replaced(workers: Iterable[BaseProcess], count: int) -> bool:
    """Return whether the workers are the first ones: a pool replaces a dead worker by one with a higher number."""
    return {process_number(worker) for worker in workers} == set(range(1, count + 1))
