"""Cost of supervision: the pool engine compared with a bare `Pool.imap_unordered` that uses the same chunks.

Three designs are compared: the bare pool ("bare"); the pool in a process of its own, as imgpool has it ("host"); and
the pool in the parent process, discarded by private attributes when a worker dies ("in place"). First, all three run
the same tasks alternately, for several rounds. Then the two supervised designs lose a worker now and then. The medians
are printed, with their ratio to the bare pool of the same run: ``make bench-supervision``.
"""

import argparse
import multiprocessing
import os
import pickle
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from queue import SimpleQueue

from imgpool.core.engine import EngineOptions
from imgpool.core.task import Result, Task
from imgpool.engines.pool import POOL
from imgpool.engines.pool.host.backlog import Backlog
from imgpool.engines.pool.host.chunk_length import DispatchCost
from imgpool.engines.pool.host.chunk_scheduler import ChunkScheduler
from imgpool.engines.pool.host.watchdog import CHECK_INTERVAL_S, Watchdog
from imgpool.engines.pool.protocol.claims import SLOTS_PER_WORKER, Claims
from imgpool.engines.pool.protocol.config import WorkerConfig
from imgpool.engines.pool.protocol.messages import Batch, Chunk, ChunkAssignment, ChunkResult, NumberedTask
from imgpool.engines.pool.worker.worker import Worker
from imgpool.engines.shared.timing import Stopwatch, Timing
from imgpool.system.memory_limit import MemoryLimit

WORKLOADS = {"no-op": (20_000, 0.0), "1 ms": (5_000, 0.001), "10 ms": (500, 0.01)}
"""Number of tasks, and seconds per task."""

NO_OP_SECONDS = 10e-6
KILLS = 20
TASKS_PER_KILL = 50

Record = Callable[[Result], None]
Design = Callable[[Sequence[Task], float, int, Record], None]


def spin(seconds: float, task: Task, _memory: int | None) -> Result:
    """Keep a processor busy; the state of the worker is the duration."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
    return Result(task, "done", pid=os.getpid())


def make_tasks(count: int) -> list[Task]:
    """Return tasks that look like small files to the engine."""
    return [Task(f"/in/{number:06}.png", f"/out/{number:06}.png", 8_000, 0) for number in range(count)]


def run_bare(tasks: Sequence[Task], seconds: float, workers: int, record: Record) -> None:
    """Run the tasks with `multiprocessing.Pool` as it is, in the chunks that the engine forms."""
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        for results in pool.imap_unordered(partial(spin_chunk, seconds), chunks(tasks, seconds, workers), chunksize=1):
            for result in results:
                record(result)


def spin_chunk(seconds: float, chunk: Chunk) -> list[Result]:
    """Do the tasks of a chunk."""
    return [spin(seconds, task, None) for _, task in chunk]


def chunks(tasks: Sequence[Task], seconds: float, workers: int) -> Iterator[Chunk]:
    """Yield the chunks that the engine forms when it knows the duration of a task."""
    backlog = Backlog(workers)
    backlog.observe(Timing(1, tasks[0].size, seconds + NO_OP_SECONDS), DispatchCost().host)
    backlog.add(tuple(enumerate(tasks)))
    backlog.complete = True
    while backlog.ready:
        yield backlog.take_chunk()


def run_with_host(tasks: Sequence[Task], seconds: float, workers: int, record: Record) -> None:
    """Run the tasks with the pool engine."""
    options = EngineOptions(workers=workers, retries=KILLS, start_method="fork")
    for result in POOL.run(tasks, spin, partial(float, seconds), options):
        record(result)


class InPlacePool:
    """A supervised pool in the parent process."""

    def __init__(self, tasks: Sequence[NumberedTask], seconds: float, workers: int) -> None:
        context = multiprocessing.get_context("fork")
        claims = Claims(context, SLOTS_PER_WORKER * workers)
        config = WorkerConfig(workers, b"", None, 0.0, None)
        self.pool = context.Pool(workers, initialize_in_place, (config, seconds, claims))
        self.watchdog = Watchdog(multiprocessing.active_children(), claims)
        self.scheduler = ChunkScheduler(workers, None, None)
        self.events: SimpleQueue[ChunkResult] = SimpleQueue()
        self.scheduler.handle(Batch(tuple(tasks), last=True))
        self.results = self.pool.imap_unordered(run_chunk_in_place, self.assignments(), chunksize=1)

    def assignments(self) -> Iterator[ChunkAssignment]:
        """Yield chunks, as the host does."""
        while not self.scheduler.finished:
            if assignment := self.scheduler.next_assignment():
                yield assignment
            else:
                self.scheduler.handle(self.events.get())

    def chunk_results(self) -> Iterator[ChunkResult]:
        """Yield results until all tasks are done or a worker has died."""
        while True:
            try:
                result = self.results.next(timeout=CHECK_INTERVAL_S)
            except multiprocessing.TimeoutError:
                pass
            except StopIteration:
                self.pool.close()
                self.pool.join()
                return
            else:
                yield result
                self.events.put(result)
            if self.watchdog.due() and self.watchdog.check():
                self.abandon()
                return

    def abandon(self) -> None:
        """Discard the pool without waiting for it, which only private attributes allow."""
        pool = self.pool
        pool._terminate.cancel()  # type: ignore[attr-defined]  # noqa: SLF001 - it would wait for a dead worker's lock
        pool._worker_handler._state = "TERMINATE"  # type: ignore[attr-defined]  # noqa: SLF001 - no new workers
        pool._change_notifier.put(None)  # type: ignore[attr-defined]  # noqa: SLF001 - wakes the handler
        for process in multiprocessing.active_children():
            process.kill()
            process.join()


_worker: Worker


def initialize_in_place(config: WorkerConfig, seconds: float, claims: Claims) -> None:
    """Set up this process as a worker of an `InPlacePool`."""
    global _worker  # noqa: PLW0603 - the initializer of a pool can pass its state on in no other way
    _worker = Worker(config, spin, seconds, claims, MemoryLimit(None), Stopwatch())


def run_chunk_in_place(assignment: ChunkAssignment) -> ChunkResult:
    """Do a chunk in a worker of an `InPlacePool`."""
    return _worker.run_chunk(assignment)


def run_in_place(tasks: Sequence[Task], seconds: float, workers: int, record: Record) -> None:
    """Run the tasks with a pool in this process, and with another one after each death of a worker."""
    pending = dict(enumerate(tasks))
    while pending:
        for chunk_result in InPlacePool(list(pending.items()), seconds, workers).chunk_results():
            for index, result in pickle.loads(chunk_result.results):  # noqa: S301 - pickled by our own worker
                del pending[index]
                record(result)


DESIGNS: dict[str, Design] = {"bare": run_bare, "host": run_with_host, "in place": run_in_place}


def duration(design: Design, count: int, seconds: float, workers: int, record: Record = lambda _: None) -> float:
    """Return the seconds that a design needs for `count` tasks."""
    tasks = make_tasks(count)
    started = time.perf_counter()
    design(tasks, seconds, workers, record)
    return time.perf_counter() - started


def print_undisturbed(workers: int, rounds: int) -> None:
    """Print the time that each design needs when nothing goes wrong."""
    print(f"\n{'task':8} {'tasks':>7} {'design':9} {'median s':>9} {'to bare':>8} {'µs per task more':>17}")
    for name, (count, seconds) in WORKLOADS.items():
        durations: dict[str, list[float]] = {design: [] for design in DESIGNS}
        for _ in range(rounds):
            for design, run in DESIGNS.items():
                durations[design].append(duration(run, count, seconds, workers))
        medians = {design: statistics.median(times) for design, times in durations.items()}
        for design, median in medians.items():
            more = (median - medians["bare"]) / count * 1e6
            print(f"{name:8} {count:7,} {design:9} {median:9.3f} {median / medians['bare']:8.3f} {more:17.1f}")


def print_disturbed(workers: int) -> None:
    """Print the time that each design needs when a worker is killed now and then, and the threads it leaves behind."""
    print(f"\n{KILLS} workers killed:  seconds per death, threads left behind")
    for name in ("host", "in place"):
        count, done = TASKS_PER_KILL * (KILLS + 1), 0

        def kill_sometimes(result: Result) -> None:
            nonlocal done
            done += 1
            if done % TASKS_PER_KILL == 0 and done <= TASKS_PER_KILL * KILLS:
                os.kill(result.pid, signal.SIGKILL)

        undisturbed = duration(DESIGNS[name], count, 0.002, workers)
        disturbed = duration(DESIGNS[name], count, 0.002, workers, kill_sometimes)
        print(f"{name:9} {(disturbed - undisturbed) / KILLS:.3f}  {threading.active_count() - 1}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    print_undisturbed(options.workers, options.rounds)
    print_disturbed(options.workers)
    os._exit(0)  # a normal exit would wait for the threads of abandoned pools


if __name__ == "__main__":
    import_module("benchmarks.supervision").main()  # worker processes import its functions by this name
