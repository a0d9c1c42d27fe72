"""Images that need more memory than the limit, together or alone: they wait, or fail by themselves."""

import json
import subprocess
import sys
import time
import zlib
from dataclasses import dataclass

import numpy as np
import psutil
import pytest
import tifffile

from tests.support.hashes import output_hashes

MB = 2**20
SIDE = 1024
LARGE_PROCESS = 120 * MB  # only a process with a large image holds more
LIBRARIES = 400 * MB  # held by host and workers before the first image, and kept by the allocator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux reports it")


@dataclass(frozen=True)
class Outcome:
    code: int
    summary: dict
    peak: int  # bytes held by all processes together
    large: int  # the most processes with a large image at the same time


def run(folder, *options):
    """Run the command and sample the memory of its processes."""
    command = [sys.executable, "-m", "imgpool", "process", folder, "--json", "-q", *options]
    peak = most = 0
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as running:
        while running.poll() is None:
            held = [*map(resident, descendants(running.pid))]
            peak = max(peak, sum(held))
            most = max(most, sum(size > LARGE_PROCESS for size in held))
            time.sleep(0.005)  # sampling interval
        return Outcome(running.returncode, json.loads(running.stdout.read()), peak, most)


def descendants(pid):
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def resident(process):
    """Return a process's own memory plus its share of shared memory."""
    try:
        return process.memory_full_info().pss
    except psutil.Error:
        return 0


def checks(rows, columns):
    """Return the compressed tiles of a chequered TIFF; fast for any size."""
    tile = (np.indices((SIDE, SIDE)).sum(axis=0) // 64 % 200).astype(np.uint8)
    return [zlib.compress(tile.tobytes(), 1)] * (rows * columns)


def write_checks(path, rows, columns):
    tifffile.imwrite(
        path, iter(checks(rows, columns)), shape=(SIDE * rows, SIDE * columns), dtype=np.uint8, tile=(SIDE, SIDE),
        compression="zlib", photometric="minisblack", bigtiff=False,
    )  # fmt: skip


def write_bomb(path):
    """Write four gigabytes of pixels into four megabytes."""
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


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def run_and_compare_with_serial(folder, *options):
    """Run with two workers and serially, check that the bytes are equal, and return the outcome of the pool."""
    outputs = [folder.parent / name for name in ("pool", "serial")]
    outcome = run(folder, "-j", 2, "-o", outputs[0], *options)
    assert run(folder, "--serial", "-o", outputs[1], *options).code == 0
    assert output_hashes(outputs[0]) == output_hashes(outputs[1])
    return outcome


def test_images_that_do_not_fit_together_wait(folder):
    """Each takes 144 MB decoded and as much again inverted; two of them exceed the budget."""
    for number in range(3):
        write_checks(folder / f"large-{number}.tif", 12, 12)
    write_small(folder, 20)
    outcome = run_and_compare_with_serial(folder, "-f", "invert", "--max-memory", "448MiB")
    assert (outcome.code, outcome.summary["done"]) == (0, 23)
    assert outcome.peak < 448 * MB + LIBRARIES
    assert outcome.large == 1


def test_images_that_fit_run_together_once_one_is_measured(folder):
    """Before that, each is estimated to take four gigabytes."""
    for number in range(5):
        write_checks(folder / f"large-{number}.tif", 12, 12)
    outcome = run(folder, "-j", 2, "-f", "invert", "--max-memory", "1GiB", "-o", folder.parent / "out")
    assert (outcome.code, outcome.summary["done"]) == (0, 5)
    assert outcome.large == 2


def test_decompression_bomb_fails_alone(folder):
    write_bomb(folder / "bomb.tif")
    write_small(folder, 20)
    outcome = run(folder, "--max-memory", "512MiB", "-o", folder.parent / "out")
    assert (outcome.code, outcome.summary["done"], outcome.summary["failed"]) == (1, 20, 1)
    [failure] = outcome.summary["failures"]
    assert failure["source"].endswith("bomb.tif")
    assert (failure["stage"], failure["error"]) == ("read", "MemoryError")
    assert "MB by its header" in failure["message"]
    assert len(output_hashes(folder.parent / "out")) == 20
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
def test_folder_of_mixed_sizes_stays_within_the_limit(folder, spec, budget, sizes):
    for number, (rows, columns) in enumerate(sizes):
        write_checks(folder / f"{rows}x{columns}-{number:02}.tif", rows, columns)
    write_small(folder, 100)
    outcome = run_and_compare_with_serial(folder, "-f", spec, "--max-memory", f"{budget}MiB")
    assert (outcome.code, outcome.summary["done"]) == (0, len(sizes) + 100)
    assert outcome.peak < budget * MB + LIBRARIES
