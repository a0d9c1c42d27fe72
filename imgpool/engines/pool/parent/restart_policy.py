"""Whether to go on when hosts die without finishing a task, and how long to wait before the next one starts."""

import time
from collections.abc import Callable

from imgpool.core.errors import WorkerError
from imgpool.core.hint import Hint

MAX_ROUNDS_WITHOUT_PROGRESS = 20
"""Number of hosts that may die one after another before a run that has never finished a task is given up."""

PROGRESS_TIMEOUT_S = 600.0
"""Time without progress after which a run is given up whose processes are killed from outside."""

MIN_DEATHS = 3
"""Number of hosts that must have died in this time: one task may take longer, and then one death says nothing."""

FIRST_PAUSE_S = 0.05
MAX_PAUSE_S = 10.0

KILLED = "SIGKILL"


class RestartPolicy:
    """Counts the hosts that have died one after another without finishing a task.

    If that happens from the beginning, the tasks or the system do not let workers start, and waiting would not help.
    But if earlier hosts have finished tasks, or processes were killed by SIGKILL (by a person, a script, or the kernel
    because memory ran out), the cause lies outside and may pass: the run waits longer and longer between two attempts,
    and is given up only when there was no progress for a while.

    Parameters
    ----------
    clock
        Returns seconds that only ever increase.

    Attributes
    ----------
    rounds_without_progress : int
        Number of such hosts since the last progress.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.rounds_without_progress = 0
        self._clock = clock
        self._last_progress = clock()
        self._had_progress = False
        self._was_killed = False

    @property
    def pause_s(self) -> float:
        """Seconds to wait before the next host is started."""
        if self.rounds_without_progress < 2 or not self._may_pass:  # noqa: PLR2004 - the first death costs no time
            return 0.0
        doublings = min(self.rounds_without_progress - 2, 20)
        return min(MAX_PAUSE_S, FIRST_PAUSE_S * 2.0**doublings)

    def record_round(self, *, progress: bool, last_death: str) -> None:
        """Record that a host has ended.

        Parameters
        ----------
        progress
            Whether a task was finished, or had a failed attempt.
        last_death
            What ended it or one of its workers.

        Raises
        ------
        WorkerError
            If the run is to be given up.
        """
        if progress:
            self.rounds_without_progress = 0
            self._last_progress = self._clock()
            self._had_progress, self._was_killed = True, False
            return
        self.rounds_without_progress += 1
        self._was_killed = self._was_killed or last_death == KILLED
        if self._may_pass:
            self._check_time(last_death)
        elif self.rounds_without_progress >= MAX_ROUNDS_WITHOUT_PROGRESS:
            raise WorkerError(
                f"the workers died {self.rounds_without_progress} times before any task was done ({last_death})",
                f"{Hint('engine', 'serial')} shows where it happens; if memory runs out, use fewer {Hint('workers')}",
            )

    @property
    def _may_pass(self) -> bool:
        return self._had_progress or self._was_killed

    def _check_time(self, last_death: str) -> None:
        seconds = self._clock() - self._last_progress
        if seconds > PROGRESS_TIMEOUT_S and self.rounds_without_progress >= MIN_DEATHS:
            raise WorkerError(
                f"no task was done in the last {seconds / 60:.0f} minutes: "
                f"the workers died {self.rounds_without_progress} times ({last_death})",
                f"find out what kills them, or use fewer {Hint('workers')} if memory runs out; then run the same "
                "command again",
            )
