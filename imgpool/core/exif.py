"""The orientation in an EXIF block, which way up a photo was taken, and the small picture of it.

A block is a small TIFF file: a header that names the byte order and where the first directory (IFD0)
begins, and there one entry of 12 bytes per tag: tag, type, count, value. Behind the entries stands where the
next directory (IFD1) is, which tells of the small picture. Only the bytes of the orientation and of the small
picture are ever changed, so whatever else a camera wrote, readable or not, stays as it was.
"""

import struct
from typing import NamedTuple

UPRIGHT = 1
ORIENTATIONS = range(1, 9)
PREFIX = b"Exif\0\0"
"""Stands before a block in a JPEG, and by mistake in some PNG and WebP files; no part of it."""

_TAG = 0x0112
_PICTURE, _PICTURE_SIZE = 0x0201, 0x0202
_JPEG = b"\xff\xd8"
_ENTRY_SIZE = 12
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_VALUE_CODES = {3: "H", 4: "I"}  # SHORT, as the standard says, and LONG, as some cameras write


class _Value(NamedTuple):
    """Where the orientation stands in a block, and how it is packed."""

    offset: int
    code: str


def orientation(exif: bytes | None) -> int:
    """Which way up the pixels are stored.

    Returns
    -------
    int
        1 (upright) to 8, as EXIF numbers them; 1 where there is no block, no such tag, or no sense in it.
    """
    found = _find(exif) if exif else None
    if exif is None or found is None:
        return UPRIGHT
    (value,) = struct.unpack_from(found.code, exif, found.offset)
    return value if value in ORIENTATIONS else UPRIGHT


def with_orientation(exif: bytes, value: int) -> bytes:
    """The block with this orientation, and not one other byte changed.

    Parameters
    ----------
    exif
        A block that begins with its TIFF header.
    value
        1 (upright) to 8.

    Raises
    ------
    ValueError
        If `value` is no orientation, or the block has no tag to hold one that is not upright.
    """
    if value not in ORIENTATIONS:
        raise ValueError(f"an EXIF orientation is 1 to 8, not {value}")
    found = _find(exif)
    if found is None:
        if value != UPRIGHT:
            raise ValueError("the EXIF block has no orientation tag to change")
        return exif
    end = found.offset + struct.calcsize(found.code)
    return exif[: found.offset] + struct.pack(found.code, value) + exif[end:]


def without_thumbnail(exif: bytes) -> bytes:
    """The block without the small picture that a camera puts in; where there is none, the block itself."""
    order = _BYTE_ORDERS.get(exif[:4])
    if order is None:
        return exif
    try:
        link = _entry_starts(exif, order, _first_directory(exif, order)).stop
        (second,) = struct.unpack_from(f"{order}I", exif, link)
        numbers = _long_values(exif, order, second) if second else {}
    except struct.error:  # cut off
        return exif
    if not second:
        return exif
    unlinked = exif[:link] + bytes(4) + exif[link + 4 :]
    start, length = numbers.get(_PICTURE, 0), numbers.get(_PICTURE_SIZE, 0)
    if exif[start : start + 2] != _JPEG:
        return unlinked
    end = start + length
    return unlinked[:start] + (bytes(length) + unlinked[end:] if end < len(exif) else b"")


def _first_directory(exif: bytes, order: str) -> int:
    """Where IFD0 begins."""
    (directory,) = struct.unpack_from(f"{order}I", exif, 4)
    return int(directory)


def _entry_starts(exif: bytes, order: str, directory: int) -> range:
    """Where each entry of a directory begins; the range stops at the link to the next directory."""
    (entries,) = struct.unpack_from(f"{order}H", exif, directory)
    return range(directory + 2, directory + 2 + entries * _ENTRY_SIZE, _ENTRY_SIZE)


def _long_values(exif: bytes, order: str, directory: int) -> dict[int, int]:
    """The values of a directory's tags, each as one 32-bit number."""
    return dict(struct.unpack_from(f"{order}H6xI", exif, start) for start in _entry_starts(exif, order, directory))


def _find(exif: bytes) -> _Value | None:
    """Look for the tag in IFD0; None where it is absent or the block is damaged."""
    order = _BYTE_ORDERS.get(exif[:4])
    if order is None:
        return None
    try:
        for start in _entry_starts(exif, order, _first_directory(exif, order)):
            tag, kind, count = struct.unpack_from(f"{order}HHI4x", exif, start)
            if tag == _TAG:
                code = _VALUE_CODES.get(kind)
                return _Value(start + 8, order + code) if code and count == 1 else None
    except struct.error:  # cut off
        return None
    return None
