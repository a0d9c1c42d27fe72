"""Task tracker: which tasks are done, which are left, and which have failed how often."""

import pickle
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from imgpool.core.engine import EngineOptions
from imgpool.core.task import Result, Task
from imgpool.engines.pool.parent.restart_policy import RestartPolicy
from imgpool.engines.pool.parent.worker_failures import worker_failure
from imgpool.engines.pool.protocol.messages import Batch, NumberedTask, PoolCrashed, WorkerDied
from imgpool.engines.shared.workload import Workload

MAX_ROUNDS_WITH_WINDOW = 3
"""Number of hosts that may die one after another without finishing a task before the next one gets a single task."""


class TaskTracker:
    """Keeps track of the tasks of a run over all its rounds; it forgets the tasks that are done.

    A task has a *failed attempt* when a worker dies while working on it, or is killed because the task exceeds its time
    limit. With more failed attempts than ``options.retries``, the task has failed. Tasks that were merely under way in
    the same pool have no failed attempt; they run again.

    A task with a failed attempt is a *suspect*. Suspects run after all other tasks, so that they do not interrupt those
    again; and suspects that may have taken too much memory run alone.

    Parameters
    ----------
    tasks
        Taken as they are needed.
    window
        Number of tasks that a host is given in advance.
    policy
        Decides whether the run goes on.

    Attributes
    ----------
    window : int
        As given; may be changed between two rounds.
    policy : RestartPolicy
        As given.
    """

    def __init__(
        self, tasks: Iterable[Task], options: EngineOptions, window: int, policy: RestartPolicy | None = None
    ) -> None:
        self.window = window
        self.policy = policy or RestartPolicy()
        self._options = options
        self._new_tasks = enumerate(tasks)
        self._new_workload = Workload.of(tasks) if isinstance(tasks, Sequence) else None
        self._interrupted: deque[NumberedTask] = deque()  # they go to the next host before new tasks
        self._under_way: dict[int, Task] = {}
        self._suspects: dict[int, Task] = {}
        self._failed_attempts: Counter[int] = Counter()
        self._run_alone: set[int] = set()
        self._deaths: dict[int, WorkerDied] = {}
        self._all_sent = False
        self._progress = False
        self._last_death = ""

    @property
    def remaining(self) -> Workload | None:
        """Workload of all tasks without a result; None if unknown."""
        known = [*self._under_way.values(), *self._suspects.values(), *(task for _, task in self._interrupted)]
        return None if self._new_workload is None else self._new_workload + Workload.of(known)

    def start_round(self) -> Batch | None:
        """Return the first tasks for a new host; None if nothing is left to do."""
        self._progress = False
        self._all_sent = False
        batch = self._next_batch(1 if self._is_cautious else self.window)
        return batch if batch.count else None

    def refill(self) -> Batch | None:
        """Return more tasks for the host if it has too few; None if it has enough or there are no more."""
        if self._all_sent or len(self._under_way) > self.window // 2:
            return None
        return self._next_batch(self.window - len(self._under_way))

    def record_results(self, pickled: bytes) -> Iterator[Result]:
        """Record and yield the results that a worker has pickled."""
        results: list[tuple[int, Result]] = pickle.loads(pickled)  # noqa: S301 - pickled by our own worker
        for index, result in results:
            del self._under_way[index]
            self._progress = True
            attempt = self._clear_attempts(index) + 1
            yield replace(result, attempt=attempt) if attempt > 1 else result

    def record_worker_death(self, death: WorkerDied) -> Iterator[Result]:
        """Record a failed attempt of the task that the worker was working on; yield its failure if it was the last."""
        self._last_death = death.error
        if death.index is None or death.index not in self._under_way:
            return
        self._progress = True
        task = self._under_way.pop(death.index)
        self._failed_attempts[death.index] += 1
        if death.error == "SIGKILL":
            self._run_alone.add(death.index)
        if self._failed_attempts[death.index] <= self._options.retries:
            self._suspects[death.index] = task
            self._deaths[death.index] = death
        else:
            yield self._fail(death, task)

    def is_under_way(self, index: int) -> bool:
        """Return whether a task of the present batch has no result yet."""
        return index in self._under_way

    def fail_suspects(self) -> Iterator[Result]:
        """Yield the failures of the suspects under way: they may kill a process that no other process can replace."""
        for index in self._deaths.keys() & self._under_way.keys():
            yield self._fail(self._deaths[index], self._under_way.pop(index))

    def _fail(self, death: WorkerDied, task: Task) -> Result:
        assert death.index is not None
        failure = worker_failure(death, task, self._options)
        return Result(task, "failed", failure, attempt=self._clear_attempts(death.index))

    def record_pool_crash(self, crash: PoolCrashed) -> Iterator[Result]:
        """Let each task that was in progress run alone next time, to find the cause. If one did, it is the cause."""
        self._last_death = crash.error
        if len(crash.indices) == 1 and crash.indices[0] in self._run_alone:
            yield from self.record_worker_death(WorkerDied(crash.error, crash.indices[0]))
        else:
            self._run_alone.update(crash.indices)

    def end_round(self) -> None:
        """Note that a host has ended.

        Raises
        ------
        WorkerError
            If the run is to be given up.
        """
        self.return_tasks()
        self.policy.record_round(progress=self._progress, last_death=self._last_death)

    def return_tasks(self) -> None:
        """Keep the tasks of a host that has ended, or that could not be started, for the next one."""
        for index, task in self._under_way.items():
            if index in self._failed_attempts or index in self._run_alone:
                self._suspects[index] = task
            else:
                self._interrupted.append((index, task))
        self._under_way.clear()

    @property
    def _is_cautious(self) -> bool:
        """Whether so many hosts have died that the next one gets a single task."""
        return self.policy.rounds_without_progress >= MAX_ROUNDS_WITH_WINDOW

    def _clear_attempts(self, index: int) -> int:
        """Forget the failed attempts of a task; return their number."""
        self._run_alone.discard(index)
        self._deaths.pop(index, None)
        return self._failed_attempts.pop(index, 0)

    def _next_batch(self, count: int) -> Batch:
        """Return a batch of up to `count` tasks; the last one contains the suspects too."""
        tasks = [self._interrupted.popleft() for _ in range(min(count, len(self._interrupted)))]
        tasks += self._take_new(count - len(tasks))
        self._under_way.update(tasks)
        if len(tasks) == count:
            self._all_sent = self._is_cautious
            return Batch(tuple(tasks), last=self._is_cautious, upcoming=self._upcoming)
        self._all_sent = True
        self._under_way.update(self._suspects)
        suspects = list(self._suspects.items())
        self._suspects.clear()
        return Batch(
            tuple(tasks),
            suspects=tuple(numbered for numbered in suspects if numbered[0] not in self._run_alone),
            run_alone=tuple(numbered for numbered in suspects if numbered[0] in self._run_alone),
            last=True,
        )

    def _take_new(self, count: int) -> list[NumberedTask]:
        """Take up to `count` tasks that no host has had."""
        tasks = list(islice(self._new_tasks, count))
        if self._new_workload is not None:
            self._new_workload -= Workload.of(task for _, task in tasks)
        return tasks

    @property
    def _upcoming(self) -> Workload | None:
        """Workload of the batches that the host will be sent."""
        if self._new_workload is None:
            return None
        return self._new_workload + Workload.of(task for _, task in self._interrupted)
