"""Plug-ins as bad as a decoder, a filter or a model can be. A file, a pixel or a parameter says what they do.

With this folder on PYTHONPATH they are installed: ``imgpool_poison-1.0.dist-info`` names them.
"""

import ctypes
import faulthandler
import os
import signal
import time
import zlib
from pathlib import Path
from typing import Literal

import numpy as np

from imgpool.core.filter import image_filter
from imgpool.core.format import Format, Reader
from imgpool.core.image import Image, Properties

HANG_S = 86_400
BLOCK_BYTES = 64 << 20
MAX_BLOCKS = 64  # without a memory limit, the machine must survive


def act(text):
    """Do what the first word says, with the rest of the text."""
    verb, _, argument = text.strip().partition(" ")
    VERBS[verb](argument)


def crash(_):
    faulthandler.disable()
    ctypes.string_at(0)


def nap(seconds):
    time.sleep(float(seconds.split()[0]))


def hang(folder):
    note(folder)
    time.sleep(HANG_S)


def hang_in_c(folder):
    """Hang in C code that holds the GIL, as a library does that loops forever: no other thread of the process runs.

    It locks a mutex twice. Unlike a sleep, this is not ended by a signal.
    """
    note(folder)
    mutex = ctypes.create_string_buffer(64)
    for _ in range(2):
        ctypes.PyDLL(None).pthread_mutex_lock(mutex)


def wait(folder):
    note(folder)
    while not Path(folder, "go").exists():
        time.sleep(0.01)


def eat(_):
    eaten = [b"x" * BLOCK_BYTES for _ in range(MAX_BLOCKS)]
    raise RuntimeError(f"{len(eaten)} blocks of {BLOCK_BYTES:,} bytes could be allocated")


def note(folder):
    """Create a file with this process's id as its name in a folder, if one is given."""
    if folder:
        Path(folder, str(os.getpid())).touch()


VERBS = {
    "crash": crash,
    "hang": hang,
    "hang-in-c": hang_in_c,
    "exit": lambda code: os._exit(int(code)),
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "eat": eat,
    "nap": nap,
    "wait": wait,
}

HEADER = Properties((8, 8), np.dtype(np.uint8), "YX")

PIXELS = {1: "crash", 2: "hang", 3: "exit 7", 4: "eat"}
"""Command that `poisoned` runs, by the value of an image's first pixel."""


class Poison(Format):
    """Poison: a text that tells its decoder what to do, padded with blanks."""

    name = "poison"
    extensions = (".poison",)
    holds = "anything"

    def can_hold(self, properties):
        return properties == HEADER

    def open(self, path):
        return PoisonReader(path)

    def write(self, image, path):
        Path(path).write_bytes(image.pixels.tobytes())
        return ()


class PoisonReader(Reader):
    """Does what the text says when its pixels are read."""

    properties = HEADER

    def __init__(self, path):
        self.path = path

    def read(self, part=None):
        text = Path(self.path).read_bytes()
        act(text.decode())
        image = Image(np.full(HEADER.shape, zlib.crc32(text) % 256, HEADER.dtype), HEADER.axes)
        return image if part is None else part.crop(image)


@image_filter(tiles="exact")
def poisoned(image: Image) -> Image:
    """Do what the first pixel says."""
    act(PIXELS.get(int(image.pixels.flat[0]), "nap 0"))
    return image


@image_filter(tiles="exact")
class bad_model:  # noqa: N801 - recipes use the name of the class
    """Fail while loading.

    Parameters
    ----------
    how
        How loading ends.
    notes
        A folder in which each process that loads the filter leaves a file with its id in the name.
    """

    def __init__(self, *, how: Literal["raise", "exit", "crash", "kill", "hang"] = "raise", notes: str = "") -> None:
        (Path(notes) / f"{os.getpid()}-{time.monotonic_ns()}").touch()
        if how == "raise":
            raise FileNotFoundError(2, "No such file or directory", "weights.onnx")
        act("exit 9" if how == "exit" else how)

    def __call__(self, image: Image) -> Image:
        return image


POISON = Poison()
