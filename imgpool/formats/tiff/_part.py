"""Decoding a part of a TIFF: the planes that are wanted, and of these the strips or tiles that are."""

import itertools
import math
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.part import Part, Span
from imgpool.formats.tiff._errors import damaged
from imgpool.formats.tiff._layout import TiffLayout

_WHOLE_BYTES = {8, 16, 32, 64}  # bits of numbers that lie in the file as they do in memory


def can_decode_part(series: Any, layout: TiffLayout) -> bool:  # noqa: ANN401 - tifffile is not typed
    """Whether each plane is a page, or lies behind the others under one, in the order of the axes."""
    page, y = series.keyframe, layout.stored_axes.index("Y")
    planes = math.prod(layout.stored_shape[:y])
    pages = series._pages  # noqa: SLF001 - as stored
    return (
        layout.stored_axes[y:] in {"YX", "YXS"}
        and layout.axes.startswith(layout.stored_axes[:y])
        and page.shape == layout.stored_shape[y:]
        and page.jpegheader is None  # a slide scanner's own
        and (len(pages) == planes or (_starts_at(series, page) is not None and len(pages) == 1))
    )


def decode_part(file: BinaryIO, series: Any, layout: TiffLayout, part: Part) -> Pixels:  # noqa: ANN401
    """The pixels of `part`, with all the axes of the whole.

    Parameters
    ----------
    series
        Of tifffile, for which `can_decode_part` holds.
    """
    axes, shape = layout.stored_axes, layout.stored_shape
    indices = part.indices(axes, shape)
    rows, columns = part.window(axes, shape)
    y = len(indices)
    stored = np.empty(
        (*map(len, indices), rows.stop - rows.start, columns.stop - columns.start, *shape[y + 2 :]), series.dtype
    )
    for place, wanted in zip(np.ndindex(stored.shape[:y]), itertools.product(*indices), strict=True):
        number = int(np.ravel_multi_index(wanted, shape[:y])) if y else 0
        _decode_window(file, series, number, (rows, columns), stored[place])
    return replace(layout, stored_shape=stored.shape).apply(stored)


def _decode_window(
    file: BinaryIO,
    series: Any,  # noqa: ANN401
    number: int,
    window: tuple[Span, Span],
    plane: Pixels,
) -> None:
    """Fill `plane` with a window of the plane of this number."""
    key, pages = series.keyframe, series._pages  # noqa: SLF001
    page = pages[number] if len(pages) > 1 else pages[0]
    start = _starts_at(series, page)
    if start is None:
        _decode_segments(file, page, key, window, plane)
    else:
        _read_rows(file, start + (number if len(pages) == 1 else 0) * key.nbytes, key, window, plane)


def _starts_at(series: Any, page: Any) -> int | None:  # noqa: ANN401
    """Where the numbers of a page lie, where they lie there as in memory, row behind row; None where they do not."""
    key = series.keyframe
    plain = key.is_contiguous and key.bitspersample in _WHOLE_BYTES and key.fillorder == 1 and key.predictor == 1
    return int(page.dataoffsets[0]) if plain else None


def _read_rows(file: BinaryIO, start: int, key: Any, window: tuple[Span, Span], plane: Pixels) -> None:  # noqa: ANN401
    rows, columns = window
    dtype = key.dtype.newbyteorder(key.parent.byteorder)
    row_shape = key.shape[1:]
    row_size = math.prod(row_shape) * dtype.itemsize
    file.seek(start + rows.start * row_size)
    data = file.read(len(plane) * row_size)
    if len(data) < len(plane) * row_size:
        raise damaged("a plane is cut off")
    plane[...] = np.frombuffer(data, dtype).reshape(len(plane), *row_shape)[:, slice(*columns)]


def _decode_segments(file: BinaryIO, page: Any, key: Any, window: tuple[Span, Span], plane: Pixels) -> None:  # noqa: ANN401
    """Decode the strips or tiles that the window touches."""
    height, width = (key.tilelength, key.tilewidth) if key.is_tiled else (key.rowsperstrip, key.imagewidth)
    across = -(-key.imagewidth // width)
    rows, columns = window
    out = plane.reshape(*plane.shape[:2], -1)
    tables = {"jpegtables": page.jpegtables} if page.jpegtables else {}
    for i in range(rows.start // height, -(-rows.stop // height)):
        for j in range(columns.start // width, -(-columns.stop // width)):
            number = i * across + j
            file.seek(page.dataoffsets[number])
            data = file.read(page.databytecounts[number])
            segment, (_, _, top, left, _), _ = key.decode(data, number, **tables)
            y, x = _overlap(rows, top, segment.shape[1]), _overlap(columns, left, segment.shape[2])
            out[y.start - rows.start : y.stop - rows.start, x.start - columns.start : x.stop - columns.start] = segment[
                0, y.start - top : y.stop - top, x.start - left : x.stop - left
            ]


def _overlap(wanted: Span, start: int, length: int) -> Span:
    return Span(max(wanted.start, start), min(wanted.stop, start + length))
