"""File names of every sort go through whole, and the terminal stays clean."""

import os

import numpy as np
import pytest

from imgpool import read, write
from imgpool.core.image import Image

NAMES = [
    "with space.png",
    "new\nline.png",
    "emoji 🔬.png",
    "-leading-dash.png",
    "x" * 240 + ".png",
    os.fsdecode(b"not-utf8-\xff\xfe.png"),
    "percent%20&quote'\".png",
    "[bold]markup[red].png",
    "UPPER.PNG",
    "two.dots.tar.png",
]


@pytest.mark.parametrize("engine", ["serial", "pool"])
def test_file_names_of_every_kind_are_processed(imgpool, tmp_path, engine):
    folder = tmp_path / "in"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        write(Image.from_array(np.full((8, 9), number, np.uint8)), folder / name)
    command = ["process", folder, "-o", tmp_path / "out", "-f", "invert", "--engine", engine, "--json"]
    done = imgpool(*command, "-v")
    assert done.code == 0, done.stderr
    assert done.json["done"] == len(NAMES)
    for number, name in enumerate(NAMES):
        assert read(tmp_path / "out" / name).pixels[0, 0] == 255 - number
    assert "new\\nline.png" in done.stderr
    assert "[bold]markup[red].png" in done.stderr
    assert imgpool(*command).json["skipped"] == len(NAMES)


def test_name_with_a_leading_dash_can_be_an_input(imgpool, tmp_path):
    write(Image.from_array(np.zeros((8, 9), np.uint8)), tmp_path / "-f.png")
    done = imgpool("process", "--serial", "--", "-f.png", cwd=tmp_path)
    assert done.code == 0, done.stderr


def test_terminal_without_unicode_is_supported(imgpool, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    write(Image.from_array(np.zeros((8, 9), np.uint8)), folder / "µ.png")
    env = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "LANG": "C"}
    done = imgpool("process", folder, "-o", tmp_path / "out", "--serial", "-v", env=env)
    assert done.code == 0, done.stderr
