"""What supervision costs: the pool engine against a bare `Pool.imap_unordered` with the same chunks.

Two designs stand beside the bare pool: the pool in a process of its own, as it is built ("host"), and the pool in
the parent's own process, thrown away by private attributes when a worker dies ("in place"). First the three take
the same tasks in turn, several rounds; then both designs lose a worker every now and then. Medians are printed, and
ratios to the bare pool within this run: ``make bench-supervision``.
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
from imgpool.engines.pool.host.chunk_length import Dispatch
from imgpool.engines.pool.host.chunk_scheduler import ChunkScheduler
from imgpool.engines.pool.host.watchdog import TICK, Watchdog
from imgpool.engines.pool.protocol.claims import SLOTS, Claims
from imgpool.engines.pool.protocol.messages import Batch, Chunk, ChunkAssignment, ChunkResult, Numbered, Timing
from imgpool.engines.pool.worker import worker as _worker
from imgpool.engines.pool.worker.stopwatch import Stopwatch
from imgpool.engines.pool.worker.worker import WorkerConfig, work
from imgpool.system.memory_limit import MemoryLimit

WORKLOADS = {"no-op": (20_000, 0.0), "1 ms": (5_000, 0.001), "10 ms": (500, 0.01)}
NO_OP = 10e-6  # seconds that a task takes that does nothing
DEATHS = 20

Take = Callable[[Result], None]
Design = Callable[[Sequence[Task], float, int, Take], None]


def spin(seconds: float, task: Task, _memory: int | None) -> Result:
    """Keep the processor busy for so long: the state is the time."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
    return Result(task, "done", pid=os.getpid())


def tasks(count: int) -> list[Task]:
    """Small files, as far as the engine can tell."""
    return [Task(f"/in/{number:06}.png", f"/out/{number:06}.png", 8_000, 0) for number in range(count)]


def bare(todo: Sequence[Task], seconds: float, workers: int, take: Take) -> None:
    """`multiprocessing.Pool` as it is, with the chunks that the engine makes."""
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        for results in pool.imap_unordered(partial(spin_all, seconds), chunks(todo, seconds, workers), chunksize=1):
            for result in results:
                take(result)


def spin_all(seconds: float, chunk: Chunk) -> list[Result]:
    """Do a chunk."""
    return [spin(seconds, task, None) for _, task in chunk]


def chunks(todo: Sequence[Task], seconds: float, workers: int) -> Iterator[Chunk]:
    """As the engine cuts them when it knows how long a task takes."""
    backlog = Backlog(workers)
    backlog.learn(Timing(1, todo[0].size, seconds + NO_OP), Dispatch().host)
    backlog.add(tuple(enumerate(todo)))
    backlog.complete = True
    while backlog.ready:
        yield backlog.cut()


def hosted(todo: Sequence[Task], seconds: float, workers: int, take: Take) -> None:
    """The engine: the pool in a process of its own."""
    options = EngineOptions(workers=workers, retries=DEATHS, start_method="fork")
    for result in POOL.run(todo, spin, partial(float, seconds), options):
        take(result)


class InPlace:
    """A supervised pool in the parent's own process."""

    def __init__(self, todo: Sequence[Numbered], seconds: float, workers: int) -> None:
        context = multiprocessing.get_context("fork")
        claims = Claims(context, SLOTS * workers)
        rules = WorkerConfig(workers, b"", None, 0.0, None)
        self.pool = context.Pool(workers, set_up_in_place, (rules, seconds, claims))
        self.watch = Watchdog(multiprocessing.active_children(), claims)
        self.desk = ChunkScheduler(workers, None, None)
        self.events: SimpleQueue[ChunkResult] = SimpleQueue()
        self.desk.take(Batch(tuple(todo), last=True))
        self.results = self.pool.imap_unordered(work, self.tickets(), chunksize=1)

    def tickets(self) -> Iterator[ChunkAssignment]:
        """As the host feeds its pool."""
        while not self.desk.finished:
            if ticket := self.desk.next():
                yield ticket
            else:
                self.desk.take(self.events.get())

    def serve(self) -> Iterator[ChunkResult]:
        """Answers, until all are there or a worker has died."""
        while True:
            try:
                answers = self.results.next(timeout=TICK)
            except multiprocessing.TimeoutError:
                pass
            except StopIteration:
                self.pool.close()
                self.pool.join()
                return
            else:
                yield answers
                self.events.put(answers)
            if self.watch.due() and self.watch.look():
                self.abandon()
                return

    def abandon(self) -> None:
        """Throw the pool away without waiting: only private attributes can do that."""
        pool = self.pool
        pool._terminate.cancel()  # type: ignore[attr-defined]  # noqa: SLF001 - it would wait for a dead worker's lock
        pool._worker_handler._state = "TERMINATE"  # type: ignore[attr-defined]  # noqa: SLF001 - no new workers
        pool._change_notifier.put(None)  # type: ignore[attr-defined]  # noqa: SLF001 - as above
        for process in multiprocessing.active_children():
            process.kill()
            process.join()


def set_up_in_place(rules: WorkerConfig, seconds: float, claims: Claims) -> None:
    """Make a worker of the process."""
    _worker._worker = _worker._Worker(  # noqa: SLF001 - a prototype
        rules, spin, seconds, claims, MemoryLimit(None), Stopwatch()
    )


def in_place(todo: Sequence[Task], seconds: float, workers: int, take: Take) -> None:
    """The pool in this process, and after a death another one."""
    pending = dict(enumerate(todo))
    while pending:
        for answers in InPlace(list(pending.items()), seconds, workers).serve():
            for index, result in pickle.loads(answers.results):  # noqa: S301 - pickled by our own worker
                del pending[index]
                take(result)


DESIGNS: dict[str, Design] = {"bare": bare, "host": hosted, "in place": in_place}


def seconds_of(design: Design, count: int, seconds: float, workers: int, take: Take = lambda _: None) -> float:
    """How long a design takes for so many tasks."""
    todo = tasks(count)
    started = time.perf_counter()
    design(todo, seconds, workers, take)
    return time.perf_counter() - started


def undisturbed(workers: int, rounds: int) -> None:
    """Print what each design takes when nothing goes wrong."""
    print(f"\n{'task':8} {'tasks':>7} {'design':9} {'median s':>9} {'to bare':>8} {'µs a task more':>15}")
    for name, (count, seconds) in WORKLOADS.items():
        taken: dict[str, list[float]] = {design: [] for design in DESIGNS}
        for _ in range(rounds):
            for design, run in DESIGNS.items():
                taken[design].append(seconds_of(run, count, seconds, workers))
        median = {design: statistics.median(times) for design, times in taken.items()}
        for design, time_taken in median.items():
            more = (time_taken - median["bare"]) / count * 1e6
            print(f"{name:8} {count:7,} {design:9} {time_taken:9.3f} {time_taken / median['bare']:8.3f} {more:15.1f}")


def disturbed(workers: int) -> None:
    """Print what each design takes when a worker is killed every now and then, and what it leaves behind."""
    print(f"\n{DEATHS} workers killed:  seconds a death, threads left behind")
    for name in ("host", "in place"):
        count, answered = 50 * (DEATHS + 1), 0

        def kill_now_and_then(result: Result) -> None:
            nonlocal answered
            answered += 1
            if answered % 50 == 0 and answered <= 50 * DEATHS:
                os.kill(result.pid, signal.SIGKILL)

        whole = seconds_of(DESIGNS[name], count, 0.002, workers)
        killed = seconds_of(DESIGNS[name], count, 0.002, workers, kill_now_and_then)
        print(f"{name:9} {(killed - whole) / DEATHS:.3f}  {threading.active_count() - 1}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    undisturbed(options.workers, options.rounds)
    disturbed(options.workers)
    os._exit(0)  # the threads of an abandoned pool would be waited for


if __name__ == "__main__":
    import_module("benchmarks.supervision").main()  # worker processes import its functions by this name
