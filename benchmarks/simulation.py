"""Simulation of runs on more processors than this machine has, and of what would limit them.

The engine's own scheduler assigns chunks to N simulated workers. A task takes the time that it took in a real run
(``--journal OUT/.imgpool/journal.jsonl``), or the time of one of the built-in workloads. Handing over a chunk costs
time in the worker, the host and the parent: as measured on this machine with ``--measure``, otherwise as measured once
before. Writing the journal costs time in the parent, and all workers share one disk. For each N, the speed-up is
printed, with how busy each part is and what limits the run: ``make simulate``.
"""

import argparse
import json
import random
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from heapq import heappop, heappush
from importlib import import_module
from itertools import cycle, islice
from pathlib import Path

import psutil

from imgpool.core.engine import EngineOptions
from imgpool.core.task import Result, Task
from imgpool.engines.pool import POOL
from imgpool.engines.pool.host.chunk_scheduler import ChunkScheduler
from imgpool.engines.pool.protocol.messages import Batch, ChunkAssignment, ChunkResult
from imgpool.engines.pool.worker.worker import MAX_SLICE_SECONDS
from imgpool.engines.shared.timing import Timing
from imgpool.engines.shared.workload import Workload

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128)

LIMITING_BUSY_SHARE = 0.9
"""Share of the time for which a part must be busy to count as what limits the run."""

WRITE_CACHE_BYTES = 1 << 30
"""Bytes that the system keeps in memory before writers wait for the disk."""


@dataclass(frozen=True, slots=True)
class Job:
    """A simulated task: the size of its file in bytes, its duration, and the bytes that it writes."""

    size: int
    seconds: float
    written: int


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU seconds of each process for a chunk, and for each of its tasks."""

    worker_chunk: float = 80e-6
    worker_task: float = 5e-6
    host_chunk: float = 150e-6
    host_task: float = 5.5e-6
    parent_chunk: float = 45e-6
    parent_task: float = 6e-6
    journal_task: float = 15e-6
    disk: float = 500e6  # bytes per second

    def parent(self, tasks: int) -> float:
        """Return the seconds of the parent for a chunk with that many tasks."""
        return self.parent_chunk + tasks * (self.parent_task + self.journal_task)

    def host(self, tasks: int) -> float:
        """Return the seconds of the host for a chunk with that many tasks."""
        return self.host_chunk + tasks * self.host_task

    def worker(self, tasks: int) -> float:
        """Return the seconds of a worker for a chunk with that many tasks."""
        return self.worker_chunk + tasks * self.worker_task


def vary(rng: random.Random, seconds: float) -> float:
    """Return a random duration near `seconds`."""
    return seconds * rng.uniform(0.85, 1.3)


def workloads(scale: int) -> dict[str, list[Job]]:
    """Return the built-in workloads, with durations as measured on one core."""
    rng = random.Random(20)  # noqa: S311 - no cryptography
    many = {
        "12 MP JPEG → 1024 px": (4_000, 5_000_000, 0.075, 300_000),
        "TIFF 2048², gaussian": (4_000, 8_400_000, 0.12, 6_500_000),
        "TIFF → 8-bit PNG": (4_000, 8_400_000, 0.13, 3_500_000),
        "TIFF, median 5": (4_000, 8_400_000, 0.11, 6_500_000),
        "PNG 64², gaussian": (100_000, 4_000, 0.0004, 4_000),
    }
    jobs = {
        name: [Job(size, vary(rng, seconds), written) for _ in range(count * scale)]
        for name, (count, size, seconds, written) in many.items()
    }
    huge = [Job(400_000_000, vary(rng, 6.0), 300_000_000) for _ in range(3 * scale)]
    small = [Job(8_400_000, vary(rng, 0.12), 6_500_000) for _ in range(120 * scale)]
    return jobs | {"3 huge among 120 small": huge + small}


def jobs_of(journal: Path, count: int) -> list[Job]:
    """Return the tasks of a real run, repeated until there are at least `count`."""
    lines = [json.loads(line) for line in journal.read_bytes().splitlines() if line.startswith(b"{")]
    jobs = [Job(line["size"], sum(line["seconds"].values()), line["written"]) for line in lines if line.get("seconds")]
    return sorted(islice(cycle(jobs), max(count, len(jobs))), key=lambda job: -job.size)


class Server:
    """A resource that serves one request at a time: a process, or the disk."""

    def __init__(self) -> None:
        self.free_at = self.busy = 0.0

    def serve(self, now: float, seconds: float) -> float:
        """Return the time at which a request that arrives at `now` is finished, after all earlier ones."""
        self.free_at = max(now, self.free_at) + seconds
        self.busy += seconds
        return self.free_at


@dataclass(order=True, slots=True)
class Event:
    """The time at which a worker has finished a chunk, or at which the result has reached the scheduler (worker -1)."""

    time: float
    worker: int
    result: ChunkResult


class Simulation:
    """One simulated run."""

    def __init__(self, jobs: Sequence[Job], workers: int, costs: Costs) -> None:
        self.jobs = jobs
        self.costs = costs
        self.host, self.parent, self.disk = Server(), Server(), Server()
        self.workers_busy = 0.0
        self.chunks = 0
        self.scheduler = ChunkScheduler(workers, None, None, clock=lambda: self.host.busy)
        self.idle = [(0.0, number) for number in range(workers)]
        self.queue: deque[tuple[float, ChunkAssignment]] = deque()
        self.events: list[Event] = []
        tasks = tuple((index, Task(str(index), "", job.size, 0)) for index, job in enumerate(jobs))
        self.scheduler.handle(Batch(tasks, last=True, upcoming=Workload()))

    def run(self) -> float:
        """Return the seconds that the run takes."""
        now = 0.0
        self._assign(now)
        while self.events:
            event = heappop(self.events)
            now = event.time
            if event.worker < 0:
                self.scheduler.handle(event.result)
                self._assign(now)
            else:
                self.idle.append((now, event.worker))
                count = event.result.timing.tasks
                received = self.parent.serve(self.host.serve(now, self.costs.host(count) / 2), self.costs.parent(count))
                heappush(self.events, Event(received, -1, event.result))
            self._start_chunks(now)
        return max(now, self.parent.free_at, self.disk.free_at)

    def _assign(self, now: float) -> None:
        while assignment := self.scheduler.next_assignment():
            self.queue.append((self.host.serve(now, self.costs.host(len(assignment.chunk)) / 2), assignment))
        self._start_chunks(now)

    def _start_chunks(self, now: float) -> None:
        while self.queue and self.idle:
            arrives_at, assignment = self.queue.popleft()
            free_since, worker = self.idle.pop()
            self._run_chunk(worker, assignment, free_since, max(now, arrives_at))

    def _run_chunk(self, worker: int, assignment: ChunkAssignment, free_since: float, now: float) -> None:
        spent, done, written = 0.0, 0, 0
        for index, _ in assignment.chunk:
            if spent >= MAX_SLICE_SECONDS:
                break
            spent += self.jobs[index].seconds
            written += self.jobs[index].written
            done += 1
        started = now + self.costs.worker(done)
        on_disk = self.disk.serve(started, written / self.costs.disk)
        finished = max(started + spent, on_disk - WRITE_CACHE_BYTES / self.costs.disk)
        self.workers_busy += spent
        self.chunks += 1
        nbytes = sum(task.size for _, task in assignment.chunk[:done])
        timing = Timing(done, nbytes, finished - started, spent, 0.0, started - free_since)
        heappush(
            self.events, Event(finished, worker, ChunkResult(assignment.slot, b"", [], assignment.chunk[done:], timing))
        )


def print_table(name: str, jobs: Sequence[Job], costs: Costs) -> None:
    """Print how a workload runs with more and more workers."""
    total, longest = sum(job.seconds for job in jobs), max(job.seconds for job in jobs)
    print(f"\n{name}: {len(jobs):,} images, {total:,.0f} s of work")
    columns = {"workers": 8, "seconds": 9, "speed-up": 9, "busy": 6, "chunk": 6, "host": 6, "parent": 7, "disk": 6}
    print(" ".join(f"{column:>{width}}" for column, width in columns.items()), " limited by")
    for workers in WORKERS:
        simulation = Simulation(jobs, workers, costs)
        seconds = simulation.run()
        busy = {
            "processors": simulation.workers_busy / workers / seconds,
            "dispatch": simulation.host.busy / seconds,
            "journal and parent": simulation.parent.busy / seconds,
            "disk": simulation.disk.busy / seconds,
            "the longest image": longest / seconds,
        }
        most = max(busy, key=busy.__getitem__)
        limit = most if busy[most] >= LIMITING_BUSY_SHARE else "waiting for each other"
        processors, host, parent, disk, _ = busy.values()
        print(
            f"{workers:8} {seconds:9.2f} {total / seconds:9.1f} {processors:6.0%} {len(jobs) / simulation.chunks:6.1f} "
            f"{host:6.0%} {parent:7.0%} {disk:6.0%}  {limit}"
        )


def no_op(_state: object, task: Task, _memory: int | None) -> Result:
    """Return at once a result that has as many fields as that of an image."""
    seconds = {"read": 0.000123, "filter": 0.000034, "write": 0.000099}
    hashed = {"sha256": f"{task.mtime_ns:064x}", "source_hash": f"{task.mtime_ns + 1:064x}"}
    return Result(task, "done", None, seconds, (0.00003,), (64, 64), "uint8", "YX", 4000, **hashed)


def cpu_of(processes: Iterable[psutil.Process]) -> float:
    """Return the CPU seconds of processes."""
    times = [process.cpu_times() for process in processes]
    return sum(time.user + time.system for time in times)


def cpu_seconds(chunksize: int, count: int) -> list[float]:
    """Return the CPU seconds per task of workers, host and parent, in the middle of a run with no-op tasks."""
    todo = [Task(f"/in/{number:06}.png", f"/out/{number:06}.png", 8_000, number) for number in range(count)]
    options = EngineOptions(workers=2, chunksize=chunksize, start_method="fork")
    first, last = count // 20, count * 3 // 4
    snapshots = []
    for number, _ in enumerate(POOL.run(todo, no_op, partial(dict), options)):
        if number in {first, last}:
            [host] = psutil.Process().children()
            snapshots.append((cpu_of(host.children()), cpu_of([host]), time.process_time()))
    return [(after - before) / (last - first) for before, after in zip(*snapshots, strict=True)]


def measure() -> Costs:
    """Measure what handing over costs on this machine, from chunks of one task and of a hundred."""
    short, long = cpu_seconds(1, 10_000), cpu_seconds(100, 100_000)
    per_chunk = [(one - hundred) * 100 / 99 for one, hundred in zip(short, long, strict=True)]
    per_task = [max(0.0, hundred - chunk / 100) for hundred, chunk in zip(long, per_chunk, strict=True)]
    (worker, host, parent) = zip(per_chunk, per_task, strict=True)
    return Costs(*worker, *host, *parent)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--journal", type=Path, help="use the durations of the run with this journal")
    parser.add_argument("--measure", action="store_true", help="measure what handing over costs on this machine")
    parser.add_argument("--journal-cost", type=float, default=Costs().journal_task, help="seconds for each result")
    parser.add_argument("--disk", type=float, default=Costs().disk, help="bytes per second that it writes")
    parser.add_argument("--scale", type=int, default=1, help="multiply the number of images by this")
    options = parser.parse_args()
    costs = replace(measure() if options.measure else Costs(), journal_task=options.journal_cost, disk=options.disk)
    print(", ".join(f"{name} {1e6 * getattr(costs, name):.1f} µs" for name in Costs.__slots__ if name != "disk"))
    if options.journal:
        jobs = {str(options.journal): jobs_of(options.journal, 4_000 * options.scale)}
    else:
        jobs = workloads(options.scale)
    for name, each in jobs.items():
        print_table(name, each, costs)


if __name__ == "__main__":
    import_module("benchmarks.simulation").main()  # worker processes import its functions by this name
