"""The chunks of a WebP file, taken apart and put together.

WebP container specification: https://developers.google.com/speed/webp/docs/riff_container
"""

import os
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from imgpool.core.errors import ReadError
from imgpool.formats._chunk import Chunk
from imgpool.formats._sniff import COPY_AGAIN
from imgpool.formats._truncated import truncated

PICTURE = {b"ALPH", b"VP8 ", b"VP8L"}

_ICC, _ALPHA, _EXIF, _XMP, _ANIMATION = 0x20, 0x10, 0x08, 0x04, 0x02  # flags of VP8X
_RIFF_HEADER = 12  # bytes
_KEY_FRAME = b"\x9d\x01\x2a"
_LOSSLESS = 0x2F


class Header(NamedTuple):
    """What the first chunk tells.

    Attributes
    ----------
    width, height
        In pixels.
    alpha
        Whether there is an alpha channel.
    """

    width: int
    height: int
    alpha: bool


def read_header(file: BinaryIO) -> Header:
    """Read the first chunk, and see that the file is as long as it says.

    Raises
    ------
    ReadError
        If the file is damaged, truncated, or an animation.
    """
    size = os.fstat(file.fileno()).st_size
    file.seek(4)
    declared = 8 + int.from_bytes(file.read(4), "little")
    if size < declared:
        raise truncated(size / declared, "file")
    file.seek(_RIFF_HEADER)
    kind, _, body = struct.unpack("<4sI10s", file.read(18).ljust(18, b"\0"))
    if kind == b"VP8X":
        if body[0] & _ANIMATION:
            raise ReadError("this WebP is an animation", "save its frames as pictures of their own")
        width, height = (1 + int.from_bytes(body[start : start + 3], "little") for start in (4, 7))
        return Header(width, height, bool(body[0] & _ALPHA))
    if kind == b"VP8L" and body[0] == _LOSSLESS:
        bits = int.from_bytes(body[1:5], "little")
        return Header(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), bool(bits >> 28 & 1))
    if kind == b"VP8 " and body[3:6] == _KEY_FRAME:
        width, height = struct.unpack("<HH", body[6:])
        return Header(width & 0x3FFF, height & 0x3FFF, alpha=False)
    raise ReadError("the WebP is damaged: its header makes no sense", COPY_AGAIN)


def iter_chunks(data: bytes) -> Iterator[Chunk]:
    """Every chunk that is whole."""
    start, end = _RIFF_HEADER, min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    while start + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, start)
        if start + 8 + length > end:
            return
        yield Chunk(kind, data[start + 8 : start + 8 + length])
        start += 8 + length + length % 2


def join(picture: Iterable[Chunk], header: Header, icc: bytes, exif: bytes, xmp: bytes) -> bytes:
    """The bytes of a file with this picture, and beside it what is not empty."""
    flags = _ICC * bool(icc) | _ALPHA * header.alpha | _EXIF * bool(exif) | _XMP * bool(xmp)
    canvas = (header.width - 1).to_bytes(3, "little") + (header.height - 1).to_bytes(3, "little")
    beside = [Chunk(b"ICCP", icc), *picture, Chunk(b"EXIF", exif), Chunk(b"XMP ", xmp)]
    chunks = [Chunk(b"VP8X", bytes([flags, 0, 0, 0]) + canvas), *(chunk for chunk in beside if chunk.body)]
    packed = b"".join(kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2) for kind, body in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(packed)) + b"WEBP" + packed
