"""Filters for tests: one that loads slowly and fails in all the ways that a model may, and two simpler ones.

With this folder on PYTHONPATH it is installed: ``imgpool_heavy-1.0.dist-info`` names it.
"""

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
import time
from pathlib import Path
from typing import Literal

import numpy as np
import psutil

from imgpool.core.errors import FilterError, WorkerError
from imgpool.core.filter import image_filter
from imgpool.core.image import Image
from imgpool.core.reference import Reference

HANG_S = 86_400
WAIT_TIMEOUT_S = 60
SETTLING_S = 0.3
MEGABYTE = 1_000_000

How = Literal["well", "refuse", "raise", "missing", "no memory", "exit", "crash", "kill", "hang"]


def fail(how):
    faulthandler.disable()
    if how == "refuse":
        raise WorkerError("the weights are damaged", "download them again")
    if how == "raise":
        raise KeyError("weights")
    if how == "missing":
        raise FileNotFoundError(2, "No such file or directory", "weights.bin")
    if how == "no memory":
        raise MemoryError
    if how == "exit":
        sys.exit(9)
    if how == "crash":
        ctypes.string_at(0)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "hang":
        time.sleep(HANG_S)


def wait_for_others(notes, count):
    end = time.monotonic() + WAIT_TIMEOUT_S
    while sum(map(is_alive, {int(name.partition("-")[0]) for name in os.listdir(notes)})) < count:
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.02)
    time.sleep(SETTLING_S)  # until they have recorded what loading took


def is_alive(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


@image_filter(tiles="exact", heavy=True)
class heavy:  # noqa: N801 - recipes use the name of the class
    """Invert, after a while.

    Parameters
    ----------
    how
        How loading ends.
    megabytes
        Megabytes that the loaded filter holds.
    work
        Megabytes that it holds in addition while it processes an image.
    notes
        A folder in which each process that loads the filter leaves a file with its id in the name.
    together
        Each process waits with its first image until this many living processes have loaded the filter.
    nap
        Seconds that an image takes.
    weights
        A file that the filter refers to.
    """

    def __init__(
        self,
        *,
        how: How = "well",
        megabytes: int = 0,
        work: int = 0,
        notes: str = "",
        together: int = 0,
        nap: float = 0,
        weights: Reference | None = None,
    ) -> None:
        if notes:
            (Path(notes) / f"{os.getpid()}-{time.monotonic_ns()}").touch()
        fail(how)
        self.weights, self.work, self.nap = weights, work, nap
        self.notes, self.together = notes, together
        self.held = np.ones(megabytes * MEGABYTE, np.uint8)

    def rehearse(self) -> None:
        np.ones(self.work * MEGABYTE, np.uint8)
        if not self.work:
            raise FilterError("an image of nothing")

    def __call__(self, image: Image) -> Image:
        if self.together:
            wait_for_others(self.notes, self.together)
            self.together = 0
        time.sleep(self.nap)
        return image.with_pixels(np.iinfo(image.pixels.dtype).max - image.pixels)


@image_filter(tiles="no")
def exit_if_small(image: Image) -> Image:
    """Exit if the image has 8 × 8 pixels."""
    if image.pixels.shape == (8, 8):
        sys.exit("that is all")
    return image


@image_filter(tiles="no")
class unloadable:  # noqa: N801 - recipes use the name of the class
    """A filter that refuses to load, without being declared as heavy."""

    def __init__(self) -> None:
        fail("refuse")

    def __call__(self, image: Image) -> Image:
        return image
