"""Who died, and who is over its time."""

import contextlib
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess

from imgpool.engines.pool.protocol.claims import Claim, Claims
from imgpool.engines.pool.protocol.messages import WorkerDied
from imgpool.system.memory import peak_memory
from imgpool.system.processes import exit_reason

TICK = 0.05  # seconds between two looks
LONGEST_TICK = 0.5  # seconds: what is beyond that, this process was away itself
LAST_BREATH = 1.0  # seconds: a process that waits for a dead network share cannot even be killed


class Watchdog:
    """Looks after the workers of one pool.

    How long a task has taken is counted from when it was first seen, on a clock that stands still while this
    process is away (stopped, asleep with the whole machine, or waiting for a slow reader) or the worker is
    stopped. So a task is never charged with time that it did not have.
    """

    def __init__(self, workers: Sequence[BaseProcess], claims: Claims) -> None:
        self._workers = workers
        self._claims = claims
        self._looked = time.monotonic()
        self._taken: dict[Claim, float] = {}
        self._late: dict[int, Claim] = {}

    def due(self) -> bool:
        """Whether it is time to look again."""
        return time.monotonic() - self._looked >= TICK

    def look(self) -> bool:
        """Kill what is over its time; tell whether any worker is lost."""
        now = time.monotonic()
        passed = min(now - self._looked, LONGEST_TICK)
        self._looked = now
        self._taken = {claim: self._time(claim, passed) for claim in self._claims}
        for claim, taken in self._taken.items():
            if claim.seconds and taken > claim.seconds:
                self._kill(claim)
        return any(map(self._lost, self._workers))

    def deaths(self) -> list[WorkerDied]:
        """Of each lost worker what ended it, and what it was working on."""
        claimed = {claim.pid: claim for claim in self._claims}
        return [self._death(worker, claimed.get(worker.pid or 0)) for worker in self._workers if self._lost(worker)]

    def _time(self, claim: Claim, passed: float) -> float:
        """Seconds that a task has taken; none at the first look."""
        if claim not in self._taken:
            return 0.0
        taken = self._taken[claim]
        matters = claim.seconds and taken > claim.seconds / 2
        return taken if matters and _is_stopped(claim.pid) else taken + passed

    def _lost(self, worker: BaseProcess) -> bool:
        return worker.exitcode is not None or worker.pid in self._late

    def _death(self, worker: BaseProcess, claim: Claim | None) -> WorkerDied:
        late = self._late.get(worker.pid or 0)
        if late is None:
            return WorkerDied(
                exit_reason(worker.exitcode), claim.index if claim else None, peak_memory(of_children=True)
            )
        return WorkerDied("TimeoutError", late.index if claim == late else None)  # else done just before the kill

    def _kill(self, claim: Claim) -> None:
        for worker in self._workers:
            if worker.pid == claim.pid:
                self._late[claim.pid] = claim
                worker.kill()
                worker.join(LAST_BREATH)


def _is_stopped(pid: int) -> bool:
    import psutil

    with contextlib.suppress(psutil.Error):
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    return False
