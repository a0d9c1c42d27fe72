"""Measurement of one workload: every method is checked first, then all run alternately in several rounds."""

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.corpora import VERSION
from benchmarks.measuring import MethodError, run
from benchmarks.methods import POOL, SERIAL
from benchmarks.peers.method import ROOT, Job, Method
from benchmarks.workloads import Workload

MAX_ROUNDS_OF_SLOW_METHODS = 3
"""Rounds of methods that do not take part in every round; at most half of all rounds."""

MEMORY_METHODS = ("bound", POOL, SERIAL)
"""Methods whose memory is measured."""

Record = dict[str, Any]


@dataclass
class Workspace:
    """Folders of a measurement.

    Attributes
    ----------
    root
        A folder for copies of the corpora and for results; the caller removes it at the end.
    cache
        Folder in which corpora are kept between invocations.
    keep
        Whether to keep results until the end, because disks are slower for a while after many files are deleted.
    """

    root: Path
    cache: Path
    keep: bool
    _made: int = field(default=0, init=False)

    def new_folder(self) -> Path:
        """Create an empty folder for results."""
        self._made += 1
        folder = self.root / f"results-{self._made:04}"
        folder.mkdir()
        return folder

    def discard(self, folder: Path) -> None:
        """Remove results that are no longer needed, unless they are kept."""
        if not self.keep:
            shutil.rmtree(folder)

    def corpus(self, name: str, count: int) -> Path:
        """Return a copy of a corpus, which is generated if it is not cached."""
        kept = self.cache / f"{name}-{count}-v{VERSION}"
        if not kept.exists():
            words = [sys.executable, "-m", "benchmarks.corpora", name, str(count), os.fspath(kept)]
            subprocess.run(words, check=True, cwd=ROOT)  # noqa: S603 - a module of this benchmark
        copy = self.root / kept.name
        if not copy.exists():
            shutil.copytree(kept, copy)
        return copy

    def part(self, corpus: Path, count: int) -> Path:
        """Return a folder with `count` images of a corpus, spread evenly over it."""
        names = sorted(os.listdir(corpus))
        folder = corpus.with_name(f"{corpus.name}-part-{count}")
        if not folder.exists():
            folder.mkdir()
            for name in names[:: max(1, len(names) // count)][:count]:
                os.link(corpus / name, folder / name)
        return folder


def measure(
    workload: Workload, methods: Iterable[Method], workspace: Workspace, *, count: int, rounds: int, workers: int
) -> Record:
    """Run every method `rounds` times, in turn.

    Returns
    -------
    dict
        The measurements, ready for JSON. "seconds" of a method has an item for each round, which is None if the
        method did not take part. A method that failed has the reason in "failed".
    """
    corpus = workspace.corpus(workload.corpus, count)
    size = sum(entry.stat().st_size for entry in os.scandir(corpus))
    all_measured = [_MeasuredMethod(method, workload, corpus, workspace, workers) for method in methods]
    for measured in all_measured:
        measured.prepare(all_measured[0])
    for number in range(rounds):
        turn = number % len(all_measured)
        for measured in all_measured[turn:] + all_measured[:turn]:
            measured.take_part(number, max_rounds=min(MAX_ROUNDS_OF_SLOW_METHODS, (rounds + 1) // 2))
    return {
        "title": workload.title.format(count=count),
        "images": count,
        "bytes": size,
        "methods": {measured.method.name: measured.record for measured in all_measured},
    }


class _MeasuredMethod:
    """A method for a workload, and its measurements."""

    def __init__(self, method: Method, workload: Workload, corpus: Path, workspace: Workspace, workers: int) -> None:
        self.method, self.workload, self.workspace, self.workers = method, workload, workspace, workers
        images = len(os.listdir(corpus))
        self.all, self.start = images, min(workers, images)
        count = max(2 * workers, math.ceil(images / method.sample(workload)))
        self.few = workspace.part(corpus, self.start)
        self.folder = corpus if count >= images else workspace.part(corpus, count)
        self.record: Record = {"note": method.note, "images": min(count, images), "of": images, "seconds": []}
        self.result = Path()
        if method.missing:
            self.record["failed"] = method.missing

    def prepare(self, bound: "_MeasuredMethod") -> None:
        """Process a few images, compare one with that of the bound, and measure the memory for all images."""
        self._try(lambda: self._check(bound))
        if self.method.name in MEMORY_METHODS:
            self._try(self._measure_memory)

    def take_part(self, number: int, max_rounds: int) -> None:
        """Take part in a round; a slow method does so only in the first `max_rounds`."""
        seconds: float | None = None
        if "failed" not in self.record and (self.method.each_round or number < max_rounds):
            seconds = self._try(self._measure)
        self.record["seconds"].append(seconds)

    def _measure(self) -> float:
        output, seconds, _ = self._run(self.folder)
        if self.method.name in {POOL, SERIAL}:
            self.record.setdefault("tasks", []).append(_task_seconds(output))
        self.workspace.discard(output)
        return self._extrapolate(seconds)

    def _extrapolate(self, seconds: float) -> float:
        """Extrapolate the seconds from the processed images to all images; start-up counts once."""
        done = self.record["images"]
        if done == self.all:
            return seconds
        each = max(0.0, seconds - self.record["start"]) / (done - self.start)
        return seconds + each * (self.all - done)

    def _check(self, bound: "_MeasuredMethod") -> None:
        output, first, _ = self._run(self.few)
        again, second, _ = self._run(self.few)
        self.record["start"] = min(first, second)
        self.result = next(path for path in sorted(output.iterdir()) if path.suffix == self.workload.suffix)
        self.workspace.discard(again)
        if "failed" in bound.record:
            return
        self.record["difference"] = difference = _difference(bound.result, self.result)
        if not difference["same"]:
            shape, dtype = difference["shape"], difference["dtype"]
            raise MethodError(f"gave {dtype} of {shape}, not what the bound gave")

    def _measure_memory(self) -> None:
        output, _, self.record["memory"] = self._run(self.folder, watch=True)
        self.workspace.discard(output)

    def _run(self, folder: Path, *, watch: bool = False) -> tuple[Path, float, int]:
        """Run the method; return the folder of the results, the seconds and the memory."""
        output = self.workspace.new_folder()
        commands = self.method.commands(Job(self.workload, folder, output, self.workers))
        os.sync()
        seconds, memory = run(commands, watch=watch)
        expected = {Path(name).stem + self.workload.suffix for name in os.listdir(folder)}
        if missing := expected - set(os.listdir(output)):
            raise MethodError(f"{len(missing)} of {len(expected)} results are missing: {min(missing)}")
        return output, seconds, memory

    def _try(self, action: Any) -> Any:  # noqa: ANN401 - the result type of the action
        """Return the result of an action; None, with the reason recorded, if it fails."""
        if "failed" in self.record:
            return None
        try:
            return action()
        except MethodError as error:
            self.record["failed"] = str(error)
            return None


def _difference(reference: Path, result: Path) -> Record:
    """Compare two images in another process, so that this one needs little memory."""
    words = [sys.executable, "-m", "benchmarks.agreement", os.fspath(reference), os.fspath(result)]
    done = subprocess.run(words, check=False, capture_output=True, text=True, cwd=ROOT)  # noqa: S603 - a module of this benchmark
    if done.returncode:
        raise MethodError(f"its result cannot be read: {done.stderr.strip().splitlines()[-1]}")
    found: Record = json.loads(done.stdout)[0]
    return found


def _task_seconds(output: Path) -> dict[str, float]:
    """Return the sum and the maximum of the seconds of all tasks in imgpool's journal."""
    lines = (output / ".imgpool" / "journal.jsonl").read_text().splitlines()
    tasks = [sum(json.loads(line)["seconds"].values()) for line in lines]
    return {"sum": sum(tasks), "longest": max(tasks)}
