"""Somebody converts a camera roll to small files. The run is killed half-way, and the same command continues it."""

import signal

import numpy as np
import pytest
from PIL import Image as PillowImage

from tests.support.hashes import output_hashes
from tests.support.runs import Running, command, records

COUNT = 40


@pytest.fixture(scope="module")
def roll(tmp_path_factory):
    """Photos in two folders, with the name of the camera in their EXIF."""
    folder = tmp_path_factory.mktemp("roll") / "photos"
    rng = np.random.default_rng(2)
    exif = PillowImage.Exif()
    exif[0x0110] = "Imaginary camera"
    for number in range(COUNT):
        path = folder / ("holiday" if number % 2 else "garden") / f"IMG_{number:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = PillowImage.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
        coarse.resize((640, 480), PillowImage.Resampling.BICUBIC).save(path, quality=90, exif=exif)
    return folder


def test_killed_conversion_continues_where_it_stopped(imgpool, roll, tmp_path):
    out = tmp_path / "small"
    arguments = ["process", roll, "-o", out, "-f", "resize:longest=200", "-f", "unsharp_mask", "--to", "webp"]
    running = Running(command(*arguments, "-j", 2, "--chunksize", 1), tmp_path)
    try:
        assert running.until(lambda: len(list(records(out))) >= 5)
        running.send(signal.SIGKILL, group=True)
        running.wait()
    finally:
        running.close()
    kept = {entry["target"] for entry in records(out) if entry["status"] == "done"}
    assert len(kept) >= 5

    again = imgpool(*arguments, "--json")
    assert again.code == 0
    assert again.json["done"] + again.json["skipped"] == COUNT
    assert again.json["skipped"] >= len(kept)

    undisturbed = tmp_path / "undisturbed"
    assert imgpool(*[undisturbed if each is out else each for each in arguments]).code == 0
    assert output_hashes(out) == output_hashes(undisturbed)
    assert len(output_hashes(out)) == COUNT
    with PillowImage.open(out / "garden" / "IMG_0000.webp") as picture:
        assert picture.size == (200, 150)
        assert picture.getexif()[0x0110] == "Imaginary camera"

    nothing_left = imgpool(*arguments, "--json")
    assert (nothing_left.code, nothing_left.json["done"], nothing_left.json["skipped"]) == (0, 0, COUNT)
