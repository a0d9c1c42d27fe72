"""Start-up time of commands: the help and a run over one image, relative to importing two libraries.

``python -m benchmarks.startup`` runs each command in turn in several rounds, and prints the median and fastest times
and their ratios to ``import numpy, cv2``. The image is a uint16 TIFF of 2048 × 2048 pixels. The image and the results
are in memory if possible. With ``--first``, for root on Linux, the commands have priority over all other processes.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

import imgpool

REFERENCE = "import numpy, cv2"
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a new folder is created in it


def commands(folder: Path) -> dict[str, list[str]]:
    """Return the measured commands by name."""
    python = sys.executable
    process = [python, "-m", "imgpool", "process", str(folder / "one"), "-f", "gaussian:sigma=2"]
    process += ["-o", str(folder / "out")]
    return {
        "python -c pass": [python, "-c", "pass"],
        REFERENCE: [python, "-c", REFERENCE],
        "imgpool --help": [python, "-m", "imgpool", "--help"],
        "one image, dry run": [*process, "--dry-run"],
        "one image, serial": [*process, "--serial"],
        "one image, pool": process,
    }


def seconds_of(command: Sequence[str], output: Path) -> float:
    """Run a command, and return its duration in seconds."""
    shutil.rmtree(output, ignore_errors=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)  # noqa: S603 - the commands of this benchmark
    return time.perf_counter() - started


def measure(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every round, after a warm-up round."""
    durations: dict[str, list[float]] = {name: [] for name in commands(folder)}
    for number in range(rounds + 1):
        for name, command in commands(folder).items():
            seconds = seconds_of(command, folder / "out")
            if number:
                durations[name].append(seconds)
    return durations


def print_table(durations: Mapping[str, Sequence[float]]) -> None:
    """Print median and fastest times, and their ratios to the reference."""
    median = {name: statistics.median(times) for name, times in durations.items()}
    print(f"{'command':20} {'median s':>9} {'ratio':>6} {'fastest s':>10} {'ratio':>6}")
    for name, times in durations.items():
        ratio, fastest = median[name] / median[REFERENCE], min(times) / min(durations[REFERENCE])
        print(f"{name:20} {median[name]:9.3f} {ratio:6.2f} {min(times):10.3f} {fastest:6.2f}")


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument(
        "--first", action="store_true", help="run with priority over all other processes (root on Linux)"
    )
    options = parser.parse_args()
    if options.first:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as name:
        folder = Path(name)
        (folder / "one").mkdir()
        pixels = np.random.default_rng(0).normal(3000, 200, (2048, 2048)).astype(np.uint16)
        imgpool.write(imgpool.Image.from_array(pixels), folder / "one" / "a.tif")
        print_table(measure(folder, options.rounds))


if __name__ == "__main__":
    main()
