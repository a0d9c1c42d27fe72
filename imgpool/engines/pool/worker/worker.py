"""What runs in a worker process: set up once, then chunk after chunk."""

import os
import pickle
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import current_process
from multiprocessing.connection import Connection

from imgpool.core.engine import Function, MemoryNeeded
from imgpool.core.task import Result, Task
from imgpool.engines._results import answer, pack
from imgpool.engines.pool.protocol.claims import SETTING_UP, SLOTS, Claims
from imgpool.engines.pool.protocol.messages import ChunkAssignment, ChunkResult, Numbered, SetupFailure
from imgpool.engines.pool.worker.stopwatch import Stopwatch
from imgpool.system.heap import keep_freed_memory
from imgpool.system.memory_limit import MemoryLimit
from imgpool.system.processes import die_with_parent, on_parent_exit, process_number
from imgpool.system.threads import use_one_thread

SLICE = 0.25  # seconds after which a worker hands in what it has done of a chunk


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What holds for all workers of a pool.

    Attributes
    ----------
    workers
        How many there are; one more is a replacement for a dead one, and gets no work: the host does not know
        it, and is about to throw the pool away.
    payload
        Function and initializer, pickled.
    timeout, timeout_per_byte, memory
        As in `imgpool.core.engine.EngineOptions`.
    """

    workers: int
    payload: bytes
    timeout: float | None
    timeout_per_byte: float
    memory: int | None

    def seconds(self, task: Task) -> float:
        """What this task may take; 0 for any number."""
        return 0.0 if self.timeout is None else self.timeout + self.timeout_per_byte * task.size


@dataclass(frozen=True, slots=True)
class _Worker:
    rules: WorkerConfig
    function: Function
    state: object
    claims: Claims
    limit: MemoryLimit
    watch: Stopwatch


_worker: _Worker | SetupFailure


def set_up(rules: WorkerConfig, claims: Claims, inherited: Sequence[Connection]) -> None:
    """Make this process a worker; the initializer of the pool.

    Parameters
    ----------
    rules
        What the payload imports is imported here, and fails here.
    inherited
        The host's connections that a forked worker holds copies of; closed, so that they end with the host.
    """
    global _worker  # noqa: PLW0603 - a pool's initializer can leave its work nowhere else
    for ending in (signal.SIGINT, signal.SIGTERM):  # sent to a whole group or service: for the parent to heed
        signal.signal(ending, signal.SIG_IGN)
    for connection in inherited:
        connection.close()
    die_with_parent()
    on_parent_exit(lambda: os._exit(1))  # it may have ended before, or the kernel not do it
    number = process_number(current_process())
    if number > rules.workers:
        threading.Event().wait()
    slot = SLOTS * rules.workers + number - 1
    claims.claim(slot, SETTING_UP, rules.timeout or 0.0)
    try:
        function, initializer = pickle.loads(rules.payload)  # noqa: S301 - pickled by our own parent
        state = initializer()
        use_one_thread()
        keep_freed_memory()
        _worker = _Worker(rules, function, state, claims, MemoryLimit(rules.memory), Stopwatch())
    except BaseException as error:  # noqa: BLE001 - a pool replaces a worker whose initializer raises, for ever
        _worker = SetupFailure.of(error)
    claims.drop(slot)


def work(ticket: ChunkAssignment) -> ChunkResult | SetupFailure:
    """Answer the tasks of a chunk: as many as are done within a slice of time, and before anybody asks to stop."""
    if isinstance(_worker, SetupFailure):
        return _worker
    results: list[tuple[int, Result]] = []
    deferred: list[tuple[Numbered, int | None]] = []
    _worker.limit.set(ticket.memory)
    _worker.watch.start()
    begun, nbytes = 0, 0
    while begun < len(ticket.chunk) and _worker.watch.seconds < SLICE and not _worker.claims.stopped:
        numbered = ticket.chunk[begun]
        try:
            results.append((numbered[0], _do(_worker, ticket, numbered)))
            nbytes += numbered[1].size
        except MemoryNeeded as needed:
            deferred.append((numbered, needed.nbytes))
        begun += 1
    timing = _worker.watch.stop(len(results), nbytes)
    _worker.claims.drop(ticket.slot)
    return ChunkResult(ticket.slot, pack(results), deferred, ticket.chunk[begun:], timing)


def _do(worker: _Worker, ticket: ChunkAssignment, numbered: Numbered) -> Result:
    index, task = numbered
    worker.claims.claim(ticket.slot, index, worker.rules.seconds(task))
    passing = () if ticket.memory is None else MemoryNeeded
    return answer(worker.function, worker.state, task, ticket.memory, passing)
