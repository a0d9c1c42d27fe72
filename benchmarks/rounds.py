"""One workload, measured: every method is checked first, then all take turns."""

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

FEW = 3
"""Methods that need not take part in each round take part in so many, and in no more than every other one."""

WATCHED = ("bound", POOL, SERIAL)
"""Methods of which the memory is of interest."""

Record = dict[str, Any]


@dataclass
class Place:
    """Where things lie.

    Attributes
    ----------
    root
        A folder for copies of the corpora and for results, removed at the end by whoever made it.
    cache
        Where corpora are kept between invocations.
    keep
        Whether results stay to the end: on a disk, files made soon after many were deleted take longer.
    """

    root: Path
    cache: Path
    keep: bool
    _made: int = field(default=0, init=False)

    def fresh(self) -> Path:
        """A new empty folder."""
        self._made += 1
        folder = self.root / f"results-{self._made:04}"
        folder.mkdir()
        return folder

    def done_with(self, folder: Path) -> None:
        """Remove results that are no longer needed, or leave them."""
        if not self.keep:
            shutil.rmtree(folder)

    def corpus(self, name: str, count: int) -> Path:
        """A copy of a corpus, which is made if need be."""
        kept = self.cache / f"{name}-{count}-v{VERSION}"
        if not kept.exists():
            words = [sys.executable, "-m", "benchmarks.corpora", name, str(count), os.fspath(kept)]
            subprocess.run(words, check=True, cwd=ROOT)  # noqa: S603 - our own module
        copy = self.root / kept.name
        if not copy.exists():
            shutil.copytree(kept, copy)
        return copy

    def part(self, corpus: Path, count: int) -> Path:
        """A folder with so many of a corpus's images, evenly picked."""
        names = sorted(os.listdir(corpus))
        folder = corpus.with_name(f"{corpus.name}-part-{count}")
        if not folder.exists():
            folder.mkdir()
            for name in names[:: max(1, len(names) // count)][:count]:
                os.link(corpus / name, folder / name)
        return folder


def measure(
    workload: Workload, methods: Iterable[Method], place: Place, *, count: int, rounds: int, workers: int
) -> Record:
    """Let every method do the work, in turn, `rounds` times.

    Returns
    -------
    dict
        What was measured, ready for JSON. A method's seconds stand in a list with an entry for each round, None
        where it did not take part; one that failed has a "failed" that says why.
    """
    corpus = place.corpus(workload.corpus, count)
    size = sum(entry.stat().st_size for entry in os.scandir(corpus))
    contenders = [_Contender(method, workload, corpus, place, workers) for method in methods]
    for contender in contenders:
        contender.prepare(contenders[0])
    for number in range(rounds):
        turn = number % len(contenders)
        for contender in contenders[turn:] + contenders[:turn]:
            contender.take_part(number, few=min(FEW, (rounds + 1) // 2))
    return {
        "title": workload.title.format(count=count),
        "images": count,
        "bytes": size,
        "methods": {contender.method.name: contender.record for contender in contenders},
    }


class _Contender:
    """A method at work on a workload, and what is known of it."""

    def __init__(self, method: Method, workload: Workload, corpus: Path, place: Place, workers: int) -> None:
        self.method, self.workload, self.place, self.workers = method, workload, place, workers
        images = len(os.listdir(corpus))
        self.all, self.start = images, min(workers, images)
        wanted = max(2 * workers, math.ceil(images / method.sample(workload)))
        self.few = place.part(corpus, self.start)
        self.folder = corpus if wanted >= images else place.part(corpus, wanted)
        self.record: Record = {"note": method.note, "images": min(wanted, images), "of": images, "seconds": []}
        self.result = Path()
        if method.missing:
            self.record["failed"] = method.missing

    def prepare(self, bound: "_Contender") -> None:
        """Do a few images, compare one with the bound's, and see how much memory the whole takes."""
        self._try(lambda: self._check(bound))
        if self.method.name in WATCHED:
            self._try(self._watch)

    def take_part(self, number: int, few: int) -> None:
        """Take part in a round, or only in the first few."""
        seconds: float | None = None
        if "failed" not in self.record and (self.method.each_round or number < few):
            seconds = self._try(self._measured)
        self.record["seconds"].append(seconds)

    def _measured(self) -> float:
        output, seconds, _ = self._run(self.folder)
        if self.method.name in {POOL, SERIAL}:
            self.record.setdefault("tasks", []).append(_task_seconds(output))
        self.place.done_with(output)
        return self._extrapolated(seconds)

    def _extrapolated(self, seconds: float) -> float:
        """The seconds for all images, where only some were done; to start is counted once."""
        done = self.record["images"]
        if done == self.all:
            return seconds
        each = max(0.0, seconds - self.record["start"]) / (done - self.start)
        return seconds + each * (self.all - done)

    def _check(self, bound: "_Contender") -> None:
        output, first, _ = self._run(self.few)
        again, second, _ = self._run(self.few)
        self.record["start"] = min(first, second)
        self.result = next(path for path in sorted(output.iterdir()) if path.suffix == self.workload.suffix)
        self.place.done_with(again)
        if "failed" in bound.record:
            return
        self.record["difference"] = found = _difference(bound.result, self.result)
        if not found["same"]:
            raise MethodError(f"gave {found['dtype']} of {found['shape']}, not what the bound gave")

    def _watch(self) -> None:
        output, _, self.record["memory"] = self._run(self.folder, watch=True)
        self.place.done_with(output)

    def _run(self, folder: Path, *, watch: bool = False) -> tuple[Path, float, int]:
        """Results, seconds and memory."""
        output = self.place.fresh()
        commands = self.method.commands(Job(self.workload, folder, output, self.workers))
        os.sync()
        seconds, memory = run(commands, watch=watch)
        expected = {Path(name).stem + self.workload.suffix for name in os.listdir(folder)}
        if lacking := expected - set(os.listdir(output)):
            raise MethodError(f"{len(lacking)} of {len(expected)} results are missing: {min(lacking)}")
        return output, seconds, memory

    def _try(self, action: Any) -> Any:  # noqa: ANN401 - whatever the action returns
        """The action's outcome, or None where it failed, which is noted."""
        if "failed" in self.record:
            return None
        try:
            return action()
        except MethodError as error:
            self.record["failed"] = str(error)
            return None


def _difference(reference: Path, result: Path) -> Record:
    """How two images differ, found out by another process: this one stays small."""
    words = [sys.executable, "-m", "benchmarks.agreement", os.fspath(reference), os.fspath(result)]
    done = subprocess.run(words, check=False, capture_output=True, text=True, cwd=ROOT)  # noqa: S603 - our own module
    if done.returncode:
        raise MethodError(f"its result cannot be read: {done.stderr.strip().splitlines()[-1]}")
    found: Record = json.loads(done.stdout)[0]
    return found


def _task_seconds(output: Path) -> dict[str, float]:
    """The sum over all tasks and the longest one, as imgpool's journal has them."""
    lines = (output / ".imgpool" / "journal.jsonl").read_text().splitlines()
    tasks = [sum(json.loads(line)["seconds"].values()) for line in lines]
    return {"sum": sum(tasks), "longest": max(tasks)}
