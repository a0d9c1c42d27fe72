"""A job runs every night, and nobody watches. One file is broken: the exit code says so, and it is processed alone."""

import shutil

import numpy as np
import pytest

from imgpool import Image, write

COUNT = 12


@pytest.fixture
def night(tmp_path, broken_images):
    """Last night's images, one of which was only partly copied."""
    folder = tmp_path / "night"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for number in range(COUNT):
        write(Image(rng.integers(0, 4000, (80, 90)).astype(np.uint16), "YX"), folder / f"{number:02}.tif")
    shutil.copy(broken_images / "truncated_lzw.tif", folder / "07.tif")
    return folder


def test_broken_file_is_reported_and_repaired_alone(imgpool, night, tmp_path):
    out = tmp_path / "out"
    job = ["process", night, "-o", out, "-f", "median:size=3", "--json", "-q"]
    done = imgpool(*job)
    assert done.code == 1
    assert (done.json["done"], done.json["failed"]) == (COUNT - 1, 1)
    (failure,) = done.json["failures"]
    assert failure["source"].endswith("07.tif")
    assert (failure["stage"], bool(failure["message"])) == ("read", True)

    assert "07.tif" in imgpool("status", out).stdout
    assert imgpool("status", out, "--json").json["failed"] == 1

    shutil.copy(night / "06.tif", night / "07.tif")
    repaired = imgpool(*job)
    assert (repaired.code, repaired.json["done"], repaired.json["skipped"]) == (0, 1, COUNT - 1)
    assert imgpool("verify", out, "-q").code == 0


def test_new_images_are_added_the_next_night(imgpool, night, tmp_path):
    shutil.copy(night / "06.tif", night / "07.tif")
    job = ["process", night, "-o", tmp_path / "out", "-f", "median:size=3", "--json", "-q"]
    assert imgpool(*job).json["done"] == COUNT
    shutil.copy(night / "00.tif", night / "12.tif")
    (night / "03.tif").unlink()
    second = imgpool(*job)
    assert (second.code, second.json["done"], second.json["skipped"]) == (0, 1, COUNT - 1)
    assert (tmp_path / "out" / "03.tif").exists()
