"""Measure what it saves to load a model once per worker instead of once per image, with the same pool and images.

Three variants run in alternation: without the model (the images are inverted), with the model loaded by the pool's
initializer, and with the model loaded in each task. ``make bench-models`` prints medians: seconds per run and per
image, how often the model was loaded and how long that took, and the largest memory (PSS) of a worker. The model is the
small U-Net next to the repository if it exists, else the built-in denoiser. The images have 512 × 512 pixels; inputs
and results are in memory.
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
from imgpool.system.rename import probe
from imgpool.system.resources import available_cpus
from imgpool.work.files import read
from imgpool.work.loading import LoadLog, load_filters
from imgpool.work.placing import Destination
from imgpool.work.process_file import Job, WorkerState, load_worker_state, process_file

UNET = Path(__file__).parents[1] / "../shared/models/unet2d_nuclei_broad"
MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - the files are in a new folder in it
ROLLUP = Path("/proc/self/smaps_rollup")
SIDE_PX = 512
PSS = "pss"
"""Entry in the seconds of a result that holds the memory of its worker in bytes."""


@dataclass(frozen=True)
class Variant:
    """A recipe, the initializer of a worker, given a job, and the function that processes a task."""

    recipe: Recipe
    initializer: Callable[[Job], object]
    function: Callable[..., Result]


@dataclass(frozen=True)
class Measurement:
    """Seconds of a run, seconds of each load of the model, and the largest memory of a worker in bytes."""

    seconds: float
    loads: list[float]
    memory: float


def process_with_loaded_model(state: WorkerState, task: Task, memory: int | None = None) -> Result:
    """Process a task with the model that the initializer has loaded."""
    return _with_memory(process_file(state, task, memory))


def load_and_process(job: Job, task: Task, memory: int | None = None) -> Result:
    """Load the model, then process a task."""
    filters = load_filters(job.recipe, LoadLog(job.scratch).add)
    return _with_memory(process_file(WorkerState.from_filters(job, filters), task, memory))


def keep_job(job: Job) -> Job:
    """Initialize a worker without loading anything."""
    return job


def _with_memory(result: Result) -> Result:
    lines = ROLLUP.read_text("ascii").splitlines() if ROLLUP.exists() else []
    result.seconds[PSS] = sum(1024.0 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return result


def variants(model: str) -> dict[str, Variant]:
    """Return all variants by name."""
    recipe = Recipe.from_specs([f"model:path={model}"])
    return {
        "no model": Variant(Recipe.from_specs(["invert"]), load_worker_state, process_with_loaded_model),
        "initializer": Variant(recipe, load_worker_state, process_with_loaded_model),
        "every image": Variant(recipe, keep_job, load_and_process),
    }


def write_images(folder: Path, count: int, side: int = SIDE_PX) -> list[Path]:
    """Write noisy 16-bit images with bright blobs."""
    folder.mkdir()
    paths = [folder / f"{number:04}.tif" for number in range(count)]
    rows, columns = np.mgrid[:side, :side]
    pattern = 2000 * (np.sin(rows / 9) * np.sin(columns / 13) > 0.5)  # noqa: PLR2004 - the size of the blobs
    for number, path in enumerate(paths):
        noise = np.random.default_rng(number).normal(1000, 100, (side, side))
        imgpool.write(imgpool.Image.from_array((pattern + noise).astype(np.uint16)), path)
    return paths


def run(variant: Variant, images: list[Path], folder: Path, workers: int) -> Measurement:
    """Process the images with one variant."""
    (folder / "out").mkdir(parents=True)
    tasks = [
        Task(str(path), str(folder / "out" / path.name), path.stat().st_size, path.stat().st_mtime_ns)
        for path in images
    ]
    options = EngineOptions(workers=workers, preload=modules_for(variant.recipe, tasks))
    state = folder / ".imgpool"
    state.mkdir()
    destination = Destination(str(folder), str(state), "benchmark", probe(str(state)))
    job = Job(variant.recipe, str(folder), destination)
    started = time.perf_counter()
    results = list(POOL.run(tasks, variant.function, partial(variant.initializer, job), options))
    seconds = time.perf_counter() - started
    failed = [result.failure for result in results if result.failure]
    assert not failed, failed[0]
    memory = max(result.seconds[PSS] for result in results)
    return Measurement(seconds, [load.seconds for load in LoadLog(str(folder)).read()], memory)


def measure(model: str, count: int, workers: int, rounds: int) -> dict[str, list[Measurement]]:
    """Measure all variants in each round, after a warm-up round; check that they give the same results."""
    measurements: dict[str, list[Measurement]] = {name: [] for name in variants(model)}
    with tempfile.TemporaryDirectory(dir=MEMORY_FOLDER if MEMORY_FOLDER.is_dir() else None) as name:
        images = write_images(Path(name, "in"), count)
        for number in range(rounds + 1):
            for variant, each in variants(model).items():
                measured = run(each, images, Path(name, f"{number}-{variant}"), workers)
                if number:
                    measurements[variant].append(measured)
        for path in images:
            one, other = (
                read(Path(name, f"0-{variant}", "out", path.name)).pixels for variant in list(measurements)[1:]
            )
            assert np.array_equal(one, other)
    return measurements


def print_table(measurements: dict[str, list[Measurement]], count: int, workers: int) -> None:
    """Print the medians, and the ratio of loading per worker to loading per image."""
    median = {name: statistics.median(each.seconds for each in rounds) for name, rounds in measurements.items()}
    print(f"{'model loaded':12} {'seconds':>8} {'s/image':>11} {'loads':>6} {'s/load':>9} {'MB/worker (PSS)':>18}")
    for name, rounds in measurements.items():
        loads = [seconds for each in rounds for seconds in each.loads]
        load, memory = statistics.median(loads or [0.0]), max(each.memory for each in rounds)
        print(
            f"{name:12} {median[name]:8.2f} {median[name] * workers / count:11.3f} {len(rounds[0].loads):6} "
            f"{load:9.3f} {memory / 1e6:18.0f}"
        )
    ratio = median["every image"] / median["initializer"]
    print(f"\nloading once per worker is {ratio:.2f} × as fast as loading for every image")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--model", default=str(UNET) if UNET.is_dir() else "denoise", help="a package, or the name of a built-in model"
    )
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--workers", type=int, default=available_cpus())
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{options.model}: {options.images} images of {SIDE_PX} × {SIDE_PX}, {options.workers} workers\n")
    print_table(
        measure(options.model, options.images, options.workers, options.rounds), options.images, options.workers
    )


if __name__ == "__main__":
    import_module("benchmarks.models").main()  # worker processes import its functions by this name
