"""A part of an image: the pixels that a recipe needs, so that a reader need not decode the rest."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.image import Image, Metadata, PixelSize, Properties

Indices = np.ndarray[tuple[int], np.dtype[np.intp]]


class Span(NamedTuple):
    """Rows or columns from `start` up to, but not including, `stop`."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an image; by default the whole image.

    Attributes
    ----------
    rows, columns
        Window in every plane; None for the whole height or width.
    pages
        Pairs of an axis letter and the indices to keep along that leading axis, in order. An axis with one index
        is removed.
    shrink
        Factor, 1 or more, by which a reader may reduce both sides of a picture, because the next step reduces it at
        least that much. The reader chooses its own factor, up to this one, and reports the original size in
        `Metadata.full_size`.

    Raises
    ------
    ValueError
        If no image has such a part: a window or a list of pages is empty, or `shrink` is below 1.
    """

    rows: Span | None = None
    columns: Span | None = None
    pages: tuple[tuple[str, tuple[int, ...]], ...] = ()
    shrink: float = 1.0

    def __post_init__(self) -> None:
        for span in (self.rows, self.columns):
            if span is not None and not 0 <= span.start < span.stop:
                raise ValueError(f"rows and columns must be non-empty spans from 0 up, not {span}")
        for letter, indices in self.pages:
            if not indices or min(indices) < 0 or letter in "YXS":
                raise ValueError(
                    f"pages must be one or more indices from 0 up along T, C, Z or I, not {indices} along {letter}"
                )
        if self.shrink < 1:
            raise ValueError(f"shrink must be at least 1, not {self.shrink}")

    @property
    def is_whole(self) -> bool:
        """Whether no row, column or page is left out; `shrink` does not matter."""
        return self.rows is None and self.columns is None and not self.pages

    def indices(self, axes: str, shape: tuple[int, ...]) -> list[Indices]:
        """Return the indices to keep along each leading axis (T, C, Z or I) of an image."""
        pages = dict(self.pages)
        lengths = zip(axes[: axes.index("Y")], shape, strict=False)  # shape also has Y, X and S
        return [np.asarray(pages.get(letter, range(length)), np.intp) for letter, length in lengths]

    def window(self, axes: str, shape: tuple[int, ...]) -> tuple[Span, Span]:
        """Return the rows and the columns to keep of an image."""
        y = axes.index("Y")
        return self.rows or Span(0, shape[y]), self.columns or Span(0, shape[y + 1])

    def infer_output(self, properties: Properties) -> Properties:
        """Return the properties of this part, given those of the whole image."""
        y = properties.axes.index("Y")
        indices = self.indices(properties.axes, properties.shape)
        window = self.window(properties.axes, properties.shape)
        shape = [*map(len, indices), *(span.stop - span.start for span in window), *properties.shape[y + 2 :]]
        removed = self._removed_axes()
        return replace(
            properties,
            shape=tuple(n for letter, n in zip(properties.axes, shape, strict=True) if letter not in removed),
            axes="".join(letter for letter in properties.axes if letter not in removed),
            pixel_size=self._pixel_size(properties.pixel_size),
        )

    def crop(self, image: Image) -> Image:
        """Return this part of a whole image; `shrink` has no effect."""
        if self.is_whole:
            return image
        pixels: Pixels = image.pixels
        for axis, indices in enumerate(self.indices(image.axes, pixels.shape)):
            if len(indices) != pixels.shape[axis] or np.any(np.diff(indices) != 1):
                pixels = pixels.take(indices, axis)
        rows, columns = self.window(image.axes, pixels.shape)
        pixels = pixels[(*(slice(None),) * image.axes.index("Y"), slice(*rows), slice(*columns))]
        return self.adapt_metadata(image.with_pixels(np.ascontiguousarray(pixels)))

    def adapt_metadata(self, image: Image) -> Image:
        """Make axes, pixel size and metadata fit pixels that are already cropped to this part.

        Parameters
        ----------
        image
            The pixels of this part, with all axes and the metadata of the whole image.

        Returns
        -------
        Image
            Without the axes of which one page is left.
        """
        removed = self._removed_axes()
        shape = tuple(n for letter, n in zip(image.axes, image.pixels.shape, strict=True) if letter not in removed)
        return Image(
            image.pixels.reshape(shape),
            "".join(letter for letter in image.axes if letter not in removed),
            self._pixel_size(image.pixel_size),
            self._metadata(image.metadata) if self.pages else image.metadata,
        )

    def _removed_axes(self) -> str:
        """Return the axes of which a single page is left."""
        return "".join(letter for letter, indices in self.pages if len(indices) == 1)

    def _pixel_size(self, size: PixelSize | None) -> PixelSize | None:
        """Scale the distance between slices where slices are skipped; None where the distance varies."""
        slices = dict(self.pages).get("Z")
        if size is None or size.z is None or slices is None:
            return size
        step = _step(slices)
        return size._replace(z=step * size.z if step else None)

    def _metadata(self, metadata: Metadata) -> Metadata:
        """Keep only the metadata of the selected pages."""
        pages = dict(self.pages)
        names, extra = metadata.channel_names, dict(metadata.extra)
        if "C" in pages and len(names) > max(pages["C"]):
            names = tuple(names[channel] for channel in pages["C"])
        interval, step = extra.pop("frame_interval", None), _step(pages.get("T", ()))
        if interval and step:
            extra["frame_interval"] = interval * step
        extra["selected_pages"] = _combine_selections(metadata.extra.get("selected_pages", {}), pages)
        return replace(metadata, channel_names=names, extra=MappingProxyType(extra))


def _step(pages: tuple[int, ...]) -> int:
    """Return the distance between consecutive pages: 1 for fewer than two pages, 0 where it varies."""
    steps = {abs(following - page) for page, following in itertools.pairwise(pages)}
    if not steps:
        return 1
    return steps.pop() if len(steps) == 1 else 0


def _combine_selections(
    earlier: Mapping[str, Any], pages: Mapping[str, tuple[int, ...]]
) -> Mapping[str, tuple[int, ...]]:
    """Return the pages of the file that are left along each axis, after an earlier selection and this one."""
    selected = {
        letter: tuple(earlier[letter][i] for i in indices) if letter in earlier else indices
        for letter, indices in pages.items()
    }
    return MappingProxyType({**earlier, **selected})
