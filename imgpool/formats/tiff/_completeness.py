"""Check that a TIFF file is complete: that everything its directories point to lies within the file.

tifffile reads a truncated stack as a shorter one, and skips a tag whose value is missing, without an error.
"""

import io
import math
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from imgpool.core.errors import ReadError
from imgpool.formats._errors import COPY_AGAIN
from imgpool.formats.tiff._errors import damaged, truncated
from imgpool.formats.tiff._ifd import DirectoryError, Entry, Layout, location, read_directory, read_header, read_value

_OFFSETS = {273: 279, 324: 325}  # StripOffsets, TileOffsets: where their byte counts are
_FIRST_PRIVATE = 32768
_PRIVATE_AND_CHECKED = {34675, 50838, 50839}  # ICC, ImageJ
Integers = np.ndarray[tuple[int], np.dtype[np.uint64]]

_INTEGERS = {3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}


def check_complete(file: BinaryIO) -> None:
    """Check that every directory, tag and strip lies within the file.

    Raises
    ------
    ReadError
        If the file is cut off, or was never written to its end.
    """
    size, pages = file.seek(0, io.SEEK_END), 0
    try:
        layout, first = read_header(file)
        for entries in _directories(file, layout, first):
            needed = max(_needed(file, layout, entries))
            if needed > size:
                raise truncated(size, needed, pages)
            pages += 1
    except DirectoryError as error:
        raise truncated(size, error.needed, pages) if error.needed > size else damaged(str(error)) from None
    except struct.error:
        raise damaged("a directory makes no sense") from None


def check_planes(file: BinaryIO, series: Any) -> None:  # noqa: ANN401
    """Check that every declared plane is in the file, and that every plane has all its strips or tiles."""
    page = series.keyframe
    pages = [each for each in series._pages if each is not None]  # noqa: SLF001 - as stored
    elements = math.prod(series.get_shape(squeeze=False))
    declared = elements // math.prod(page.shape)
    if len(pages) != declared and (len(pages) > 1 or series.dataoffset is None):
        raise ReadError(f"it declares {declared} planes, and holds {len(pages)}", COPY_AGAIN)
    if len(pages) != declared:  # planes behind each other under one directory, as ImageJ writes them
        size, needed = file.seek(0, io.SEEK_END), series.dataoffset + elements * series.dtype.itemsize
        if needed > size:
            raise truncated(size, needed)
    for each in pages:
        _check_strips(each, page)


def _check_strips(page: Any, key: Any) -> None:  # noqa: ANN401
    """Check that a page has all its strips or tiles; `key` is the page that describes it."""
    expected, found = math.prod(key.chunked), len(page.dataoffsets)
    if found != expected:
        raise damaged(f"a plane has {found} of the {expected} strips or tiles that its size asks for")
    if (
        key.compression == 1
        and key.bitspersample in {8, 16, 32, 64}
        and (there := sum(page.databytecounts)) < key.nbytes
    ):
        raise damaged(f"a plane has {there} bytes of the {key.nbytes} that its size asks for")


def _directories(file: BinaryIO, layout: Layout, offset: int) -> Iterator[list[Entry]]:
    seen: set[int] = set()
    if not offset:
        raise damaged("it has no directory, as a file whose writing was interrupted")
    while offset:
        if offset in seen:
            raise damaged("its directories run in a circle")
        seen.add(offset)
        entries, offset = read_directory(file, layout, offset)
        yield entries


def _needed(file: BinaryIO, layout: Layout, entries: list[Entry]) -> Iterator[int]:
    """The ends of everything that a directory points to."""
    yield 0
    for entry in entries:
        if not entry.inline and (entry.tag < _FIRST_PRIVATE or entry.tag in _PRIVATE_AND_CHECKED):
            yield location(layout, entry) + entry.size
    tags = {entry.tag: entry for entry in entries}
    for offsets, counts in _OFFSETS.items():
        if offsets in tags and counts in tags:
            yield _segments_end(*(_integers(file, layout, tags[tag]) for tag in (offsets, counts)))


def _segments_end(offsets: Integers, counts: Integers) -> int:
    if len(offsets) != len(counts) or not len(offsets):
        raise damaged(f"it has {len(offsets)} strips or tiles, but the lengths of {len(counts)}")
    missing = int(np.count_nonzero((offsets == 0) | (counts == 0)))
    if missing:
        raise ReadError(f"{missing} of the {len(offsets)} strips or tiles of an image were never written",
                        "write the file again, or ask its maker for a complete one")  # fmt: skip
    return int(np.max(offsets + counts))


def _integers(file: BinaryIO, layout: Layout, entry: Entry) -> Integers:
    code = _INTEGERS.get(entry.kind)
    if code is None:
        raise damaged(f"its tag {entry.tag} is of the wrong type")
    return np.frombuffer(read_value(file, layout, entry), layout.order + code).astype(np.uint64)
