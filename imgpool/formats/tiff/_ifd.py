"""The directories of a TIFF file (and of an EXIF block, which is one): read as they stand, and written.

A directory lists tags; a value that does not fit into its entry lies elsewhere in the file. Nothing here
knows what a tag means, save for the three that point to a directory of their own.
"""

import errno
import functools
import io
import struct
from collections.abc import Collection
from typing import BinaryIO, Literal, NamedTuple

from imgpool.formats.tiff._errors import MalformedError

EXIF_IFD, GPS_IFD, INTEROPERABILITY_IFD = 34665, 34853, 40965
POINTERS = {EXIF_IFD, GPS_IFD, INTEROPERABILITY_IFD}

CLASSIC, BIG = 42, 43
ASCII, SHORT, LONG, LONG8 = 2, 3, 4, 16

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_RATIONALS = {5, 10}
_ALWAYS_AFFORDABLE = 1 << 16  # bytes: beyond, a read is checked against the file's size before memory is taken
_MOST_ENTRIES = 4096  # more than any directory has: what a damaged count can cost is bounded

ByteOrder = Literal["<", ">"]
_struct = functools.cache(struct.Struct)


class DirectoryError(MalformedError):
    """A directory lies outside the file, or makes no sense.

    Parameters
    ----------
    message
        What is wrong.
    needed
        How long the file would have to be.
    """

    def __init__(self, message: str, needed: int = 0) -> None:
        super().__init__(message)
        self.needed = needed


class Layout(NamedTuple):
    """How numbers are laid out in a file."""

    order: ByteOrder
    big: bool

    @property
    def count_format(self) -> struct.Struct:
        """The number of entries in a directory."""
        return _struct(self.order + ("Q" if self.big else "H"))

    @property
    def offset_format(self) -> struct.Struct:
        """A position in the file."""
        return _struct(self.order + ("Q" if self.big else "I"))

    @property
    def entry_format(self) -> struct.Struct:
        """Tag, type, count, and the value or its offset."""
        return _struct(self.order + ("HHQ8s" if self.big else "HHI4s"))


class Entry(NamedTuple):
    """One entry of a directory: `number` values of type `kind`, in `field` or at the offset that stands there."""

    tag: int
    kind: int
    number: int
    field: bytes

    @property
    def size(self) -> int:
        """The bytes that the value takes."""
        return _SIZES.get(self.kind, 1) * self.number

    @property
    def inline(self) -> bool:
        """Whether the value stands in the entry."""
        return self.size <= len(self.field)


class Value(NamedTuple):
    """A tag's value in the byte order of the file it came from, or the directory that it points to."""

    kind: int
    number: int
    data: "bytes | Tags"


Tags = dict[int, Value]


def read_header(file: BinaryIO) -> tuple[Layout, int]:
    """The layout, and where the first directory is; raises `DirectoryError` where this is no TIFF header."""
    file.seek(0)
    header = file.read(16)
    orders: dict[bytes, ByteOrder] = {b"II": "<", b"MM": ">"}
    order = orders.get(header[:2])
    if order is None or len(header) < 8:  # noqa: PLR2004 - the shortest header
        raise DirectoryError("no TIFF header", 8)
    (version,) = struct.unpack_from(f"{order}H", header, 2)
    if version == CLASSIC:
        return Layout(order, big=False), struct.unpack_from(f"{order}I", header, 4)[0]
    if version == BIG and len(header) == 16:  # noqa: PLR2004 - the length of BigTIFF's
        return Layout(order, big=True), struct.unpack_from(f"{order}Q", header, 8)[0]
    raise DirectoryError(f"an unknown kind of TIFF ({version})", 16)


def read_directory(file: BinaryIO, layout: Layout, offset: int) -> tuple[list[Entry], int]:
    """The entries of the directory at `offset`, and where the next one is (0 for none)."""
    counting, entry_format, last = layout.count_format, layout.entry_format, layout.offset_format
    (count,) = counting.unpack(_read(file, offset, counting.size))
    if not 0 < count <= _MOST_ENTRIES:
        raise DirectoryError(f"a directory of {count} tags")
    data = _read(file, offset + counting.size, count * entry_format.size + last.size)
    entries = [Entry(*fields) for fields in entry_format.iter_unpack(data[: -last.size])]
    return entries, last.unpack(data[-last.size :])[0]


def location(layout: Layout, entry: Entry) -> int:
    """Where a value that is not inline lies in the file."""
    return int(layout.offset_format.unpack(entry.field)[0])


def read_value(file: BinaryIO, layout: Layout, entry: Entry) -> bytes:
    """The bytes of a value, as they stand in the file."""
    if entry.inline:
        return entry.field[: entry.size]
    return _read(file, location(layout, entry), entry.size)


def read_tags(
    file: BinaryIO, layout: Layout, offset: int, wanted: Collection[int] | None = None, depth: int = 0
) -> Tags:
    """The tags of a directory with their values, and those of the directories that they point to.

    Parameters
    ----------
    wanted
        The tags to read; all, where it is None.
    depth
        How far down this directory is; deeper than EXIF goes, nothing is read.
    """
    tags: Tags = {}
    for entry in read_directory(file, layout, offset)[0]:
        if entry.kind not in _SIZES or (wanted is not None and entry.tag not in wanted):
            continue
        data = read_value(file, layout, entry)
        if entry.tag not in POINTERS:
            tags[entry.tag] = Value(entry.kind, entry.number, data)
        elif depth < 2:  # noqa: PLR2004 - IFD0, EXIF, interoperability
            there = int.from_bytes(data, "little" if layout.order == "<" else "big")
            tags[entry.tag] = Value(LONG, 1, read_tags(file, layout, there, depth=depth + 1))
    return tags


def in_order(tags: Tags, old: ByteOrder, new: ByteOrder) -> Tags:
    """The same tags with values in another byte order."""
    if old == new:
        return tags
    return {tag: _swapped(value, old, new) for tag, value in tags.items()}


def pack_directory(tags: Tags, layout: Layout, start: int) -> bytes:
    """A directory and its values, ready to be written at the position `start`, in the layout's byte order."""
    entries, values = _pack(tags, layout, start + _length(layout, len(tags)))
    return _join(entries, layout, following=0) + values


def add_tags(file: BinaryIO, tags: Tags, order: ByteOrder) -> None:
    """Add `tags`, whose values are in byte order `order`, to the first directory of a TIFF file.

    The directory is written anew at the end of the file and the header is made to point there; where it has
    a tag already, it keeps its own.
    """
    layout, offset = read_header(file)
    entries, following = read_directory(file, layout, offset)
    known = {entry.tag for entry in entries}
    added = {tag: value for tag, value in in_order(tags, order, layout.order).items() if tag not in known}
    start = file.seek(0, io.SEEK_END)
    start += file.write(b"\0" * (start % 2))
    new, values = _pack(added, layout, start + _length(layout, len(entries) + len(added)))
    file.write(_join([*entries, *new], layout, following) + values)
    file.seek(8 if layout.big else 4)
    file.write(layout.offset_format.pack(start))


def _length(layout: Layout, count: int) -> int:
    """The bytes that a directory of `count` entries takes, without its values."""
    return layout.count_format.size + count * layout.entry_format.size + layout.offset_format.size


def _join(entries: list[Entry], layout: Layout, following: int) -> bytes:
    """A directory without its values."""
    ordered = sorted(entries, key=lambda entry: entry.tag)
    lines = b"".join(layout.entry_format.pack(*entry) for entry in ordered)
    return layout.count_format.pack(len(ordered)) + lines + layout.offset_format.pack(following)


def _pack(tags: Tags, layout: Layout, start: int) -> tuple[list[Entry], bytes]:
    """The entries of `tags`, and the values that do not fit into them, to be written at `start`."""
    width = layout.offset_format.size
    entries: list[Entry] = []
    values = b""
    for tag, (kind, number, data) in tags.items():
        here = start + len(values)
        if isinstance(data, dict):
            entries.append(Entry(tag, LONG8 if layout.big else LONG, 1, layout.offset_format.pack(here)))
            values += pack_directory(data, layout, here)
        elif len(data) <= width:
            entries.append(Entry(tag, kind, number, data.ljust(width, b"\0")))
        else:
            entries.append(Entry(tag, kind, number, layout.offset_format.pack(here)))
            values += data
        values += b"\0" * (len(values) % 2)  # a value begins on a word
    return entries, values


def _swapped(value: Value, old: ByteOrder, new: ByteOrder) -> Value:
    if isinstance(value.data, dict):
        return value._replace(data=in_order(value.data, old, new))
    width = 4 if value.kind in _RATIONALS else _SIZES[value.kind]
    words = [value.data[start : start + width][::-1] for start in range(0, len(value.data), width)]
    return value._replace(data=b"".join(words))


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    if size > _ALWAYS_AFFORDABLE and start + size > file.seek(0, io.SEEK_END):
        raise DirectoryError("a value is cut off", start + size)
    try:
        file.seek(start)
    except (OSError, OverflowError, ValueError) as error:
        if getattr(error, "errno", errno.EINVAL) != errno.EINVAL:  # of the disk; that one is farther than any file goes
            raise
        raise DirectoryError("it points beyond its end", start + 1) from None
    data = file.read(size)
    if len(data) < size:
        raise DirectoryError("a directory is cut off", start + size)
    return data
