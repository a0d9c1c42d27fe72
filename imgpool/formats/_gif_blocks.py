"""Walk through the blocks of a GIF file, before Pillow does: its time and memory have no limit.

GIF89a specification: https://www.w3.org/Graphics/GIF/spec-gif89a.txt
"""

import io
import re
from typing import BinaryIO

from imgpool.core.errors import ReadError

MAX_SUB_BLOCKS = 1 << 15
"""Most sub-blocks before the picture: comments and data of applications; 1 MB of XMP looks like some 10,000."""

MAX_STRAY_BYTES = 1 << 16
"""Most bytes between blocks before the picture."""

_BLOCK_START = re.compile(rb"[!,;]")
_EXTENSION, _PICTURE = b"!", b","
_WINDOW_BYTES = 1 << 16
_SCREEN_FLAGS, _SCREEN_END = 10, 13  # positions in the file
_PICTURE_FIELDS_BYTES = 9
_HAS_PALETTE, _PALETTE_BITS = 0x80, 0x07  # in the flags


def has_second_picture(file: BinaryIO) -> bool:
    """Return whether a file contains more than one picture.

    Raises
    ------
    ReadError
        If there is too much before the first picture.
    """
    file.seek(_SCREEN_FLAGS)
    flags = file.read(1) or b"\0"
    file.seek(_SCREEN_END + _palette_bytes(flags[0]))
    if not _find_picture(file, limited=True):
        return False
    fields = file.read(_PICTURE_FIELDS_BYTES)
    if len(fields) < _PICTURE_FIELDS_BYTES:
        return False
    file.seek(_palette_bytes(fields[-1]) + 1, 1)  # the palette, and the size of the first code
    _skip_sub_blocks(file)
    return _find_picture(file, limited=False)


def _find_picture(file: BinaryIO, *, limited: bool) -> bool:
    """Go to the fields of the next picture; return whether there is one."""
    stray = sub_blocks = 0
    while True:
        kind, skipped = _next_block(file)
        if kind == _EXTENSION:
            file.seek(1, io.SEEK_CUR)  # its label
            sub_blocks += _skip_sub_blocks(file)
        stray += skipped
        if limited and (stray > MAX_STRAY_BYTES or sub_blocks > MAX_SUB_BLOCKS):
            raise ReadError("this GIF has more before its picture than imgpool reads: comments, or stray bytes",
                            "save it again, or remove its comments: exiftool -all= FILE")  # fmt: skip
        if kind != _EXTENSION:
            return kind == _PICTURE


def _next_block(file: BinaryIO) -> tuple[bytes, int]:
    """Go behind the first byte of the next block; return it (nothing at the end), and how many bytes were skipped."""
    kind = file.read(1)
    if not kind or _BLOCK_START.match(kind):
        return kind, 0
    skipped = 1
    while window := file.read(_WINDOW_BYTES):
        if start := _BLOCK_START.search(window):
            file.seek(start.end() - len(window), io.SEEK_CUR)
            return start[0], skipped + start.start()
        skipped += len(window)
    return b"", skipped


def _skip_sub_blocks(file: BinaryIO) -> int:
    """Go behind the terminator of a sequence of sub-blocks; return their number."""
    number = 0
    while (length := file.read(1)) not in {b"", b"\0"}:
        file.seek(length[0], io.SEEK_CUR)
        number += 1
    return number


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & _PALETTE_BITS) + 1) if flags & _HAS_PALETTE else 0
