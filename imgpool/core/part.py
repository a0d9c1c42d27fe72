"""A part of an image: what a recipe needs of it, and what a reader need not decode."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from imgpool.core.image import Image, Properties


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
    """

    rows: Span | None = None
    columns: Span | None = None
    pages: tuple[tuple[str, tuple[int, ...]], ...] = ()
    shrink: float = 1.0

    @property
    def is_whole(self) -> bool:
        """Whether no pixel is left out."""
        return self.rows is None and self.columns is None and not self.pages

    def cut(self, image: Image) -> Image:
        """The window and the pages of an image that was read whole."""
        if self.is_whole:
            return image
        y = image.axes.index("Y")
        index: list[slice | list[int] | int] = [slice(None)] * image.pixels.ndim
        for side, span in ((y, self.rows), (y + 1, self.columns)):
            if span is not None:
                index[side] = slice(*span)
        pixels, axes, names = image.pixels[tuple(index)], image.axes, image.metadata.channel_names
        for letter, wanted in self.pages:
            axis = axes.index(letter)
            pixels = pixels.take(wanted[0] if len(wanted) == 1 else wanted, axis)
            axes = axes.replace(letter, "") if len(wanted) == 1 else axes
            names = tuple(names[i] for i in wanted) if letter == "C" and names else names
        metadata = (
            image.metadata if names == image.metadata.channel_names else replace(image.metadata, channel_names=names)
        )
        return replace(image, pixels=pixels, axes=axes, metadata=metadata)


Choose = Callable[[Properties], Part]
"""Asked with an image's header which part of it to read."""


def whole(_properties: Properties) -> Part:
    """All of every image."""
    return Part()
