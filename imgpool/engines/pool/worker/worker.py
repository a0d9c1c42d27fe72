"""A worker process: set up once, then one chunk after another."""

import pickle
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import current_process
from multiprocessing.connection import Connection

from imgpool.core.engine import Function, MemoryNeeded
from imgpool.core.task import Result
from imgpool.engines.pool.protocol.claims import SETUP, SLOTS_PER_WORKER, Claims
from imgpool.engines.pool.protocol.config import WorkerConfig
from imgpool.engines.pool.protocol.messages import ChunkAssignment, ChunkResult, NumberedTask
from imgpool.engines.shared.errors import SetupFailure
from imgpool.engines.shared.results import call, pickle_results
from imgpool.engines.shared.timing import Stopwatch
from imgpool.system.child_process import become_worker, prepare_to_compute
from imgpool.system.memory_limit import MemoryLimit
from imgpool.system.processes import process_number

MAX_SLICE_SECONDS = 0.25
"""Time after which a worker returns a chunk with the results it has, and starts no further task of it."""


@dataclass(frozen=True, slots=True)
class Worker:
    """State of a worker process that has been set up."""

    config: WorkerConfig
    function: Function
    state: object
    claims: Claims
    limit: MemoryLimit
    stopwatch: Stopwatch

    def run_chunk(self, assignment: ChunkAssignment) -> ChunkResult:
        """Do the tasks of a chunk, until its time slice ends or the workers are asked to stop."""
        results: list[tuple[int, Result]] = []
        deferred: list[tuple[NumberedTask, int | None]] = []
        self.limit.set(assignment.memory)
        self.stopwatch.start()
        started, nbytes = 0, 0
        while started < len(assignment.chunk) and self._may_start_task():
            numbered = assignment.chunk[started]
            try:
                results.append((numbered[0], self._run_task(assignment, numbered)))
                nbytes += numbered[1].size
            except MemoryNeeded as needed:
                deferred.append((numbered, needed.nbytes))
            started += 1
        timing = self.stopwatch.stop(len(results), nbytes)
        self.claims.release(assignment.slot)
        return ChunkResult(assignment.slot, pickle_results(results), deferred, assignment.chunk[started:], timing)

    def _may_start_task(self) -> bool:
        return self.stopwatch.seconds < MAX_SLICE_SECONDS and not self.claims.stopped

    def _run_task(self, assignment: ChunkAssignment, numbered: NumberedTask) -> Result:
        index, task = numbered
        self.claims.claim(assignment.slot, index, self.config.time_limit(task))
        reraise = () if assignment.memory is None else MemoryNeeded
        return call(self.function, self.state, task, memory=assignment.memory, reraise=reraise)


_worker: Worker | SetupFailure
"""The worker that this process is, set by `initialize_worker`; an error if it could not be set up."""


def initialize_worker(config: WorkerConfig, claims: Claims, inherited: Sequence[Connection]) -> None:
    """Set up this process as a worker; the initializer of the pool.

    Parameters
    ----------
    inherited
        Connections of the host to close in a forked worker: they must close when the host ends.
    """
    global _worker  # noqa: PLW0603 - the initializer of a `multiprocessing.Pool` can pass its state on in no other way
    number = process_number(current_process())
    slot = SLOTS_PER_WORKER * config.workers + number - 1
    try:
        become_worker(inherited)
        claims.imports.follow_imports()
        if number > config.workers:  # a replacement: it must do nothing until the host kills it
            threading.Event().wait()
        claims.claim(slot, SETUP, config.timeout or 0.0)
        _worker = _set_up(config, claims)
    except BaseException as error:  # noqa: BLE001 - a pool would replace this worker again and again
        _worker = SetupFailure.from_error(error)
    if number <= config.workers:
        claims.release(slot)


def _set_up(config: WorkerConfig, claims: Claims) -> Worker:
    function, initializer = pickle.loads(config.payload)  # noqa: S301 - pickled by our own parent process
    state = initializer()
    prepare_to_compute()
    return Worker(config, function, state, claims, MemoryLimit(config.memory), Stopwatch())


def run_chunk(assignment: ChunkAssignment) -> ChunkResult | SetupFailure:
    """Do a chunk in this worker; return the error instead if the worker could not be set up."""
    return _worker if isinstance(_worker, SetupFailure) else _worker.run_chunk(assignment)
