"""Read and write the directories (IFDs) of a TIFF file, and of an EXIF block, which is a TIFF file.

A directory lists tags. A value that does not fit into its entry is stored elsewhere in the file. This module knows the
meaning of no tag except the three that point to another directory.
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

MAX_DIRECTORY_BYTES = 64 << 20
"""Most bytes of the values of a directory: its entries may all point to the same bytes."""

_MAX_UNCHECKED_READ = 1 << 16  # bytes; a larger read is checked against the size of the file before it allocates
_MAX_ENTRIES = 4096  # more than any directory has; limits the cost of a damaged count
_MAX_DEPTH = 2  # of directories below the first: EXIF, interoperability
_MIN_HEADER_BYTES, _BIGTIFF_HEADER_BYTES = 8, 16

ByteOrder = Literal["<", ">"]
_struct = functools.cache(struct.Struct)


class DirectoryError(MalformedError):
    """A directory is outside the file, or not valid.

    Parameters
    ----------
    message
        What is wrong.
    needed
        Size that the file must at least have, in bytes.
    """

    def __init__(self, message: str, needed: int = 0) -> None:
        super().__init__(message)
        self.needed = needed


class Layout(NamedTuple):
    """Byte order of a file, and whether it is a BigTIFF."""

    order: ByteOrder
    big: bool

    @property
    def count_format(self) -> struct.Struct:
        """Format of the number of entries in a directory."""
        return _struct(self.order + ("Q" if self.big else "H"))

    @property
    def offset_format(self) -> struct.Struct:
        """Format of a position in the file."""
        return _struct(self.order + ("Q" if self.big else "I"))

    @property
    def entry_format(self) -> struct.Struct:
        """Format of an entry: tag, type, count, and the value or its offset."""
        return _struct(self.order + ("HHQ8s" if self.big else "HHI4s"))


class Entry(NamedTuple):
    """One entry of a directory: `number` values of type `kind`, stored in `field` or at the offset in `field`."""

    tag: int
    kind: int
    number: int
    field: bytes

    @property
    def size(self) -> int:
        """Size of the value in bytes."""
        return _SIZES.get(self.kind, 1) * self.number

    @property
    def is_inline(self) -> bool:
        """Whether the value is in the entry itself."""
        return self.size <= len(self.field)


class Value(NamedTuple):
    """The value of a tag in the byte order of its file, or the directory that the tag points to."""

    kind: int
    number: int
    data: "bytes | Tags"


Tags = dict[int, Value]


def read_header(file: BinaryIO) -> tuple[Layout, int]:
    """Return the layout and the position of the first directory; raise `DirectoryError` if there is no TIFF header."""
    file.seek(0)
    header = file.read(16)
    orders: dict[bytes, ByteOrder] = {b"II": "<", b"MM": ">"}
    order = orders.get(header[:2])
    if order is None or len(header) < _MIN_HEADER_BYTES:
        raise DirectoryError("it has no TIFF header", _MIN_HEADER_BYTES)
    (version,) = struct.unpack_from(f"{order}H", header, 2)
    if version == CLASSIC:
        return Layout(order, big=False), struct.unpack_from(f"{order}I", header, 4)[0]
    if version == BIG and len(header) == _BIGTIFF_HEADER_BYTES:
        return Layout(order, big=True), struct.unpack_from(f"{order}Q", header, 8)[0]
    raise DirectoryError(f"it is an unknown variant of TIFF ({version})", _BIGTIFF_HEADER_BYTES)


def read_directory(file: BinaryIO, layout: Layout, offset: int) -> tuple[list[Entry], int]:
    """Return the entries of the directory at `offset`, and the position of the next directory (0 for none)."""
    count_format, entry_format, link_format = layout.count_format, layout.entry_format, layout.offset_format
    (count,) = count_format.unpack(_read(file, offset, count_format.size))
    if not 0 < count <= _MAX_ENTRIES:
        raise DirectoryError(f"a directory has {count} tags")
    data = _read(file, offset + count_format.size, count * entry_format.size + link_format.size)
    entries = [Entry(*fields) for fields in entry_format.iter_unpack(data[: -link_format.size])]
    return entries, link_format.unpack(data[-link_format.size :])[0]


def location(layout: Layout, entry: Entry) -> int:
    """Return the position of a value that is not in its entry."""
    return int(layout.offset_format.unpack(entry.field)[0])


def read_value(file: BinaryIO, layout: Layout, entry: Entry) -> bytes:
    """Return the bytes of a value, in the byte order of the file."""
    if entry.is_inline:
        return entry.field[: entry.size]
    return _read(file, location(layout, entry), entry.size)


def read_tags(
    file: BinaryIO, layout: Layout, offset: int, selection: Collection[int] | None = None, depth: int = 0
) -> Tags:
    """Return the tags of a directory with their values, and those of the directories that they point to.

    Parameters
    ----------
    file, layout, offset
        The file, its layout, and the position of the directory.
    selection
        Tags to read; None for all.
    depth
        Depth of this directory below the first; directories deeper than those of EXIF are not read.
    """
    tags: Tags = {}
    left = MAX_DIRECTORY_BYTES
    last_of_each_tag = {entry.tag: entry for entry in read_directory(file, layout, offset)[0] if entry.kind in _SIZES}
    for entry in last_of_each_tag.values():
        if selection is not None and entry.tag not in selection:
            continue
        left -= entry.size
        if left < 0:
            raise DirectoryError(f"the values of a directory take more than {MAX_DIRECTORY_BYTES >> 20} MiB")
        data = read_value(file, layout, entry)
        if entry.tag not in POINTERS:
            tags[entry.tag] = Value(entry.kind, entry.number, data)
        elif depth < _MAX_DEPTH:
            target = int.from_bytes(data, "little" if layout.order == "<" else "big")
            tags[entry.tag] = Value(LONG, 1, read_tags(file, layout, target, depth=depth + 1))
    return tags


def convert_byte_order(tags: Tags, old: ByteOrder, new: ByteOrder) -> Tags:
    """Return tags with their values converted to another byte order."""
    if old == new:
        return tags
    return {tag: _swap_bytes(value, old, new) for tag, value in tags.items()}


def pack_directory(tags: Tags, layout: Layout, start: int) -> bytes:
    """Return the bytes of a directory and its values, in the layout's byte order, for the position `start`."""
    entries, values = _pack(tags, layout, start + _length(layout, len(tags)))
    return _join(entries, layout, following=0) + values


def add_tags(file: BinaryIO, tags: Tags, order: ByteOrder) -> None:
    """Add tags to the first directory of a TIFF file; a tag that it already has is not changed.

    The directory is written again at the end of the file, and the header is changed to point to it.

    Parameters
    ----------
    file
        A file open for reading and writing.
    tags
        Tags to add.
    order
        Byte order of their values.
    """
    layout, offset = read_header(file)
    entries, following = read_directory(file, layout, offset)
    present = {entry.tag for entry in entries}
    added = {tag: value for tag, value in convert_byte_order(tags, order, layout.order).items() if tag not in present}
    start = file.seek(0, io.SEEK_END)
    start += file.write(b"\0" * (start % 2))
    new, values = _pack(added, layout, start + _length(layout, len(entries) + len(added)))
    file.write(_join([*entries, *new], layout, following) + values)
    file.seek(8 if layout.big else 4)
    file.write(layout.offset_format.pack(start))


def _length(layout: Layout, count: int) -> int:
    """Return the size in bytes of a directory of `count` entries, without its values."""
    return layout.count_format.size + count * layout.entry_format.size + layout.offset_format.size


def _join(entries: list[Entry], layout: Layout, following: int) -> bytes:
    """Return the bytes of a directory without its values."""
    ordered = sorted(entries, key=lambda entry: entry.tag)
    lines = b"".join(layout.entry_format.pack(*entry) for entry in ordered)
    return layout.count_format.pack(len(ordered)) + lines + layout.offset_format.pack(following)


def _pack(tags: Tags, layout: Layout, start: int) -> tuple[list[Entry], bytes]:
    """Return the entries of `tags`, and the values that do not fit into them, for the position `start`."""
    width = layout.offset_format.size
    entries: list[Entry] = []
    values = b""
    for tag, (kind, number, data) in tags.items():
        position = start + len(values)
        if isinstance(data, dict):
            entries.append(Entry(tag, LONG8 if layout.big else LONG, 1, layout.offset_format.pack(position)))
            values += pack_directory(data, layout, position)
        elif len(data) <= width:
            entries.append(Entry(tag, kind, number, data.ljust(width, b"\0")))
        else:
            entries.append(Entry(tag, kind, number, layout.offset_format.pack(position)))
            values += data
        values += b"\0" * (len(values) % 2)  # values start at even positions
    return entries, values


def _swap_bytes(value: Value, old: ByteOrder, new: ByteOrder) -> Value:
    if isinstance(value.data, dict):
        return value._replace(data=convert_byte_order(value.data, old, new))
    width = 4 if value.kind in _RATIONALS else _SIZES[value.kind]
    words = [value.data[start : start + width][::-1] for start in range(0, len(value.data), width)]
    return value._replace(data=b"".join(words))


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    if size > _MAX_UNCHECKED_READ and start + size > file.seek(0, io.SEEK_END):
        raise DirectoryError("a value is truncated", start + size)
    try:
        file.seek(start)
    except (OSError, OverflowError, ValueError) as error:
        is_from_disk = getattr(error, "errno", errno.EINVAL) != errno.EINVAL  # EINVAL: no file has such a position
        if is_from_disk:
            raise
        raise DirectoryError("it points beyond its end", start + 1) from None
    data = file.read(size)
    if len(data) < size:
        raise DirectoryError("a directory is truncated", start + size)
    return data
