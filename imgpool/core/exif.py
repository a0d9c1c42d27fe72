"""The orientation and the thumbnail in an EXIF block.

A block is a small TIFF file. Its header gives the byte order and the position of the first directory (IFD0), which has
an entry of 12 bytes for each tag: tag, type, count, value. After the entries follows the position of the next directory
(IFD1), which describes the thumbnail. Only the bytes of the orientation and of the thumbnail are ever changed, so that
everything else in the block is preserved.
"""

import struct
from typing import NamedTuple

UPRIGHT = 1
"""Orientation of an image that is stored as it should be displayed."""

ORIENTATIONS = range(1, 9)
"""All orientations of EXIF."""

PREFIX = b"Exif\0\0"
"""Precedes the block in a JPEG file, and by mistake in some PNG and WebP files; it is not part of the block."""

_ORIENTATION_TAG = 0x0112
_THUMBNAIL_TAG, _THUMBNAIL_SIZE_TAG = 0x0201, 0x0202
_JPEG_SIGNATURE = b"\xff\xd8"
_ENTRY_BYTES = 12
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_VALUE_CODES = {3: "H", 4: "I"}  # by type: SHORT, as in the standard, and LONG, as some cameras write


class _Location(NamedTuple):
    """Position of the orientation in a block, and its format in `struct`."""

    offset: int
    code: str


def orientation(exif: bytes | None) -> int:
    """Return the orientation in which the pixels are stored.

    Returns
    -------
    int
        1 (upright) to 8, as in EXIF; 1 if there is no block or no valid orientation in it.
    """
    location = _find_orientation(exif) if exif else None
    if exif is None or location is None:
        return UPRIGHT
    (value,) = struct.unpack_from(location.code, exif, location.offset)
    return value if value in ORIENTATIONS else UPRIGHT


def with_orientation(exif: bytes, value: int) -> bytes:
    """Return the block with another orientation; no other byte changes.

    Parameters
    ----------
    exif
        A block that starts with its TIFF header.
    value
        1 (upright) to 8.

    Raises
    ------
    ValueError
        If `value` is not an orientation, or the block has no orientation tag and `value` is not 1.
    """
    if value not in ORIENTATIONS:
        raise ValueError(f"an EXIF orientation must be 1 to 8, not {value}")
    location = _find_orientation(exif)
    if location is None:
        if value != UPRIGHT:
            raise ValueError("the EXIF block has no orientation tag to change")
        return exif
    end = location.offset + struct.calcsize(location.code)
    return exif[: location.offset] + struct.pack(location.code, value) + exif[end:]


def without_thumbnail(exif: bytes) -> bytes:
    """Return the block without its embedded thumbnail."""
    order = _BYTE_ORDERS.get(exif[:4])
    if order is None:
        return exif
    try:
        link = _entry_starts(exif, order, _first_directory(exif, order)).stop
        (second_directory,) = struct.unpack_from(f"{order}I", exif, link)
        values = _long_values(exif, order, second_directory) if second_directory else {}
    except struct.error:  # truncated
        return exif
    if not second_directory:
        return exif
    unlinked = exif[:link] + bytes(4) + exif[link + 4 :]
    start, length = values.get(_THUMBNAIL_TAG, 0), values.get(_THUMBNAIL_SIZE_TAG, 0)
    if exif[start : start + 2] != _JPEG_SIGNATURE:
        return unlinked
    end = start + length
    if end < len(exif):  # fill it with zeros: the values that follow must keep their positions
        return unlinked[:start] + bytes(length) + unlinked[end:]
    return unlinked[:start]


def _first_directory(exif: bytes, order: str) -> int:
    """Return the position of IFD0."""
    (directory,) = struct.unpack_from(f"{order}I", exif, 4)
    return int(directory)


def _entry_starts(exif: bytes, order: str, directory: int) -> range:
    """Return the positions of the entries of a directory; the range stops at the link to the next directory."""
    (entries,) = struct.unpack_from(f"{order}H", exif, directory)
    return range(directory + 2, directory + 2 + entries * _ENTRY_BYTES, _ENTRY_BYTES)


def _long_values(exif: bytes, order: str, directory: int) -> dict[int, int]:
    """Return the values of a directory's tags, each as one 32-bit number."""
    return dict(struct.unpack_from(f"{order}H6xI", exif, start) for start in _entry_starts(exif, order, directory))


def _find_orientation(exif: bytes) -> _Location | None:
    """Find the orientation in IFD0; None if it is missing or the block is damaged."""
    order = _BYTE_ORDERS.get(exif[:4])
    if order is None:
        return None
    try:
        for start in _entry_starts(exif, order, _first_directory(exif, order)):
            tag, kind, count = struct.unpack_from(f"{order}HHI4x", exif, start)
            if tag == _ORIENTATION_TAG:
                code = _VALUE_CODES.get(kind)
                return _Location(start + 8, order + code) if code and count == 1 else None
    except struct.error:  # truncated
        return None
    return None
