"""What a first-time user is told, and whether the remedy works when it is followed to the letter."""

import os
import shlex
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from imgpool import Image, write

UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
PLANE = np.random.default_rng(0).integers(0, 60000, (20, 30), np.uint16)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    write(Image.from_array(PLANE), folder / "a.png")
    return folder


@pytest.fixture
def closed():
    """Take rights away from paths, and give them back at the end."""
    taken = []

    def take(path, mode):
        taken.append(path)
        path.chmod(mode)

    yield take
    for path in taken:
        path.chmod(0o755)


def unprivileged(*arguments):
    """Call imgpool as a user whom the rights of files stop."""
    command = [*UNPRIVILEGED, sys.executable, "-m", "imgpool", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_an_output_that_may_not_be_written_to(photos, tmp_path, closed):
    (tmp_path / "out").mkdir()
    closed(tmp_path / "out", 0o555)
    done = unprivileged("process", photos, "-o", tmp_path / "out", "--serial")
    assert done.returncode == 3
    assert (
        "cannot be written (permission denied)\n  → allow it with chmod -R +w, or choose another folder with -o"
        in done.stderr
    )


def test_a_folder_that_may_not_be_listed(photos, closed):
    (photos / "closed").mkdir()
    write(Image.from_array(PLANE), photos / "closed" / "b.png")
    closed(photos / "closed", 0)
    done = unprivileged("process", photos, "-o", photos.parent / "out", "--serial")
    assert (done.returncode, "closed · read · it cannot be read" in done.stderr) == (1, True)
    subprocess.run(["chmod", "+rX", photos / "closed"], check=True)  # as the remedy says
    assert unprivileged("process", photos, "-o", photos.parent / "out", "--serial").returncode == 0


def test_a_named_file_in_a_closed_folder_is_not_said_to_be_missing(photos, closed):
    closed(photos, 0)
    done = unprivileged("process", photos / "a.png", "-o", photos.parent / "out", "--serial")
    assert (done.returncode, "it cannot be read (permission denied)" in done.stderr) == (1, True)


def test_an_output_below_a_file(imgpool, photos, tmp_path):
    (tmp_path / "file").touch()
    outcome = imgpool("process", photos, "-o", tmp_path / "file" / "out")
    assert (outcome.code, f"the output {tmp_path / 'file'} is a file" in outcome.stderr) == (2, True)


def test_a_filter_beside_a_recipe_is_answered_with_the_filters_to_give(imgpool, photos, tmp_path):
    refused = imgpool("process", photos, "-o", tmp_path / "out", "-r", "enhance", "-f", "to_uint8")
    assert refused.code == 2
    remedy = shlex.split(refused.stderr.partition("give the filters alone: ")[2])
    assert remedy[-2:] == ["-f", "to_uint8"]
    assert imgpool("process", photos, "-o", tmp_path / "out", "--serial", *remedy).code == 0


def test_pictures_that_no_format_reads_are_named(imgpool, photos, tmp_path):
    for name in ("IMG_1.HEIC", "IMG_2.heic", "plate.czi", "notes.txt"):
        (photos / name).touch()
    stderr = imgpool("process", photos, "-o", tmp_path / "out", "--serial").stderr
    assert "1 file ignored: not images" in stderr
    assert "3 images ignored: imgpool cannot read .czi, .heic" in stderr


def test_all_collisions_are_counted(imgpool, photos, tmp_path):
    for name in "bcd":
        for extension in (".png", ".bmp"):
            write(Image.from_array((PLANE >> 8).astype(np.uint8)), photos / f"{name}{extension}")
    outcome = imgpool("process", photos, "-o", tmp_path / "out", "--to", "tiff")
    assert (outcome.code, "out/b.tif, and 2 more like it" in outcome.stderr) == (2, True)


def test_pixels_that_are_not_square_are_not_blamed_on_a_length_that_nobody_gave(imgpool, tmp_path):
    said = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25}
    tifffile.imwrite(tmp_path / "a.ome.tif", PLANE, metadata=said)
    outcome = imgpool("process", tmp_path / "a.ome.tif", "-o", tmp_path / "out", "-f", "rotate:angle=30", "--serial")
    assert "rotate needs square pixels, and these are 0.25 µm high and 0.5 µm wide" in outcome.stderr
