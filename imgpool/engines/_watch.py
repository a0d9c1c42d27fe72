"""Who died, and who is over its time."""

import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess

from imgpool.engines._answers import Death
from imgpool.engines._claims import Claim, Claims
from imgpool.engines._processes import exit_reason

TICK = 0.05  # seconds between two looks
LONGEST_TICK = 0.5  # seconds: what is beyond that, this process was away itself
LAST_BREATH = 1.0  # seconds: a process that waits for a dead network share cannot even be killed


class Watch:
    """Looks after the workers of one pool.

    How long a task has taken is counted from when it was first seen, on a clock that stands still while this
    process is away: stopped, asleep with the whole machine, or waiting for a slow reader. So a task is never
    charged with time that it did not have.

    Parameters
    ----------
    timeout
        Seconds that one task may take; None for no limit.
    """

    def __init__(self, workers: Sequence[BaseProcess], claims: Claims, timeout: float | None) -> None:
        self._workers = workers
        self._claims = claims
        self._timeout = timeout
        self._clock = 0.0
        self._looked = time.monotonic()
        self._since: dict[Claim, float] = {}
        self._late: dict[int, Claim] = {}

    def due(self) -> bool:
        """Whether it is time to look again."""
        return time.monotonic() - self._looked >= TICK

    def look(self) -> bool:
        """Kill what is over its time; tell whether any worker is lost."""
        now = time.monotonic()
        self._clock += min(now - self._looked, LONGEST_TICK)
        self._looked = now
        self._since = {claim: self._since.get(claim, self._clock) for claim in self._claims}
        if self._timeout is not None:
            for claim, since in self._since.items():
                if self._clock - since > self._timeout:
                    self._kill(claim)
        return any(map(self._lost, self._workers))

    def deaths(self) -> list[Death]:
        """Of each lost worker what ended it, and what it was working on."""
        claimed = {claim.pid: claim for claim in self._claims}
        return [self._death(worker, claimed.get(worker.pid or 0)) for worker in self._workers if self._lost(worker)]

    def _lost(self, worker: BaseProcess) -> bool:
        return worker.exitcode is not None or worker.pid in self._late

    def _death(self, worker: BaseProcess, claim: Claim | None) -> Death:
        late = self._late.get(worker.pid or 0)
        if late is None:
            return Death(exit_reason(worker.exitcode), claim.index if claim else None)
        return Death("TimeoutError", late.index if claim == late else None)  # else done just before the kill

    def _kill(self, claim: Claim) -> None:
        for worker in self._workers:
            if worker.pid == claim.pid:
                self._late[claim.pid] = claim
                worker.kill()
                worker.join(LAST_BREATH)
