"""How fast imgpool is beside its peers, as ratios within one run: ``make bench``.

The same images are processed by turns, several rounds, each time into a fresh folder, start-up included, by

- ``bound``: as many bare processes as there are processors, each looping over its share of the files with the best
  kernels there are, with no journal, no bar and no safety;
- ``imgpool process``, with the pool and serially;
- a textbook script around scikit-image and Pillow, its worker function dealt out by ``Pool.map``,
  ``Pool.imap_unordered`` (file by file), ProcessPoolExecutor, joblib, mpire and dask.bag;
- ImageMagick, GraphicsMagick and libvips by ``xargs -P``, and ImageJ, as far as they are installed.

Before that each method's result for one image is compared with the bound's. The images are made from a seed and kept
in a cache folder. Medians and ratios are printed; a ratio above 1 says that imgpool is faster.
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
from benchmarks.rounds import Place, Record, measure
from benchmarks.workloads import WORKLOADS, Workload
from imgpool.system.resources import available_cpus

ROOM = 6e9  # bytes
ON_DISK, DISK_PEERS = "tiny", ("imap_unordered", "GraphicsMagick")


def main() -> None:
    """Measure, print what was measured, and the README's table at the end."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # lest processes and files stay
    results: Record = {
        "machine": machine.describe(options.folder), "rounds": options.rounds, "quick": options.quick, "workloads": {},
    }  # fmt: skip
    print(json.dumps(results["machine"], indent=2, ensure_ascii=False), flush=True)
    with display():
        for workload in WORKLOADS:
            if not options.workload or workload.name in options.workload:
                _measure(workload, options.folder, options, results)
        if options.disk and (not options.workload or ON_DISK in options.workload):
            tiny = next(workload for workload in WORKLOADS if workload.name == ON_DISK)
            disk = replace(tiny, name=f"{tiny.name} on disk", title=f"{tiny.title}, on disk", work=tiny.name)
            options.peers = DISK_PEERS if options.peers is None else options.peers
            _measure(disk, options.disk, options, results)
    print(table.readme(results))


def _measure(workload: Workload, folder: Path, options: argparse.Namespace, results: Record) -> None:
    """Measure one workload, print it and save what has been measured so far."""
    count, workers = workload.quick if options.quick else workload.count, available_cpus()
    system = machine.file_system(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix="imgpool-bench-", ignore_cleanup_errors=True) as root:
        place = Place(Path(root), options.cache, keep=system != "tmpfs")
        record = measure(
            workload, _wanted(methods(workload), options.peers), place, count=count, rounds=options.rounds,
            workers=workers,
        )  # fmt: skip
    results["workloads"][workload.name] = record | {"name": workload.name, "workers": workers, "file system": system}
    print(table.plain(results["workloads"][workload.name]), end="\n\n", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def _wanted(found: Sequence[Method], words: Sequence[str] | None) -> list[Method]:
    """The bound and imgpool always, and of the peers those whose names hold one of the words."""
    own = {"bound", POOL, SERIAL}
    return [
        method
        for method in found
        if words is None or method.name in own or any(word.lower() in method.name.lower() for word in words)
    ]


def _options() -> argparse.Namespace:
    names = [workload.name for workload in WORKLOADS]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "imgpool-bench")
    parser = argparse.ArgumentParser(description="How fast imgpool is beside its peers, as ratios within one run.")
    parser.add_argument("--rounds", type=int, help="default: 5, or 2 with --quick")
    parser.add_argument("--workload", nargs="+", choices=names, help="only these")
    parser.add_argument("--peers", nargs="*", metavar="WORD", help="only peers with such a word in their name; or none")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to save what was measured")
    parser.add_argument("--folder", type=Path, default=_roomy(), help="for images and results; default: %(default)s")
    parser.add_argument("--disk", type=Path, nargs="?", const=cache, metavar="DIR",
                        help="measure the tiny images on a disk too; default: %(const)s")  # fmt: skip
    parser.add_argument("--cache", type=Path, default=cache, help="where the images are kept; default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="few images and rounds: a smoke test, no measurement")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.folder, options.cache = options.folder.resolve(), options.cache.resolve()
    for folder in filter(None, (options.cache, options.disk)):
        folder.mkdir(parents=True, exist_ok=True)
    return options


def _roomy() -> Path:
    """A file system in memory if there is one with room, for there the disk does not drown the rest."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > ROOM else Path(tempfile.gettempdir())


if __name__ == "__main__":
    main()
