"""What it saves to load a model once per worker instead of with every image: the same pool, the same images.

Three ways in turn, round after round: without the model (the images are inverted), with the model loaded in the
pool's initializer, and with the model loaded in every task. ``make bench-models`` prints medians: seconds a run and
an image, how often the model was loaded and how long that took, and the largest share of the machine's memory (PSS)
that a worker had. The model is the small U-Net beside the repository if it is there, else the denoiser of the box; the
images are 512 × 512, in memory as their results are.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np

import imgpool
from imgpool.batch.preload import modules_for
from imgpool.core.engine import EngineOptions
from imgpool.core.recipe import Recipe
from imgpool.core.task import Result, Task
from imgpool.engines.pool import POOL
from imgpool.system.resources import available_cpus
from imgpool.work.files import read
from imgpool.work.loading import LoadLog, load_filters
from imgpool.work.memory_estimate import MemoryEstimate
from imgpool.work.process_file import Job, WorkerState, load_worker_state, process_file

UNET = Path(__file__).parents[1] / "../shared/models/unet2d_nuclei_broad"
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
ROLLUP = Path("/proc/self/smaps_rollup")
SIDE = 512
PSS = "pss"
"""Among the seconds of a result: bytes that its worker held."""


@dataclass(frozen=True)
class Way:
    """How images are processed: the initializer, made of a job, and the function."""

    recipe: Recipe
    initializer: Callable[[Job], object]
    function: Callable[..., Result]


@dataclass(frozen=True)
class Round:
    """What a run took: seconds, seconds of each load of the model, and the most bytes of a worker."""

    seconds: float
    loads: list[float]
    memory: float


def once_per_worker(workshop: WorkerState, task: Task, memory: int | None = None) -> Result:
    """The task, with what the initializer has loaded."""
    return _with_memory(process_file(workshop, task, memory))


def with_every_image(job: Job, task: Task, memory: int | None = None) -> Result:
    """The task, the model loaded in it."""
    filters = load_filters(job.recipe, LoadLog(job.scratch).add)
    return _with_memory(
        process_file(WorkerState(job, filters, MemoryEstimate(job.recipe, Path(job.scratch, "f"))), task, memory)
    )


def keep_job(job: Job) -> Job:
    """The initializer of workers that load nothing."""
    return job


def _with_memory(result: Result) -> Result:
    lines = ROLLUP.read_text("ascii").splitlines() if ROLLUP.exists() else []
    result.seconds[PSS] = sum(1024.0 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return result


def ways(model: str) -> dict[str, Way]:
    """What is measured, by name."""
    recipe = Recipe.from_specs([f"model:path={model}"])
    return {
        "no model": Way(Recipe.from_specs(["invert"]), load_worker_state, once_per_worker),
        "initializer": Way(recipe, load_worker_state, once_per_worker),
        "every image": Way(recipe, keep_job, with_every_image),
    }


def write_images(folder: Path, count: int) -> list[Path]:
    """Noisy 16-bit images with some blobs."""
    folder.mkdir()
    paths = [folder / f"{number:04}.tif" for number in range(count)]
    rows, columns = np.mgrid[:SIDE, :SIDE]
    pattern = 2000 * (np.sin(rows / 9) * np.sin(columns / 13) > 0.5)  # noqa: PLR2004 - the size of the blobs
    for number, path in enumerate(paths):
        noise = np.random.default_rng(number).normal(1000, 100, (SIDE, SIDE))
        imgpool.write(imgpool.Image.from_array((pattern + noise).astype(np.uint16)), path)
    return paths


def run(way: Way, images: list[Path], folder: Path, workers: int) -> Round:
    """Process the images one way."""
    (folder / "out").mkdir(parents=True)
    tasks = [
        Task(str(path), str(folder / "out" / path.name), path.stat().st_size, path.stat().st_mtime_ns)
        for path in images
    ]
    options = EngineOptions(workers=workers, preload=modules_for(way.recipe, tasks))
    job = Job(way.recipe, str(folder))
    started = time.perf_counter()
    results = list(POOL.run(tasks, way.function, partial(way.initializer, job), options))
    seconds = time.perf_counter() - started
    failed = [result.failure for result in results if result.failure]
    assert not failed, failed[0]
    memory = max(result.seconds[PSS] for result in results)
    return Round(seconds, [load.seconds for load in LoadLog(str(folder)).read()], memory)


def measure(model: str, count: int, workers: int, rounds: int) -> dict[str, list[Round]]:
    """The rounds of every way, after one that only warms up; all ways must give the same results."""
    taken: dict[str, list[Round]] = {name: [] for name in ways(model)}
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as name:
        images = write_images(Path(name, "in"), count)
        for number in range(rounds + 1):
            for way, each in ways(model).items():
                found = run(each, images, Path(name, f"{number}-{way}"), workers)
                if number:
                    taken[way].append(found)
        for path in images:
            one, other = (read(Path(name, f"0-{way}", "out", path.name)).pixels for way in list(taken)[1:])
            assert np.array_equal(one, other)
    return taken


def print_table(taken: dict[str, list[Round]], count: int, workers: int) -> None:
    """Print medians, and the ratio that matters."""
    median = {name: statistics.median(each.seconds for each in rounds) for name, rounds in taken.items()}
    print(
        f"{'model loaded':12} {'seconds':>8} {'s an image':>11} {'loads':>6} {'s a load':>9} {'MB a worker (PSS)':>18}"
    )
    for name, rounds in taken.items():
        loads = [seconds for each in rounds for seconds in each.loads]
        load, memory = statistics.median(loads or [0.0]), max(each.memory for each in rounds)
        print(
            f"{name:12} {median[name]:8.2f} {median[name] * workers / count:11.3f} {len(rounds[0].loads):6} "
            f"{load:9.3f} {memory / 1e6:18.0f}"
        )
    print(f"\nonce per worker is {median['every image'] / median['initializer']:.2f} × as fast as with every image")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=str(UNET) if UNET.is_dir() else "denoise", help="a package, or a name")
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--workers", type=int, default=available_cpus())
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{options.model}: {options.images} images of {SIDE} × {SIDE}, {options.workers} workers\n")
    print_table(
        measure(options.model, options.images, options.workers, options.rounds), options.images, options.workers
    )


if __name__ == "__main__":
    import_module("benchmarks.models").main()  # worker processes import its functions by this name
