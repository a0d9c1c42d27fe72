"""A part of an image: what a recipe needs of it, and what a reader need not decode."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.image import Image, Metadata, PixelSize, Properties

Indices = np.ndarray[tuple[int], np.dtype[np.intp]]


class Span(NamedTuple):
    """Rows or columns from `start` up to, not including, `stop`."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Part:
    """What is wanted of an image; by default all of it.

    Attributes
    ----------
    rows, columns
        A window in every plane; None for the whole height or width.
    pages
        Of a leading axis the indices that are wanted, in order, by its letter; an axis with a single one goes.
    shrink
        How many times smaller, along each side, a picture may be delivered (1 or more): what follows makes it
        smaller still. The reader decides, and tells the size of the whole in `Metadata.full_size`.

    Raises
    ------
    ValueError
        If it is a part of no image: without a row, a column or a page.
    """

    rows: Span | None = None
    columns: Span | None = None
    pages: tuple[tuple[str, tuple[int, ...]], ...] = ()
    shrink: float = 1.0

    def __post_init__(self) -> None:
        for span in (self.rows, self.columns):
            if span is not None and not 0 <= span.start < span.stop:
                raise ValueError(f"{span} is no part of a plane")
        for letter, wanted in self.pages:
            if not wanted or min(wanted) < 0 or letter in "YXS":
                raise ValueError(f"{wanted} are no pages of an axis {letter}")
        if self.shrink < 1:
            raise ValueError(f"a picture is not read {self.shrink} times smaller")

    @property
    def is_whole(self) -> bool:
        """Whether no pixel is left out."""
        return self.rows is None and self.columns is None and not self.pages

    def indices(self, axes: str, shape: tuple[int, ...]) -> list[Indices]:
        """Which indices are wanted of each leading axis, T, C, Z or I, of an image."""
        wanted = dict(self.pages)
        lengths = zip(axes[: axes.index("Y")], shape, strict=False)  # Y, X and S are left over
        return [np.asarray(wanted.get(letter, range(length)), np.intp) for letter, length in lengths]

    def window(self, axes: str, shape: tuple[int, ...]) -> tuple[Span, Span]:
        """Which rows and which columns are wanted of an image."""
        y = axes.index("Y")
        return self.rows or Span(0, shape[y]), self.columns or Span(0, shape[y + 1])

    def outcome(self, properties: Properties) -> Properties:
        """What the header of this part of an image says, given that of the whole."""
        y = properties.axes.index("Y")
        indices = self.indices(properties.axes, properties.shape)
        window = self.window(properties.axes, properties.shape)
        shape = [*map(len, indices), *(span.stop - span.start for span in window), *properties.shape[y + 2 :]]
        going = self._going()
        return replace(
            properties,
            shape=tuple(n for letter, n in zip(properties.axes, shape, strict=True) if letter not in going),
            axes="".join(letter for letter in properties.axes if letter not in going),
            pixel_size=self._pixel_size(properties.pixel_size),
        )

    def cut(self, image: Image) -> Image:
        """The part of an image that was read whole."""
        if self.is_whole:
            return image
        pixels: Pixels = image.pixels
        for axis, wanted in enumerate(self.indices(image.axes, pixels.shape)):
            if len(wanted) != pixels.shape[axis] or np.any(np.diff(wanted) != 1):
                pixels = pixels.take(wanted, axis)
        rows, columns = self.window(image.axes, pixels.shape)
        pixels = pixels[(*(slice(None),) * image.axes.index("Y"), slice(*rows), slice(*columns))]
        return self.settle(image.with_pixels(np.ascontiguousarray(pixels)))

    def settle(self, image: Image) -> Image:
        """An image of which nothing but this part was decoded: axes of one page go, and what is said of pages follows.

        Parameters
        ----------
        image
            The pixels of this part with all axes, and the metadata of the whole.
        """
        going = self._going()
        shape = tuple(n for letter, n in zip(image.axes, image.pixels.shape, strict=True) if letter not in going)
        return Image(
            image.pixels.reshape(shape),
            "".join(letter for letter in image.axes if letter not in going),
            self._pixel_size(image.pixel_size),
            self._metadata(image.metadata) if self.pages else image.metadata,
        )

    def _going(self) -> str:
        """The axes of which a single page is left."""
        return "".join(letter for letter, wanted in self.pages if len(wanted) == 1)

    def _pixel_size(self, size: PixelSize | None) -> PixelSize | None:
        """The distance between slices is another where some are left out; None where it varies."""
        slices = dict(self.pages).get("Z")
        if size is None or size.z is None or slices is None:
            return size
        step = _step(slices)
        return size._replace(z=step * size.z if step else None)

    def _metadata(self, metadata: Metadata) -> Metadata:
        wanted = dict(self.pages)
        names, extra = metadata.channel_names, dict(metadata.extra)
        if "C" in wanted and len(names) > max(wanted["C"]):
            names = tuple(names[channel] for channel in wanted["C"])
        interval, step = extra.pop("frame_interval", None), _step(wanted.get("T", ()))
        if interval and step:
            extra["frame_interval"] = interval * step
        extra["picked"] = _picked(metadata.extra.get("picked", {}), wanted)
        return replace(metadata, channel_names=names, extra=MappingProxyType(extra))


def _step(pages: tuple[int, ...]) -> int:
    """How many pages it is from one to the next; 0 where that varies."""
    steps = {abs(following - page) for page, following in itertools.pairwise(pages)}
    return 1 if not steps else steps.pop() if len(steps) == 1 else 0


def _picked(before: Mapping[str, Any], wanted: Mapping[str, tuple[int, ...]]) -> Mapping[str, tuple[int, ...]]:
    """Which pages of the file are left, by axis: those picked of the ones that had been picked before."""
    now = {
        letter: tuple(before[letter][i] for i in pages) if letter in before else pages
        for letter, pages in wanted.items()
    }
    return MappingProxyType({**before, **now})


Choose = Callable[[Properties], Part]
"""Asked with an image's header which part of it to read."""


def whole(_properties: Properties) -> Part:
    """All of every image."""
    return Part()
