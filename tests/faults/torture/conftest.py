"""Fixtures of the fault tests: images, runs that leave nothing behind, and a table of figures at the end."""

import contextlib
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from tests.support.figures import Row, table
from tests.support.hashes import output_hashes
from tests.support.runs import Running, command

ROWS = pytest.StashKey[list]()
FILTER = ("-f", "gaussian")
MIN_PIXEL = 1000  # lower values are commands to the filter of the poison package

collect_ignore_glob = [] if sys.platform == "linux" else ["test_*"]  # /proc, tmpfs, process groups


def pytest_terminal_summary(terminalreporter, config):
    if rows := config.stash.get(ROWS, []):
        terminalreporter.section("faults")
        terminalreporter.write_line(table(rows))


@dataclass
class Place:
    """Folders and helpers of a test.

    Attributes
    ----------
    folder
        For inputs and outputs.
    temporary
        For temporary files of the programs that are started here; removed after the test.
    images
        ``images(200)`` returns a folder with 200 small images, and the outputs of the serial engine for them.
    """

    folder: Path
    temporary: Path
    images: object
    rows: list
    opened: list = field(default_factory=list)
    started: list = field(default_factory=list)

    def row(self, fault):
        """Start a row of the table, which is shown whether the test passes or not."""
        row = Row(fault)
        self.rows.append(row)
        self.opened.append((row, time.monotonic()))
        return row

    def start(self, *words, **environment):
        """Start a program."""
        self.started.append(Running(words, self.temporary, **environment))
        return self.started[-1]

    def process(self, folder, output, *options, steps=FILTER, **environment):
        """Start ``imgpool process FOLDER -o OUT -f gaussian``, with more options after it."""
        return self.start(*command("process", folder, "-o", output, *steps, *options), **environment)

    def close(self):
        for row, since in self.opened:
            row.seconds = time.monotonic() - since
        for running in self.started:
            running.close()
        if not any(row.verdict for row, _ in self.opened):
            shutil.rmtree(self.folder)  # a hundred rounds take gigabytes


@pytest.fixture
def place(request, tmp_path, images):
    """Folders and helpers for a test."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as temporary:  # a path short enough for sockets
        place = Place(tmp_path, Path(temporary), images, request.config.stash.setdefault(ROWS, []))
        with contextlib.closing(place):
            yield place


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    made = {}

    def make(count):
        if count not in made:
            home = tmp_path_factory.mktemp(f"images{count}")
            folder = draw(home / "in", count)
            running = Running(command("process", folder, "-o", home / "out", *FILTER, "--serial"), home)
            with contextlib.closing(running):
                assert running.wait().code == 0
            made[count] = folder, output_hashes(home / "out")
        return made[count]

    yield make
    for folder, _ in made.values():
        shutil.rmtree(folder.parent)


def draw(folder, count, side=64):
    folder.mkdir()
    rng = np.random.default_rng(count)
    for number in range(count):
        pixels = rng.integers(MIN_PIXEL, 65536, (side, side), np.uint16)
        (folder / f"{number:05}.png").write_bytes(imagecodecs.png_encode(pixels))
    return folder
