"""Every way to do a workload's work: the bound, imgpool itself, and its peers."""

import os
import sys
from importlib.util import find_spec

from benchmarks.measuring import Command
from benchmarks.peers import command_line, imagej
from benchmarks.peers.method import Job, Method, python_module
from benchmarks.workloads import Workload

POOL, SERIAL = "imgpool pool", "imgpool serial"

WAYS = {
    "textbook map": "map",
    "textbook imap_unordered": "imap_unordered",
    "textbook ProcessPoolExecutor": "ProcessPoolExecutor",
    "textbook joblib": "joblib",
    "textbook mpire": "mpire",
    "textbook dask.bag": "dask.bag",
}
"""The same worker function, dealt out in different ways."""


def methods(workload: Workload) -> list[Method]:
    """The bound first, then imgpool, then the peers."""
    own = [Method("bound", _bound), Method(POOL, _imgpool), Method(SERIAL, _imgpool_serial)]
    if workload.name == "mixed":
        return own
    textbook = [_textbook(name, way) for name, way in WAYS.items()]
    return [
        *own,
        *textbook,
        *command_line.methods(workload.job),
        *(imagej.methods() if workload.job == "median" else ()),
    ]


def _bound(job: Job) -> list[Command]:
    return [
        python_module("benchmarks.peers.bound", job.workload.job, job.folder, job.output, number, job.workers)
        for number in range(job.workers)
    ]


def _imgpool(job: Job, engine: str = "pool") -> list[Command]:
    words = ["process", os.fspath(job.folder), "-o", os.fspath(job.output), "--engine", engine, "-q"]
    return [Command([sys.executable, "-m", "imgpool", *words, *job.workload.arguments])]


def _imgpool_serial(job: Job) -> list[Command]:
    return _imgpool(job, "serial")


def _textbook(name: str, way: str) -> Method:
    def commands(job: Job) -> list[Command]:
        words = (way, job.workload.job, job.folder, job.output, job.workload.suffix, job.workers)
        return [python_module("benchmarks.peers.dispatch", *words)]

    library = way.partition(".")[0]
    absent = library in {"joblib", "mpire", "dask"} and not find_spec(library)
    return Method(name, commands, way in {"map", "imap_unordered"}, missing=f"{library} is not installed" * absent)
