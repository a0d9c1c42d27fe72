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
BLOCK = 64 << 20
ENOUGH = 64  # blocks: where nobody sets a limit, the machine shall live


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
    """As a library does that loops for ever and holds the interpreter: no thread of this process runs on."""
    note(folder)
    ctypes.PyDLL(None).sleep(HANG_S)


def wait(folder):
    note(folder)
    while not Path(folder, "go").exists():
        time.sleep(0.01)


def eat(_):
    eaten = [b"x" * BLOCK for _ in range(ENOUGH)]
    raise RuntimeError(f"{len(eaten)} blocks of {BLOCK:,} bytes were to be had")


def note(folder):
    """Leave this process's number in a folder, if there is one to leave it in."""
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
"""What `poisoned` does at an image whose first pixel has this value."""


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
    """Does what the text says when its pixels are asked for."""

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
class bad_model:  # noqa: N801 - a filter's name is its recipe's word
    """Fail while loading.

    Parameters
    ----------
    how
        By which end.
    notes
        A folder in which each process that loads leaves its number.
    """

    def __init__(self, *, how: Literal["raise", "exit", "crash", "kill", "hang"] = "raise", notes: str = "") -> None:
        (Path(notes) / f"{os.getpid()}-{time.monotonic_ns()}").touch()
        if how == "raise":
            raise FileNotFoundError(2, "No such file or directory", "weights.onnx")
        act("exit 9" if how == "exit" else how)

    def __call__(self, image: Image) -> Image:
        return image


POISON = Poison()
