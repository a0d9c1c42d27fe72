"""How fast imgpool is, as ratios within one run: ``make bench``.

Three ways to do the same work are taken in turn, several rounds, each into a fresh folder:

- ``bare``: as many bare processes as there are processors, each looping over its share of the files with the
  same kernels, with no journal, no bar and no safety: the bound;
- ``serial`` and ``pool``: ``imgpool process`` with either engine, as a subprocess, start-up included.

The corpora are made from a seed. Medians and ratios are printed; a ratio above 1 is faster than what it is
compared with.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from imgpool import Image, Recipe, __version__, read, write
from imgpool.batch.resources import available_cpus


@dataclass(frozen=True)
class Workload:
    """A corpus and what is done to it."""

    name: str
    count: int
    shape: tuple[int, ...]
    dtype: str
    extension: str
    filters: tuple[str, ...]


WORKLOADS = (
    Workload("uint16 TIFF 2048², gaussian", 24, (2048, 2048), "uint16", ".tif", ("gaussian:sigma=2",)),
    Workload("12 MP JPEG, to 1024 px", 12, (3000, 4000, 3), "uint8", ".jpg", ("resize:longest=1024", "unsharp_mask")),
    Workload("PNG 64², gaussian", 2000, (64, 64), "uint8", ".png", ("gaussian:sigma=1",)),
)


def make_corpus(workload: Workload, folder: Path) -> None:
    """Smooth shapes with noise: neither as easy nor as hard to compress as no picture ever is."""
    rng = np.random.default_rng(20)
    top = np.iinfo(workload.dtype).max
    y, x = np.mgrid[: workload.shape[0], : workload.shape[1]] / max(workload.shape[:2])
    for number in range(workload.count):
        phase = rng.uniform(0, 6, 3)
        waves = np.stack([np.sin(9 * x + p) * np.cos(7 * y - p) for p in phase[: (workload.shape[2:] or (1,))[0]]], -1)
        noisy = 0.5 + 0.35 * waves + rng.normal(0, 0.02, waves.shape)
        pixels = (np.clip(noisy, 0, 1) * top).astype(workload.dtype).reshape(workload.shape)
        write(Image.from_array(pixels), folder / f"{number:05}{workload.extension}")


def bare_share(sources: list[Path], output: Path, filters: tuple[str, ...]) -> None:
    """What one bare process does."""
    import cv2

    cv2.setNumThreads(1)
    loaded = Recipe.from_specs(filters).load_filters()
    for source in sources:
        image = read(source)
        for filter_ in loaded:
            image = filter_(image)
        write(image, output / source.name)


def bare(folder: Path, output: Path, workload: Workload) -> None:
    """The bound: the files dealt out beforehand."""
    output.mkdir()
    sources = sorted(folder.iterdir())
    count = available_cpus()
    context = get_context("spawn")
    shares = [(sources[start::count], output, workload.filters) for start in range(count)]
    processes = [context.Process(target=bare_share, args=share) for share in shares]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0


def command(engine: str) -> Callable[[Path, Path, Workload], None]:
    """``imgpool process`` with an engine."""

    def run(folder: Path, output: Path, workload: Workload) -> None:
        steps = [word for spec in workload.filters for word in ("-f", spec)]
        arguments = ["process", os.fspath(folder), "-o", os.fspath(output), "--engine", engine, "-q", *steps]
        subprocess.run([sys.executable, "-m", "imgpool", *arguments], check=True)  # noqa: S603 - our own command

    return run


METHODS = {"bare": bare, "serial": command("serial"), "pool": command("pool")}


def measure(workload: Workload, rounds: int, root: Path) -> dict[str, float]:
    """The median seconds of each method; one round more is run first and not counted."""
    folder = root / "corpus"
    folder.mkdir()
    make_corpus(workload, folder)
    seconds: dict[str, list[float]] = {name: [] for name in METHODS}
    for number in range(rounds + 1):
        for name, method in METHODS.items():
            started = time.perf_counter()
            method(folder, root / f"{name}-{number}", workload)
            if number:
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    """Measure every workload and print a table."""
    parser = argparse.ArgumentParser(description="How fast imgpool is, as ratios within one run.")
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print(f"imgpool {__version__}, Python {platform.python_version()}, {available_cpus()} processors, {rounds} rounds")
    print(f"{'workload':32} {'bare s':>8} {'serial s':>9} {'pool s':>8} {'pool : serial':>14} {'pool : bare':>12}")
    for workload in WORKLOADS:
        with tempfile.TemporaryDirectory() as root:
            took = measure(workload, rounds, Path(root))
        ratios = f"{took['serial'] / took['pool']:14.2f} {took['bare'] / took['pool']:12.2f}"
        print(f"{workload.name:32} {took['bare']:8.2f} {took['serial']:9.2f} {took['pool']:8.2f} {ratios}")


if __name__ == "__main__":
    main()
