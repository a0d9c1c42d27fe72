"""What would bound a run on more processors than there are here: a simulation with the real chunks.

The engine's own desk hands out chunks to N workers on paper. A task takes the time that it took in a real run
(``--journal OUT/.imgpool/journal.jsonl``), or that of one of the built-in workloads. Handing a chunk over keeps the
worker, the host and the parent busy for as long as ``--measure`` finds on this machine (without it, for as long as
it was once found); writing to the journal keeps the parent busy; and all workers share one disk. For each N it
prints the speed-up, how busy everybody is, and what bounds the run: ``make simulate``.
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
from imgpool.engines.pool.host.chunk_length import Load
from imgpool.engines.pool.host.chunk_scheduler import ChunkScheduler
from imgpool.engines.pool.protocol.messages import Batch, ChunkAssignment, ChunkResult, Timing
from imgpool.engines.pool.worker.worker import SLICE

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128)
BOUND = 0.9  # busy for this part of the time, workers or anybody else are what bounds a run
DIRTY = 1 << 30  # bytes that the system keeps in memory before writers wait for the disk


@dataclass(frozen=True, slots=True)
class Job:
    """A task on paper: the size of its file, the seconds it takes, the bytes that it writes."""

    size: int
    seconds: float
    written: int


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds that everybody computes for a chunk, and for each of its tasks."""

    worker_chunk: float = 80e-6
    worker_task: float = 5e-6
    host_chunk: float = 150e-6
    host_task: float = 5.5e-6
    parent_chunk: float = 45e-6
    parent_task: float = 6e-6
    journal_task: float = 15e-6
    disk: float = 500e6  # bytes a second

    def parent(self, tasks: int) -> float:
        """Of a chunk with so many tasks."""
        return self.parent_chunk + tasks * (self.parent_task + self.journal_task)

    def host(self, tasks: int) -> float:
        """As above."""
        return self.host_chunk + tasks * self.host_task

    def worker(self, tasks: int) -> float:
        """As above."""
        return self.worker_chunk + tasks * self.worker_task


def spread(rng: random.Random, seconds: float) -> float:
    """About so long."""
    return seconds * rng.uniform(0.85, 1.3)


def workloads(scale: int) -> dict[str, list[Job]]:
    """The built-in workloads, with times as measured on one core here."""
    rng = random.Random(20)  # noqa: S311 - no secret
    many = {
        "12 MP JPEG → 1024 px": (4_000, 5_000_000, 0.075, 300_000),
        "TIFF 2048², gaussian": (4_000, 8_400_000, 0.12, 6_500_000),
        "TIFF → 8-bit PNG": (4_000, 8_400_000, 0.13, 3_500_000),
        "TIFF, median 5": (4_000, 8_400_000, 0.11, 6_500_000),
        "PNG 64², gaussian": (100_000, 4_000, 0.0004, 4_000),
    }
    jobs = {
        name: [Job(size, spread(rng, seconds), written) for _ in range(count * scale)]
        for name, (count, size, seconds, written) in many.items()
    }
    huge = [Job(400_000_000, spread(rng, 6.0), 300_000_000) for _ in range(3 * scale)]
    small = [Job(8_400_000, spread(rng, 0.12), 6_500_000) for _ in range(120 * scale)]
    return jobs | {"3 huge among 120 small": huge + small}


def jobs_of(journal: Path, count: int) -> list[Job]:
    """What a real run has done, repeated to so many tasks."""
    lines = [json.loads(line) for line in journal.read_bytes().splitlines() if line.startswith(b"{")]
    jobs = [Job(line["size"], sum(line["seconds"].values()), line["written"]) for line in lines if line.get("seconds")]
    return sorted(islice(cycle(jobs), max(count, len(jobs))), key=lambda job: -job.size)


class Server:
    """Somebody who does one thing after the other."""

    def __init__(self) -> None:
        self.free_at = self.busy = 0.0

    def serve(self, now: float, seconds: float) -> float:
        """When something is done that is handed in now."""
        self.free_at = max(now, self.free_at) + seconds
        self.busy += seconds
        return self.free_at


@dataclass(order=True, slots=True)
class Event:
    """At this time a worker has ended a chunk, or (worker -1) its answers have reached the desk."""

    time: float
    worker: int
    answers: ChunkResult


class Simulation:
    """One run on paper."""

    def __init__(self, jobs: Sequence[Job], workers: int, costs: Costs) -> None:
        self.jobs = jobs
        self.costs = costs
        self.host, self.parent, self.disk = Server(), Server(), Server()
        self.workers_busy = 0.0
        self.chunks = 0
        self.desk = ChunkScheduler(workers, None, None, clock=lambda: self.host.busy)
        self.idle = [(0.0, number) for number in range(workers)]
        self.queue: deque[tuple[float, ChunkAssignment]] = deque()
        self.events: list[Event] = []
        tasks = tuple((index, Task(str(index), "", job.size, 0)) for index, job in enumerate(jobs))
        self.desk.take(Batch(tasks, last=True, beyond=Load()))

    def run(self) -> float:
        """The seconds that it takes."""
        now = 0.0
        self._hand_out(now)
        while self.events:
            event = heappop(self.events)
            now = event.time
            if event.worker < 0:
                self.desk.take(event.answers)
                self._hand_out(now)
            else:
                self.idle.append((now, event.worker))
                count = event.answers.timing.tasks
                told = self.parent.serve(self.host.serve(now, self.costs.host(count) / 2), self.costs.parent(count))
                heappush(self.events, Event(told, -1, event.answers))
            self._begin(now)
        return max(now, self.parent.free_at, self.disk.free_at)

    def _hand_out(self, now: float) -> None:
        while ticket := self.desk.next():
            self.queue.append((self.host.serve(now, self.costs.host(len(ticket.chunk)) / 2), ticket))
        self._begin(now)

    def _begin(self, now: float) -> None:
        while self.queue and self.idle:
            there_at, ticket = self.queue.popleft()
            free_since, worker = self.idle.pop()
            self._work(worker, ticket, free_since, max(now, there_at))

    def _work(self, worker: int, ticket: ChunkAssignment, free_since: float, now: float) -> None:
        spent, done, written = 0.0, 0, 0
        for index, _ in ticket.chunk:
            if spent >= SLICE:
                break
            spent += self.jobs[index].seconds
            written += self.jobs[index].written
            done += 1
        begun = now + self.costs.worker(done)
        on_disk = self.disk.serve(begun, written / self.costs.disk)
        ended = max(begun + spent, on_disk - DIRTY / self.costs.disk)
        self.workers_busy += spent
        self.chunks += 1
        nbytes = sum(task.size for _, task in ticket.chunk[:done])
        timing = Timing(done, nbytes, ended - begun, spent, 0.0, begun - free_since)
        heappush(self.events, Event(ended, worker, ChunkResult(ticket.slot, b"", [], ticket.chunk[done:], timing)))


def print_table(name: str, jobs: Sequence[Job], costs: Costs) -> None:
    """How a workload goes with more and more workers."""
    total, longest = sum(job.seconds for job in jobs), max(job.seconds for job in jobs)
    print(f"\n{name}: {len(jobs):,} images, {total:,.0f} s of work")
    columns = {"workers": 8, "seconds": 9, "speed-up": 9, "busy": 6, "chunk": 6, "host": 6, "parent": 7, "disk": 6}
    print(" ".join(f"{column:>{width}}" for column, width in columns.items()), " bound")
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
        bound = most if busy[most] >= BOUND else "waiting for each other"
        processors, host, parent, disk, _ = busy.values()
        print(
            f"{workers:8} {seconds:9.2f} {total / seconds:9.1f} {processors:6.0%} {len(jobs) / simulation.chunks:6.1f} "
            f"{host:6.0%} {parent:7.0%} {disk:6.0%}  {bound}"
        )


def no_op(_state: object, task: Task, _memory: int | None) -> Result:
    """A task that takes no time, and tells as much as an image does."""
    seconds = {"read": 0.000123, "filter": 0.000034, "write": 0.000099}
    hashed = {"sha256": f"{task.mtime_ns:064x}", "source_hash": f"{task.mtime_ns + 1:064x}"}
    return Result(task, "done", None, seconds, (0.00003,), (64, 64), "uint8", "YX", 4000, **hashed)


def cpu_of(processes: Iterable[psutil.Process]) -> float:
    """Seconds that they have computed."""
    times = [process.cpu_times() for process in processes]
    return sum(time.user + time.system for time in times)


def cpu_seconds(chunksize: int, count: int) -> list[float]:
    """What workers, host and parent compute for each of the tasks of a run that take no time: in the midst of it."""
    todo = [Task(f"/in/{number:06}.png", f"/out/{number:06}.png", 8_000, number) for number in range(count)]
    options = EngineOptions(workers=2, chunksize=chunksize, start_method="fork")
    begin, end = count // 20, count * 3 // 4
    seen = []
    for number, _ in enumerate(POOL.run(todo, no_op, partial(dict), options)):
        if number in {begin, end}:
            [host] = psutil.Process().children()
            seen.append((cpu_of(host.children()), cpu_of([host]), time.process_time()))
    return [(after - before) / (end - begin) for before, after in zip(*seen, strict=True)]


def measure() -> Costs:
    """What handing over costs here: from chunks of one task, and of a hundred."""
    short, long = cpu_seconds(1, 10_000), cpu_seconds(100, 100_000)
    per_chunk = [(one - hundred) * 100 / 99 for one, hundred in zip(short, long, strict=True)]
    per_task = [max(0.0, hundred - chunk / 100) for hundred, chunk in zip(long, per_chunk, strict=True)]
    (worker, host, parent) = zip(per_chunk, per_task, strict=True)
    return Costs(*worker, *host, *parent)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--journal", type=Path, help="of a run whose times to take")
    parser.add_argument("--measure", action="store_true", help="measure what handing over costs on this machine")
    parser.add_argument("--journal-cost", type=float, default=Costs().journal_task, help="seconds for a result")
    parser.add_argument("--disk", type=float, default=Costs().disk, help="bytes a second that it writes")
    parser.add_argument("--scale", type=int, default=1, help="times as many images")
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
