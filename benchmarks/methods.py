"""All methods for a workload: the bound, imgpool, and its peers."""

import os
import sys
from importlib.util import find_spec

from benchmarks.measuring import Command
from benchmarks.peers import command_line, imagej
from benchmarks.peers.method import Job, Method, python_module
from benchmarks.workloads import Workload

POOL, SERIAL = "imgpool pool", "imgpool serial"

LIBRARIES = {
    "textbook map": "map",
    "textbook imap_unordered": "imap_unordered",
    "textbook ProcessPoolExecutor": "ProcessPoolExecutor",
    "textbook joblib": "joblib",
    "textbook mpire": "mpire",
    "textbook dask.bag": "dask.bag",
}
"""Libraries that run the same textbook worker function, by the name of the method."""


def methods(workload: Workload) -> list[Method]:
    """List the bound, then imgpool, then the peers."""
    own = [Method("bound", _bound), Method(POOL, _imgpool), Method(SERIAL, _imgpool_serial)]
    if workload.name == "mixed":
        return own
    textbook = [_textbook(name, library) for name, library in LIBRARIES.items()]
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


def _textbook(name: str, library: str) -> Method:
    def commands(job: Job) -> list[Command]:
        words = (library, job.workload.job, job.folder, job.output, job.workload.suffix, job.workers)
        return [python_module("benchmarks.peers.dispatch", *words)]

    package = library.partition(".")[0]
    missing = package in {"joblib", "mpire", "dask"} and not find_spec(package)
    return Method(
        name, commands, library in {"map", "imap_unordered"}, missing=f"{package} is not installed" if missing else ""
    )
