"""Watchdog: finds workers that have died, and kills those whose task exceeds its time limit."""

import contextlib
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess

from imgpool.engines.pool.protocol.claims import Claim, Claims
from imgpool.engines.pool.protocol.messages import WorkerDied
from imgpool.system.memory import peak_memory
from imgpool.system.processes import exit_reason

CHECK_INTERVAL_S = 0.05

MAX_COUNTED_INTERVAL_S = 0.5
"""The most time between two checks that counts; if more has passed, this process itself was suspended."""

WORKER_EXIT_TIMEOUT_S = 1.0
"""Time for a killed worker to end. A process that waits for a dead network share cannot be killed."""


class Watchdog:
    """Watches the workers of one pool.

    The time of a task counts from when it was first seen. It does not count while this process is suspended (stopped,
    asleep with the whole machine, or waiting for a slow reader), nor while the worker is stopped. So only time in which
    the task could run counts toward its limit.

    Parameters
    ----------
    clock
        Returns seconds that only ever increase.
    """

    def __init__(
        self, workers: Sequence[BaseProcess], claims: Claims, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._workers = workers
        self._claims = claims
        self._clock = clock
        self._last_check = clock()
        self._elapsed: dict[Claim, float] = {}
        self._killed: dict[int, Claim] = {}

    def due(self) -> bool:
        """Return whether it is time for a check."""
        return self._clock() - self._last_check >= CHECK_INTERVAL_S

    def check(self) -> bool:
        """Kill workers whose task exceeds its limit; return whether any worker is lost."""
        now = self._clock()
        interval = min(now - self._last_check, MAX_COUNTED_INTERVAL_S)
        self._last_check = now
        self._elapsed = {claim: self._elapsed_now(claim, interval) for claim in self._claims}
        for claim, elapsed in self._elapsed.items():
            if claim.seconds and elapsed > claim.seconds:
                self._kill(claim)
        return any(map(self._is_lost, self._workers))

    def deaths(self) -> list[WorkerDied]:
        """Return, for each lost worker, what ended it and which task it was working on."""
        claims = {claim.pid: claim for claim in self._claims}
        return [self._death(worker, claims.get(worker.pid or 0)) for worker in self._workers if self._is_lost(worker)]

    def _elapsed_now(self, claim: Claim, interval: float) -> float:
        """Return the seconds that a task has taken; 0 when it is first seen."""
        if claim not in self._elapsed:
            return 0.0
        elapsed = self._elapsed[claim]
        near_limit = claim.seconds and elapsed > claim.seconds / 2
        return elapsed if near_limit and _is_stopped(claim.pid) else elapsed + interval

    def _is_lost(self, worker: BaseProcess) -> bool:
        return worker.exitcode is not None or worker.pid in self._killed

    def _death(self, worker: BaseProcess, claim: Claim | None) -> WorkerDied:
        exceeded = self._killed.get(worker.pid or 0)
        if exceeded is None:
            index = claim.index if claim else None
            return WorkerDied(exit_reason(worker.exitcode), index, peak_memory(of_children=True))
        finished_before_kill = claim != exceeded
        return WorkerDied("TimeoutError", None if finished_before_kill else exceeded.index)

    def _kill(self, claim: Claim) -> None:
        for worker in self._workers:
            if worker.pid == claim.pid:
                self._killed[claim.pid] = claim
                worker.kill()
                worker.join(WORKER_EXIT_TIMEOUT_S)


def _is_stopped(pid: int) -> bool:
    import psutil

    with contextlib.suppress(psutil.Error):
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    return False
