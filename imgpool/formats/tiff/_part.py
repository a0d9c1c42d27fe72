"""Decode a part of a TIFF: only the planes that are needed, and of these only the strips or tiles."""

import itertools
import math
from dataclasses import replace
from typing import BinaryIO, NamedTuple

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.part import Part, Span
from imgpool.formats.tiff._errors import damaged
from imgpool.formats.tiff._layout import TiffLayout
from imgpool.formats.tiff._tifffile_types import Page, Series

_WHOLE_BYTES = {8, 16, 32, 64}  # bits per sample of numbers that are stored as in memory


class _Window(NamedTuple):
    """Rows and columns of a plane."""

    rows: Span
    columns: Span


def can_decode_part(series: Series, layout: TiffLayout) -> bool:
    """Whether each plane is a page, or follows the others under one directory, in the order of the axes."""
    page, y = series.keyframe, layout.stored_axes.index("Y")
    planes = math.prod(layout.stored_shape[:y])
    pages = series._pages  # noqa: SLF001 - as stored; `pages` would build each
    return (
        layout.stored_axes[y:] in {"YX", "YXS"}
        and layout.axes.startswith(layout.stored_axes[:y])
        and page.shape == layout.stored_shape[y:]
        and page.jpegheader is None  # of a slide scanner
        and (len(pages) == planes or (_plain_offset(series, page) is not None and len(pages) == 1))
    )


def decode_part(file: BinaryIO, series: Series, layout: TiffLayout, part: Part) -> Pixels:
    """Return the pixels of a part, with all axes of the whole image; `can_decode_part` must hold."""
    axes, shape = layout.stored_axes, layout.stored_shape
    indices, window = part.indices(axes, shape), _Window(*part.window(axes, shape))
    y = len(indices)
    height, width = (span.stop - span.start for span in window)
    stored = np.empty((*map(len, indices), height, width, *shape[y + 2 :]), series.dtype)
    for position, index in zip(np.ndindex(stored.shape[:y]), itertools.product(*indices), strict=True):
        number = int(np.ravel_multi_index(index, shape[:y])) if y else 0
        _decode_window(file, series, number, window, stored[position])
    return replace(layout, stored_shape=stored.shape).apply(stored)


def _decode_window(file: BinaryIO, series: Series, number: int, window: _Window, plane: Pixels) -> None:
    """Fill `plane` with a window of the plane with this number."""
    keyframe, pages = series.keyframe, series._pages  # noqa: SLF001 - as stored; `pages` would build each
    page = pages[number] if len(pages) > 1 else pages[0]
    offset = _plain_offset(series, page)
    if offset is None:
        _decode_segments(file, page, keyframe, window, plane)
    else:
        _read_rows(file, offset + (number if len(pages) == 1 else 0) * keyframe.nbytes, keyframe, window, plane)


def _plain_offset(series: Series, page: Page) -> int | None:
    """Return the offset of a page's numbers if they are stored as in memory, row after row; otherwise None."""
    key = series.keyframe
    is_plain = key.is_contiguous and key.bitspersample in _WHOLE_BYTES and key.fillorder == 1 and key.predictor == 1
    return int(page.dataoffsets[0]) if is_plain else None


def _read_rows(file: BinaryIO, offset: int, keyframe: Page, window: _Window, plane: Pixels) -> None:
    """Read the rows of a window from a plane that starts at `offset`."""
    dtype = keyframe.dtype.newbyteorder(keyframe.parent.byteorder)
    row_shape = keyframe.shape[1:]
    row_size = math.prod(row_shape) * dtype.itemsize
    file.seek(offset + window.rows.start * row_size)
    data = file.read(len(plane) * row_size)
    if len(data) < len(plane) * row_size:
        raise damaged("a plane is truncated")
    plane[...] = np.frombuffer(data, dtype).reshape(len(plane), *row_shape)[:, slice(*window.columns)]


def _decode_segments(file: BinaryIO, page: Page, keyframe: Page, window: _Window, plane: Pixels) -> None:
    """Decode the strips or tiles that overlap a window."""
    is_tiled = keyframe.is_tiled
    height, width = (
        (keyframe.tilelength, keyframe.tilewidth) if is_tiled else (keyframe.rowsperstrip, keyframe.imagewidth)
    )
    segments_per_row = -(-keyframe.imagewidth // width)
    rows, columns = window
    out = plane.reshape(*plane.shape[:2], -1)
    tables = {"jpegtables": page.jpegtables} if page.jpegtables else {}
    for i in range(rows.start // height, -(-rows.stop // height)):
        for j in range(columns.start // width, -(-columns.stop // width)):
            number = i * segments_per_row + j
            file.seek(page.dataoffsets[number])
            data = file.read(page.databytecounts[number])
            segment, (_, _, top, left, _), _ = keyframe.decode(data, number, **tables)
            y, x = _overlap(rows, top, segment.shape[1]), _overlap(columns, left, segment.shape[2])
            out[y.start - rows.start : y.stop - rows.start, x.start - columns.start : x.stop - columns.start] = segment[
                0, y.start - top : y.stop - top, x.start - left : x.stop - left
            ]


def _overlap(span: Span, start: int, length: int) -> Span:
    return Span(max(span.start, start), min(span.stop, start + length))
