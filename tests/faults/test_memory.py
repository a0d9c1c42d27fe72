"""Images that together, or alone, take more memory than there may be: they wait, or fail by name; nothing else does."""

import hashlib
import json
import subprocess
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile

MB = 2**20
SIDE = 1024
LARGE = 120 * MB  # what only a process with a large image holds
LIBRARIES = 400 * MB  # what host and workers hold before the first image, and what an allocator keeps for the next

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded and seen in Linux' way")


@dataclass(frozen=True)
class Outcome:
    code: int
    summary: dict
    peak: int  # bytes held by all processes together
    large: int  # the most processes seen at once with a large image


def run(folder, *options):
    """Run the command, and look at its processes all the while."""
    command = [sys.executable, "-m", "imgpool", "process", folder, "--json", "-q", *options]
    peak = most = 0
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as running:
        while running.poll() is None:
            held = [*map(resident, family(running.pid))]
            peak = max(peak, sum(held))
            most = max(most, sum(size > LARGE for size in held))
            time.sleep(0.005)  # sampling, nothing waits for it
        return Outcome(running.returncode, json.loads(running.stdout.read()), peak, most)


def family(pid):
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def resident(process):
    """A process's own memory and its part of what it shares."""
    try:
        return process.memory_full_info().pss
    except psutil.Error:
        return 0


def checks(rows, columns):
    """Tiles of a checked TIFF, compressed: of an image as large as one likes, at once."""
    tile = (np.indices((SIDE, SIDE)).sum(axis=0) // 64 % 200).astype(np.uint8)
    return [zlib.compress(tile.tobytes(), 1)] * (rows * columns)


def write_checks(path, rows, columns):
    tifffile.imwrite(
        path, iter(checks(rows, columns)), shape=(SIDE * rows, SIDE * columns), dtype=np.uint8, tile=(SIDE, SIDE),
        compression="zlib", photometric="minisblack", bigtiff=False,
    )  # fmt: skip


def write_bomb(path):
    """Four gigabytes in as many megabytes."""
    nothing = zlib.compress(bytes(4 * SIDE * SIDE), 9)
    side = 31
    tifffile.imwrite(
        path, iter([nothing] * side**2), shape=(2 * SIDE * side, 2 * SIDE * side), dtype=np.uint8,
        tile=(2 * SIDE, 2 * SIDE), compression="zlib", photometric="minisblack",
    )  # fmt: skip


def write_small(folder, count):
    for number in range(count):
        pixels = np.full((200, 300), number % 250, np.uint16)
        tifffile.imwrite(folder / f"small-{number:02}.tif", pixels, photometric="minisblack")


def hashes(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(folder).iterdir()
        if path.name != ".imgpool"
    }


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def compared_with_serial(folder, *options):
    """Run in a pool of two and serially: the pool's outcome, the same bytes having come out."""
    outputs = [folder.parent / name for name in ("pool", "serial")]
    outcome = run(folder, "-j", 2, "-o", outputs[0], *options)
    assert run(folder, "--serial", "-o", outputs[1], *options).code == 0
    assert hashes(outputs[0]) == hashes(outputs[1])
    return outcome


def test_images_that_do_not_fit_together_wait(folder):
    """Of 144 MB decoded, as much again inverted: two at once would be over the budget."""
    for number in range(3):
        write_checks(folder / f"large-{number}.tif", 12, 12)
    write_small(folder, 20)
    outcome = compared_with_serial(folder, "-f", "invert", "--max-memory", "448MiB")
    assert (outcome.code, outcome.summary["done"]) == (0, 23)
    assert outcome.peak < 448 * MB + LIBRARIES
    assert outcome.large == 1


def test_images_run_together_once_they_are_known_to_fit(folder):
    """Before, each is taken for four gigabytes."""
    for number in range(5):
        write_checks(folder / f"large-{number}.tif", 12, 12)
    outcome = run(folder, "-j", 2, "-f", "invert", "--max-memory", "1GiB", "-o", folder.parent / "out")
    assert (outcome.code, outcome.summary["done"]) == (0, 5)
    assert outcome.large == 2


def test_small_file_of_an_enormous_image_fails_alone(folder):
    write_bomb(folder / "bomb.tif")
    write_small(folder, 20)
    outcome = run(folder, "--max-memory", "512MiB", "-o", folder.parent / "out")
    assert (outcome.code, outcome.summary["done"], outcome.summary["failed"]) == (1, 20, 1)
    [failure] = outcome.summary["failures"]
    assert failure["source"].endswith("bomb.tif")
    assert (failure["stage"], failure["error"]) == ("read", "MemoryError")
    assert "MB by its header" in failure["message"]
    assert len(hashes(folder.parent / "out")) == 20
    assert outcome.peak < 512 * MB + LIBRARIES


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "budget", "sizes"),
    [
        ("invert", 1024, [(16, 20), (18, 20), (20, 20), (20, 21), *[(5, 5)] * 6]),
        ("gaussian", 640, [(5, 6)] * 8 + [(2, 3)] * 16),
        ("gaussian", 2048, [(9, 10), (10, 10), *[(5, 6)] * 6, *[(2, 3)] * 16]),
        ("sobel", 512, [(3, 3)] * 12 + [(2, 2)] * 20),
    ],
)
def test_images_of_all_sizes_stay_within_the_memory_limit(folder, spec, budget, sizes):
    for number, (rows, columns) in enumerate(sizes):
        write_checks(folder / f"{rows}x{columns}-{number:02}.tif", rows, columns)
    write_small(folder, 100)
    outcome = compared_with_serial(folder, "-f", spec, "--max-memory", f"{budget}MiB")
    assert (outcome.code, outcome.summary["done"]) == (0, len(sizes) + 100)
    assert outcome.peak < budget * MB + LIBRARIES
