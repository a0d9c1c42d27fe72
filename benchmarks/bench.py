"""Speed of imgpool relative to other tools, measured alternately: ``make bench``.

The following methods process the same images in turn, in several rounds, each time into a new folder. Start-up counts.

- ``bound``: one bare process per processor, each of which processes its share of the files with the fastest kernels
  available, without journal, progress bar or safety features;
- ``imgpool process``, with the pool and serially;
- a textbook script with scikit-image and Pillow, whose worker function is run by ``Pool.map``,
  ``Pool.imap_unordered`` (file by file), ProcessPoolExecutor, joblib, mpire and dask.bag;
- ImageMagick, GraphicsMagick and libvips with ``xargs -P``, and ImageJ, if they are installed.

First, the result of each method for one image is compared with that of the bound. The images are generated from a seed
and kept in a cache folder. The output gives medians and ratios; a ratio above 1 means that imgpool is faster.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import machine, table
from benchmarks.methods import POOL, SERIAL, methods
from benchmarks.peers.imagej import display
from benchmarks.peers.method import Method
from benchmarks.rounds import Record, Workspace, measure
from benchmarks.workloads import WORKLOADS, Workload
from imgpool.system.resources import available_cpus

MIN_FREE_BYTES = 6e9
"""Free space that an in-memory file system must have to be used."""

DISK_WORKLOAD, DISK_PEERS = "tiny", ("imap_unordered", "GraphicsMagick")
"""Workload that is also measured on a disk, and the peers that take part."""


def main() -> None:
    """Measure the workloads, and print the results and the table for the documentation."""
    options = _options()
    # Exit through an exception, so that processes are ended and files removed.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    results: Record = {
        "machine": machine.describe(options.folder), "rounds": options.rounds, "quick": options.quick, "workloads": {},
    }  # fmt: skip
    print(json.dumps(results["machine"], indent=2, ensure_ascii=False), flush=True)
    with display():
        for workload in WORKLOADS:
            if not options.workload or workload.name in options.workload:
                _measure(workload, options.folder, options, results)
        if options.disk and (not options.workload or DISK_WORKLOAD in options.workload):
            tiny = next(workload for workload in WORKLOADS if workload.name == DISK_WORKLOAD)
            disk = replace(tiny, name=f"{tiny.name} on disk", title=f"{tiny.title}, on disk", work=tiny.name)
            options.peers = DISK_PEERS if options.peers is None else options.peers
            _measure(disk, options.disk, options, results)
    print(table.markdown(results))


def _measure(workload: Workload, folder: Path, options: argparse.Namespace, results: Record) -> None:
    """Measure one workload, print it, and save everything measured so far."""
    count, workers = workload.quick if options.quick else workload.count, available_cpus()
    system = machine.file_system(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix="imgpool-bench-", ignore_cleanup_errors=True) as root:
        workspace = Workspace(Path(root), options.cache, keep=system != "tmpfs")
        record = measure(
            workload, _select(methods(workload), options.peers), workspace, count=count, rounds=options.rounds,
            workers=workers,
        )  # fmt: skip
    results["workloads"][workload.name] = record | {"name": workload.name, "workers": workers, "file system": system}
    print(table.plain(results["workloads"][workload.name]), end="\n\n", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def _select(found: Sequence[Method], words: Sequence[str] | None) -> list[Method]:
    """Select the bound, imgpool, and the peers whose names contain one of the words."""
    own = {"bound", POOL, SERIAL}
    return [
        method
        for method in found
        if words is None or method.name in own or any(word.lower() in method.name.lower() for word in words)
    ]


def _options() -> argparse.Namespace:
    names = [workload.name for workload in WORKLOADS]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "imgpool-bench")
    parser = argparse.ArgumentParser(description="Measure the speed of imgpool relative to other tools.")
    parser.add_argument("--rounds", type=int, help="default: 5, or 2 with --quick")
    parser.add_argument("--workload", nargs="+", choices=names, help="measure only these")
    parser.add_argument(
        "--peers", nargs="*", metavar="WORD", help="only peers whose name contains such a word; without a word none"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="save the measurements in this file")
    parser.add_argument(
        "--folder", type=Path, default=_memory_folder(), help="folder for images and results; default: %(default)s"
    )
    parser.add_argument("--disk", type=Path, nargs="?", const=cache, metavar="DIR",
                        help="also measure the tiny images on a disk; default: %(const)s")  # fmt: skip
    parser.add_argument(
        "--cache", type=Path, default=cache, help="folder in which the images are kept; default: %(default)s"
    )
    parser.add_argument("--quick", action="store_true", help="few images and rounds, to try whether everything runs")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.folder, options.cache = options.folder.resolve(), options.cache.resolve()
    for folder in filter(None, (options.cache, options.disk)):
        folder.mkdir(parents=True, exist_ok=True)
    return options


def _memory_folder() -> Path:
    """Return a folder in memory if it has enough space, because disk times would hide the differences."""
    memory = Path("/dev/shm")  # noqa: S108 - a new folder is created in it
    return (
        memory if memory.is_dir() and shutil.disk_usage(memory).free > MIN_FREE_BYTES else Path(tempfile.gettempdir())
    )


if __name__ == "__main__":
    main()
