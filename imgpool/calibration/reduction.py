"""Reduction of one image, which the workers of an estimation run."""

import os

import numpy as np

from imgpool.calibration.illumination import reduce_channels
from imgpool.core.engine import MemoryNeeded
from imgpool.core.errors import ReadError
from imgpool.core.failures import explain, lacks_memory
from imgpool.core.limits import MAX_PIXELS
from imgpool.core.task import Result, Task
from imgpool.work.files import read


def no_state() -> None:
    """Initialize a worker, which needs no state."""


def reduce_image(_state: None, task: Task, memory: int | None, *, max_pixels: int = MAX_PIXELS) -> Result:
    """Reduce an image, and save it at the task's target as a ``.npy`` file of shape (C, Y, X)."""
    try:
        shape = _reduce(task, max_pixels)
    except Exception as error:  # noqa: BLE001 - one bad file must not affect the others
        if memory is not None and lacks_memory(error):
            raise MemoryNeeded from None
        return Result(task, "failed", explain(error, "read"), pid=os.getpid())
    return Result(task, "done", shape=shape, pid=os.getpid())


def _reduce(task: Task, max_pixels: int) -> tuple[int, ...]:
    image = read(task.source, max_pixels=max_pixels)
    if image.pixels.dtype.kind not in "uif":
        raise ReadError(f"its pixels are {image.pixels.dtype}, not numbers", "remove it from the input")
    channels = reduce_channels(image)
    if not np.isfinite(channels).all():
        raise ReadError("it contains NaN or infinite values", "remove it from the input")
    np.save(task.target, channels)
    return image.pixels.shape
