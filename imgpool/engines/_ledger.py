"""What has been answered, what is still to do, and who is charged with what."""

import pickle
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from imgpool.core.engine import EngineOptions
from imgpool.core.errors import WorkerError
from imgpool.core.task import Failure, Result, Task
from imgpool.engines._answers import Answers, Death, SetupFailure

BARREN_ROUNDS = 5  # pools that died one after the other without a single answer

_CRASHES = {"SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE"}


class Ledger:
    """Keeps account of every task over all pools of a run.

    A task is charged when a worker dies while working on it, or is killed because it takes too long; with more
    charges than ``options.retries`` it has failed. Tasks that were merely under way in the same pool are not
    charged: they run again.

    Attributes
    ----------
    pending
        The tasks without an answer, by index.
    """

    def __init__(self, tasks: Sequence[Task], options: EngineOptions) -> None:
        self.pending = dict(enumerate(tasks))
        self._options = options
        self._charges: Counter[int] = Counter()
        self._barren = 0
        self._progress = False
        self._last_death = ""

    def fresh(self) -> list[tuple[int, Task]]:
        """The pending tasks that are not charged with anything."""
        return [(index, task) for index, task in self.pending.items() if index not in self._charges]

    def suspects(self) -> list[tuple[int, Task]]:
        """The pending tasks that are."""
        return [(index, task) for index, task in self.pending.items() if index in self._charges]

    def enter(self, message: Answers | Death | SetupFailure) -> Iterator[Result]:
        """Take note of a message; yield the results that it brings.

        Raises
        ------
        WorkerError
            If a worker could not be set up.
        """
        if isinstance(message, SetupFailure):
            raise message.as_error()
        if isinstance(message, Death):
            yield from self._charge(message)
            return
        self._progress = True
        for index, pickled in message.results:
            del self.pending[index]
            result: Result = pickle.loads(pickled)  # noqa: S301 - pickled by our own worker
            yield replace(result, attempt=self._charges[index] + 1) if index in self._charges else result

    def end_round(self) -> None:
        """Take note that a pool has ended.

        Raises
        ------
        WorkerError
            If one pool after the other dies and nothing is done.
        """
        self._barren = 0 if self._progress else self._barren + 1
        self._progress = False
        if self._barren == BARREN_ROUNDS:
            raise WorkerError(
                f"the workers died {BARREN_ROUNDS} times before any image was done ({self._last_death})",
                "--serial shows where it happens; if it is for want of memory, use fewer workers (-j)",
            )

    def _charge(self, death: Death) -> Iterator[Result]:
        self._last_death = death.error
        if death.index is None or death.index not in self.pending:
            return
        self._progress = True
        self._charges[death.index] += 1
        charges = self._charges[death.index]
        if charges > self._options.retries:
            task = self.pending.pop(death.index)
            yield Result(task, "failed", self._failure(death.error), attempt=charges)

    def _failure(self, error: str) -> Failure:
        if error == "TimeoutError":
            message = f"not done after {self._options.timeout:g} s"
            return Failure("worker", error, message, "give it more time with --timeout")
        if error == "SIGKILL":
            message = "the worker was killed (SIGKILL) while it had this image in hand"
            return Failure("worker", error, message, "mostly for want of memory: use fewer workers (-j)")
        if error in _CRASHES:
            message = f"a library crashed on this image ({error})"
            return Failure("worker", error, message, "the file may be damaged: see if another program opens it")
        return Failure("worker", error, f"the worker ended ({error}) while it had this image in hand")
