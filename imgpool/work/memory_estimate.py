"""Estimates of how much memory an image takes, from its header and from the images before it.

Filters compute in 32-bit floats and hold several copies of an image. Therefore the memory that a recipe takes is
counted in *copies*: multiples of the size of the image as 32-bit floats, or in its own dtype if that is wider. The
number of copies depends on the dtype much less than multiples of the decoded size, which are four times higher for
8-bit images than for floats. Copies measured with images of 46 to 92 MB, from TIFF to TIFF:

==================  =====  =====  ======  ======  =====  =====
pixels              grey8   rgb8  grey16   rgb16  float  stack
==================  =====  =====  ======  ======  =====  =====
convert               0.7    0.7     1.4     1.4    2.7    0.6
thumbnail             1.4    1.5     1.7     2.0    2.7    0.8
gaussian              2.5    2.5     3.0     3.5    2.7    1.2
nuclei                4.2    1.7     5.0     2.2    4.7    4.9
sobel                 5.5    5.5     6.0     6.4    4.0    1.4
enhance               5.8    5.8     6.5     6.9    5.2    1.9
equalize_adapthist   11.4    5.0    11.6     5.2   12.1    1.8
==================  =====  =====  ======  ======  =====  =====

imgpool does not use this table. Each worker measures its peak memory with images that are large enough. Before it
rejects an image whose estimate exceeds the limit, it reads the measurements of the other workers.
"""

import contextlib
import functools
import json
import os
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from imgpool.core.catalogue import FILTERS
from imgpool.core.engine import MemoryNeeded
from imgpool.core.errors import FilterError
from imgpool.core.image import Properties
from imgpool.core.recipe import Recipe
from imgpool.core.step import Step
from imgpool.system.memory import memory_use, reset_peak_memory

INITIAL_COPIES = 8.0
"""Copies assumed for a kind of image before one was measured; nearly all filters take fewer."""

SAFETY_FACTOR = 1.25
"""Factor by which the next image may exceed all measured ones."""

MIN_MEASURED_BYTES = 64 << 20
"""Smallest copy, in bytes, with which memory is measured; with smaller ones, the memory of libraries would dominate."""

REFERENCE_BYTES_PER_VALUE = 24
"""A flat field is held as 64-bit and as 32-bit floats, together with the dark level; other filters hold less."""

_FLOAT_BYTES = 4


class MemoryEstimate:
    """Estimates the memory that images take, and measures it.

    Parameters
    ----------
    recipe
        The steps that the images pass.
    shared
        File in which the workers of a run share their measurements.
    """

    def __init__(self, recipe: Recipe, shared: Path) -> None:
        self._steps = [(FILTERS[step.filter], step.values) for step in recipe.steps]
        self._reference_memory = sum(map(_reference_memory, recipe.steps))
        self._pixel_size = recipe.pixel_size
        self._sizes = functools.lru_cache(maxsize=64)(self._infer_sizes)  # most images of a folder are alike
        self._measured: defaultdict[str, _MeasuredCopies] = defaultdict(_MeasuredCopies)
        self._shared = shared
        self._initial_memory = memory_use().current

    def expect(self, properties: Properties, file_size: int, limit: int | None = None) -> int:
        """Return a conservative estimate of the memory that an image takes, in bytes.

        Parameters
        ----------
        properties
            From the header of the image.
        file_size
            Size of the file in bytes: it can be in memory in addition to the pixels.
        limit
            Memory in bytes that the image may take; None for no limit.

        Raises
        ------
        MemoryNeeded
            If the estimate exceeds the limit.
        """
        need = self._need(properties, file_size)
        if limit is None or need <= limit:
            return need
        self._read_shared()
        need = self._need(properties, file_size)
        if need > limit:
            raise MemoryNeeded(need)
        return need

    def start_measurement(self, properties: Properties) -> "PeakMeasurement | None":
        """Start to measure the memory that an image takes; None if the image is too small for that."""
        sizes = self._sizes(properties)
        return PeakMeasurement(self, properties, sizes) if sizes.copy >= MIN_MEASURED_BYTES else None

    def add(self, properties: Properties, copies: float, *, succeeded: bool) -> None:
        """Add a measurement, and share it if it is new.

        Parameters
        ----------
        properties
            Of the image.
        copies
            Peak memory in copies of the image.
        succeeded
            Whether the image was processed to its end; if not, it may take more.
        """
        measured = self._measured[_kind(properties)]
        if measured.add(copies, succeeded=succeeded) and measured.complete:
            self._write_shared()

    @property
    def initial_memory(self) -> int:
        """Memory of this process in bytes before the first image."""
        return self._initial_memory

    def _need(self, properties: Properties, file_size: int) -> int:
        sizes = self._sizes(properties)
        copies = int(self._measured[_kind(properties)].estimate * sizes.copy)
        return copies + sizes.working_memory + self._reference_memory + file_size

    def _read_shared(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # not written yet, or not readable
            for kind, copies in json.loads(self._shared.read_text("utf-8")).items():
                self._measured[kind].add(copies, succeeded=True)

    def _write_shared(self) -> None:
        self._read_shared()
        copies = {kind: measured.copies for kind, measured in self._measured.items() if measured.complete}
        temporary = self._shared.with_name(f"{self._shared.name}-{os.getpid()}")
        with contextlib.suppress(OSError):  # each worker also has its own measurements
            temporary.write_text(json.dumps(copies), "utf-8")
            temporary.replace(self._shared)

    def _infer_sizes(self, properties: Properties) -> "_Sizes":
        """Return the largest sizes over all steps: a step can enlarge the image."""
        size, working_memory = _copy_size(properties), 0
        properties = replace(properties, pixel_size=properties.pixel_size or self._pixel_size)
        with contextlib.suppress(FilterError):  # the filter itself will raise it again
            for filter_, values in self._steps:
                working_memory = max(working_memory, filter_.working_memory(properties, values))
                properties = filter_.infer_output(properties, values)
                size = max(size, _copy_size(properties))
        return _Sizes(size, working_memory)


class PeakMeasurement:
    """Measurement of the memory that one image takes.

    All memory beyond what the process held at first counts: freed memory that was not returned to the system may serve
    this image, but not the next. Only Linux can restart the measurement of the peak; elsewhere, an image is measured
    only if it takes more than all before it.
    """

    def __init__(self, estimate: MemoryEstimate, properties: Properties, sizes: "_Sizes") -> None:
        self._estimate = estimate
        self._properties = properties
        self._sizes = sizes
        reset_peak_memory()
        self._earlier_peak = memory_use().peak

    def finish(self, *, succeeded: bool) -> None:
        """Add what the image took to the estimates."""
        peak = memory_use().peak
        if peak > self._earlier_peak:
            for_copies = max(0, peak - self._estimate.initial_memory - self._sizes.working_memory)
            self._estimate.add(self._properties, for_copies / self._sizes.copy, succeeded=succeeded)


class _Sizes(NamedTuple):
    """Bytes of one copy of an image where it is largest, and of the tables that a step needs besides."""

    copy: int
    working_memory: int


@dataclass(slots=True)
class _MeasuredCopies:
    """The most copies that an image of one kind took, and whether any of these images was processed to its end."""

    copies: float = 0.0
    complete: bool = False

    @property
    def estimate(self) -> float:
        """Copies to expect; images that failed give only a lower bound."""
        return SAFETY_FACTOR * self.copies if self.complete else max(INITIAL_COPIES, SAFETY_FACTOR * self.copies)

    def add(self, copies: float, *, succeeded: bool) -> bool:
        """Add a measurement; return whether it changed anything."""
        before = (self.copies, self.complete)
        self.copies = max(self.copies, copies)
        self.complete |= succeeded
        return before != (self.copies, self.complete)


def _reference_memory(step: Step) -> int:
    """Return the bytes that a worker holds for the image files of a step; a heavy step is measured instead."""
    if step.heavy:
        return 0
    headers = step.reference_images.values()
    return sum(header.nbytes // header.dtype.itemsize * REFERENCE_BYTES_PER_VALUE for header in headers)


def _kind(properties: Properties) -> str:
    """Return the kind of an image; images of one dtype and the same axes take about the same number of copies."""
    return f"{properties.dtype.str} {properties.axes}"


def _copy_size(properties: Properties) -> int:
    """Return the size in bytes of the image as 32-bit floats, or in its own dtype if that is wider."""
    itemsize = properties.dtype.itemsize
    return properties.nbytes // itemsize * max(itemsize, _FLOAT_BYTES)
