"""Check that a TIFF file is complete: that everything its directories point to lies within the file.

tifffile reads a truncated stack as a shorter one, and skips a tag whose value is missing, without an error.
"""

import io
import math
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from imgpool.core.errors import ReadError
from imgpool.formats._errors import COPY_AGAIN
from imgpool.formats._expansion import MAX_DEFLATE_RATIO, MAX_LZW_RATIO, MAX_PACKBITS_RATIO
from imgpool.formats.tiff._errors import damaged, truncated
from imgpool.formats.tiff._ifd import DirectoryError, Entry, Layout, location, read_directory, read_header, read_value
from imgpool.formats.tiff._limits import FIRST_PRIVATE_TAG, TagTotals, check_page_count
from imgpool.formats.tiff._tifffile_types import Page, Series

_BYTE_COUNTS = {273: 279, 324: 325}  # StripByteCounts by StripOffsets, TileByteCounts by TileOffsets
_TABLES = {*_BYTE_COUNTS, *_BYTE_COUNTS.values()}
_CHECKED_PRIVATE_TAGS = {34675, 50838, 50839}  # ICC, ImageJ
_UNCOMPRESSED = 1
_WHOLE_BYTES = {8, 16, 32, 64}  # bits per sample
_MAX_RATIOS = {
    5: MAX_LZW_RATIO, 8: MAX_DEFLATE_RATIO, 32946: MAX_DEFLATE_RATIO, 50013: MAX_DEFLATE_RATIO,
    32773: MAX_PACKBITS_RATIO,
}  # fmt: skip
"""Most decoded bytes per byte of a strip or tile, by compression; the others have no bound."""

_INTEGER_TYPES = {3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}  # NumPy's codes by TIFF's

Integers = np.ndarray[tuple[int], np.dtype[np.uint64]]


class DirectoryCount(NamedTuple):
    """Number of pages, and of directories below them."""

    pages: int
    sub_directories: int


def check_complete(file: BinaryIO) -> DirectoryCount:
    """Check that every directory, tag and strip lies within the file; return the number of directories.

    Raises
    ------
    ReadError
        If the file is truncated, was never written to its end, or has more than imgpool reads.
    """
    size, pages = file.seek(0, io.SEEK_END), 0
    totals = TagTotals(size)
    try:
        layout, first = read_header(file)
        for entries in _directories(file, layout, first):
            needed = max(_ends(file, layout, entries, totals))
            if needed > size:
                raise truncated(size, needed, pages)
            pages += 1
            check_page_count(pages)
    except DirectoryError as error:
        raise truncated(size, error.needed, pages) if error.needed > size else damaged(str(error)) from None
    except struct.error:
        raise damaged("a directory is not valid") from None
    return DirectoryCount(pages, totals.sub_directories)


def check_planes(file: BinaryIO, series: Series) -> None:
    """Check that every declared plane is in the file, and that every plane has all its strips or tiles."""
    page = series.keyframe
    pages = [each for each in series._pages if each is not None]  # noqa: SLF001 - as stored; `pages` builds them
    elements = math.prod(series.get_shape(squeeze=False))
    declared = elements // math.prod(page.shape)
    if len(pages) != declared and (len(pages) > 1 or series.dataoffset is None):
        raise ReadError(f"it declares {declared} planes, but has {len(pages)}", COPY_AGAIN)
    if len(pages) != declared:  # planes one after the other under one directory, as ImageJ writes them
        size, needed = file.seek(0, io.SEEK_END), series.dataoffset + elements * series.dtype.itemsize
        if needed > size:
            raise truncated(size, needed)
    for each in pages:
        _check_segments(each, page)


def _check_segments(page: Page, keyframe: Page) -> None:
    """Check that a page has all its strips or tiles; `keyframe` is the page that describes it."""
    expected, present = math.prod(keyframe.chunked), len(page.dataoffsets)
    if present != expected:
        raise damaged(f"a plane has {present} of the {expected} strips or tiles that its size needs")
    is_plain = keyframe.compression == _UNCOMPRESSED and keyframe.bitspersample in _WHOLE_BYTES
    if is_plain and (size := sum(page.databytecounts)) < keyframe.nbytes:
        raise damaged(f"a plane has {size} bytes of the {keyframe.nbytes} that its size needs")
    ratio = _MAX_RATIOS.get(keyframe.compression)
    if ratio and sum(page.databytecounts) * ratio * 8 < keyframe.size * keyframe.bitspersample:
        raise damaged("a plane has far too little data for its size")


def _directories(file: BinaryIO, layout: Layout, offset: int) -> Iterator[list[Entry]]:
    """Yield the entries of each directory."""
    seen: set[int] = set()
    if not offset:
        raise damaged("it has no directory, as a file whose writing was interrupted")
    while offset:
        if offset in seen:
            raise damaged("its directories form a loop")
        seen.add(offset)
        entries, offset = read_directory(file, layout, offset)
        yield entries


def _ends(file: BinaryIO, layout: Layout, entries: list[Entry], totals: TagTotals) -> Iterator[int]:
    """Yield the end of everything that a directory points to, as positions in the file."""
    yield 0
    yield from _value_ends(layout, entries, totals)
    tags = {entry.tag: entry for entry in entries}
    for offsets, byte_counts in _BYTE_COUNTS.items():
        if offsets in tags and byte_counts in tags:
            totals.add_segments(tags[offsets])
            yield _segments_end(*(_integers(file, layout, tags[tag]) for tag in (offsets, byte_counts)))


def _value_ends(layout: Layout, entries: list[Entry], totals: TagTotals) -> Iterator[int]:
    for entry in entries:
        if not entry.is_inline and (entry.tag < FIRST_PRIVATE_TAG or entry.tag in _CHECKED_PRIVATE_TAGS):
            end = location(layout, entry) + entry.size
            yield end
            if entry.tag not in _TABLES:
                totals.add_value(entry, end)


def _segments_end(offsets: Integers, byte_counts: Integers) -> int:
    if len(offsets) != len(byte_counts) or not len(offsets):
        raise damaged(f"it has {len(offsets)} strips or tiles, but the lengths of {len(byte_counts)}")
    missing = int(np.count_nonzero((offsets == 0) | (byte_counts == 0)))
    if missing:
        raise ReadError(f"{missing} of the {len(offsets)} strips or tiles of an image were never written",
                        "write the file again, or get a complete one from its author")  # fmt: skip
    return int(np.max(offsets + byte_counts))


def _integers(file: BinaryIO, layout: Layout, entry: Entry) -> Integers:
    code = _INTEGER_TYPES.get(entry.kind)
    if code is None:
        raise damaged(f"its tag {entry.tag} is of the wrong type")
    return np.frombuffer(read_value(file, layout, entry), layout.order + code).astype(np.uint64)
