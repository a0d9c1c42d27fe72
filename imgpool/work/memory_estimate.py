"""How much memory an image takes: told from its header, and learnt from the images before it.

Filters compute in 32-bit floats, and hold several copies. So what a recipe takes is counted in *copies*: of the
image in floats, or in its own type where that is wider. That differs far less between images than multiples of
their decoded size do, which are four times as high for 8 bits as for floats. Copies that images of 46 to 92 MB took,
from TIFF to TIFF:

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

Nobody has to know this table: workers learn, by the most that they have held in memory, from images that are large
enough to show; and before one sends an image back, it looks up what the others have learnt.
"""

import contextlib
import functools
import json
import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from imgpool.core.catalogue import FILTERS
from imgpool.core.engine import MemoryNeeded
from imgpool.core.errors import FilterError
from imgpool.core.image import Properties
from imgpool.core.recipe import Recipe
from imgpool.system.memory import memory_use, reset_peak_memory

START = 8.0
"""Copies to expect as long as no image of the kind was seen; nearly all filters take less."""

MARGIN = 1.25
"""By how much the next image may exceed all before it."""

LEAST = 64 << 20
"""Bytes of a copy from which on an image is measured: beside a smaller one, what libraries take would show."""

Learn = Callable[[bool], None]

_FLOAT = 4  # bytes


def learn_nothing(_done: bool) -> None:  # noqa: FBT001 - a `Learn`
    """Of an image that is too small to show."""


class MemoryEstimate:
    """Estimates what images take, and learns.

    Parameters
    ----------
    recipe
        What is done to them.
    shared
        A file in which all workers of a run leave what they have learnt.
    """

    def __init__(self, recipe: Recipe, shared: Path) -> None:
        self._steps = [(FILTERS[step.filter].infer_output, step.values) for step in recipe.steps]
        self._pixel_size = recipe.pixel_size
        self._copy = functools.lru_cache(maxsize=64)(self._largest)  # most images of a folder are alike
        self._seen: defaultdict[str, _Seen] = defaultdict(_Seen)
        self._shared = shared
        self._at_first = memory_use().current

    def expect(self, properties: Properties, file_size: int, memory: int | None = None) -> int:
        """The bytes that an image will take, by a careful estimate.

        Parameters
        ----------
        properties
            Its header.
        file_size
            Bytes of its file, some of which may be held beside the pixels.
        memory
            The bytes that it may take; None for any number.

        Raises
        ------
        MemoryNeeded
            If these are fewer.
        """
        need = self._need(properties, file_size)
        if memory is None or need <= memory:
            return need
        self._ask_others()
        need = self._need(properties, file_size)
        if need > memory:
            raise MemoryNeeded(need)
        return need

    def watch(self, properties: Properties) -> Learn:
        """Begin to learn from what an image takes, unless it is too small; say at its end whether it was done.

        What counts is all that the process holds more than at first: memory that is free again, but was not given
        back, may serve this image, and would not the next. Linux can forget what a process held at its highest;
        elsewhere, only an image that takes more than all before it shows.
        """
        copy = self._copy(properties)
        if copy < LEAST:
            return learn_nothing
        reset_peak_memory()
        record = memory_use().peak
        return functools.partial(self._learn, self._seen[_kind(properties)], copy, record)

    def _learn(self, seen: "_Seen", copy: int, record: int, done: bool) -> None:  # noqa: FBT001 - a `Learn`
        peak = memory_use().peak
        if peak > record and seen.learn((peak - self._at_first) / copy, done=done) and seen.done:
            self._tell_others()

    def _need(self, properties: Properties, file_size: int) -> int:
        return int(self._seen[_kind(properties)].copies * self._copy(properties)) + file_size

    def _ask_others(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # nothing there yet, or not to be had
            for kind, most in json.loads(self._shared.read_text("utf-8")).items():
                self._seen[kind].learn(most, done=True)

    def _tell_others(self) -> None:
        self._ask_others()
        known = {kind: seen.most for kind, seen in self._seen.items() if seen.done}
        mine = self._shared.with_name(f"{self._shared.name}-{os.getpid()}")
        with contextlib.suppress(OSError):  # as well as can be: every worker learns for itself, too
            mine.write_text(json.dumps(known), "utf-8")
            mine.replace(self._shared)

    def _largest(self, properties: Properties) -> int:
        """The bytes of the image in floats, when it is largest: a step may enlarge it."""
        most = _in_floats(properties)
        properties = replace(properties, pixel_size=properties.pixel_size or self._pixel_size)
        with contextlib.suppress(FilterError):  # the filter itself will say it
            for infer_output, values in self._steps:
                properties = infer_output(properties, values)
                most = max(most, _in_floats(properties))
        return most


@dataclass(slots=True)
class _Seen:
    """What images of one kind have taken: the most copies, and whether any of them was done."""

    most: float = 0.0
    done: bool = False

    @property
    def copies(self) -> float:
        """How many to expect; of images that failed only the least is known."""
        return MARGIN * self.most if self.done else max(START, MARGIN * self.most)

    def learn(self, copies: float, *, done: bool) -> bool:
        """Take note of an image; whether that was new."""
        before = (self.most, self.done)
        self.most = max(self.most, copies)
        self.done |= done
        return before != (self.most, self.done)


def _kind(properties: Properties) -> str:
    """Images of one type and the same axes take about as many copies."""
    return f"{properties.dtype.str} {properties.axes}"


def _in_floats(properties: Properties) -> int:
    itemsize = properties.dtype.itemsize
    return properties.nbytes // itemsize * max(itemsize, _FLOAT)
