"""Time and memory before the first image of a run over very many files, of which none, half or all are done.

``python -m benchmarks.million FOLDER --files 1000000`` creates the files in FOLDER, unless an earlier call has, and
measures each step in a new process: ``find`` over the inputs, ``make_plan`` (scan, plan, journal) and ``Status``. The
images are empty, because nothing opens them.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path

from imgpool.batch.plan import make_plan
from imgpool.batch.settings import RunSettings
from imgpool.core.recipe import Recipe
from imgpool.core.task import Result, Task
from imgpool.output.journal import Journal
from imgpool.output.layout import run_path
from imgpool.output.run_file import RunInfo, write
from imgpool.output.status import Status

FILES_PER_FOLDER = 1000
FILTERS = ("gaussian:sigma=2",)
HASH = "5d41402abc4b2a76b9719d911017c592ae7e1f0c3b8d64925f1e0a7cb3d84e96"


def names(files: int) -> Iterator[str]:
    """Iterate over file names like those of a plate reader."""
    for number in range(files):
        plate, site = divmod(number, FILES_PER_FOLDER)
        yield f"plate_{plate:04}/exp_2026-11-22_{plate:04}_s{site:04}_w1.tif"


def make_images(folder: Path, files: int) -> None:
    """Create empty files, `FILES_PER_FOLDER` per folder."""
    for name in names(files):
        path = folder / name
        if name.endswith("_s0000_w1.tif"):
            path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def make_output(photos: Path, output: Path, files: int) -> None:
    """Create an output folder like that of a run that has processed `files` images."""
    make_images(output, files)
    recipe = Recipe.from_specs(FILTERS)
    with Journal(str(output), recipe.fingerprint()) as journal:
        for number, name in enumerate(names(files)):
            task = Task(str(photos / name), str(output / name), 0, (photos / name).stat().st_mtime_ns)
            journal.append(_result(task, number))
            if number % FILES_PER_FOLDER == 0:
                journal.commit()
    run = RunInfo(
        inputs=(str(photos),),
        recipe=recipe.name,
        fingerprint=recipe.fingerprint(),
        engine="pool",
        workers=2,
        found=files,
        skipped=0,
        to_do=files,
    )
    write(str(output), run.ended_now("finished", ()))


def _result(task: Task, number: int) -> Result:
    return Result(
        task,
        "done",
        seconds={"read": 0.0213 + number * 1e-9, "filter": 0.0187, "write": 0.0712},
        step_seconds=(0.0187,),
        shape=(2048, 2048),
        dtype="uint16",
        axes="YX",
        sha256=HASH,
        source_hash=HASH[::-1],
        pid=4711,
    )


def find(photos: str) -> str:
    """List every file with its size and time, using the system's own tool."""
    command = ["find", photos, "-type", "f", "-printf", "%p %s %T@\\n"]
    listed = subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603 - no shell, fixed arguments
    return f"{len(listed.splitlines()):,} files"


def plan_run(photos: str, output: str) -> str:
    """Make the plan of a run."""
    plan = make_plan(RunSettings((photos,), Recipe.from_specs(FILTERS), output))
    return f"{plan.found:,} found, {len(plan.tasks):,} to do"


def read_status(output: str) -> str:
    """Read the status of a run."""
    status = Status(output)
    return f"{status.done:,} done"


def measure(function: Callable[..., str], *arguments: str) -> tuple[float, float, int, str]:
    """Call a function; return elapsed seconds, processor seconds, peak memory in bytes and the result."""
    who = resource.RUSAGE_CHILDREN if function is find else resource.RUSAGE_SELF
    started, before = time.perf_counter(), resource.getrusage(who)
    outcome = function(*arguments)
    seconds, after = time.perf_counter() - started, resource.getrusage(who)
    computed = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, computed, after.ru_maxrss * (1 if sys.platform == "darwin" else 1024), outcome


def main() -> None:
    """Create missing files, then measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=100_000)
    arguments = parser.parse_args()
    files = arguments.files
    base = arguments.folder.absolute() / str(files)
    version = Recipe.from_specs(FILTERS).fingerprint()[:8]  # outputs of another version would be processed again
    photos, whole, half = base / "photos", base / f"whole-{version}", base / f"half-{version}"
    if not photos.exists():
        make_images(photos, files)
    for output, done in ((whole, files), (half, files // 2)):
        if not run_path(str(output)).exists():
            make_output(photos, output, done)
    steps: list[tuple[str, Callable[..., str], tuple[Path, ...]]] = [
        ("find", find, (photos,)),
        ("run, nothing done", plan_run, (photos, base / "none")),
        ("run, half done", plan_run, (photos, half)),
        ("run, all done", plan_run, (photos, whole)),
        ("status", read_status, (whole,)),
    ]
    print(f"{files:,} files on {os.cpu_count()} processors, Python {sys.version.split()[0]}")
    find_seconds = 0.0
    for name, function, paths in steps:
        with get_context("spawn").Pool(1) as fresh:
            seconds, computed, peak, outcome = fresh.apply(measure, (function, *map(str, paths)))
        find_seconds = find_seconds or seconds
        print(
            f"  {name:18} {seconds:7.2f} s ({computed:6.2f} s computing)  {seconds / find_seconds:5.1f} × find"
            f"  {peak / 1e6:6.0f} MB  {outcome}"
        )


if __name__ == "__main__":
    main()
