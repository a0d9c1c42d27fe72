"""Split a WebP file into chunks, and put chunks together.

WebP container specification: https://developers.google.com/speed/webp/docs/riff_container
"""

import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO, NamedTuple

from imgpool.core.errors import ReadError
from imgpool.formats._chunk import Chunk
from imgpool.formats._errors import COPY_AGAIN, truncated_error

MAX_CHUNKS = 10_000
"""Most chunks of a file; a picture has up to six."""

PIXEL_KINDS = {b"ALPH", b"VP8 ", b"VP8L"}

_ICC_FLAG, _ALPHA_FLAG, _EXIF_FLAG, _XMP_FLAG, _ANIMATION_FLAG = 0x20, 0x10, 0x08, 0x04, 0x02  # in VP8X
_RIFF_HEADER_BYTES = 12
_FIRST_CHUNK = struct.Struct("<4sI10s")  # kind, length, and the start of the body
_KEY_FRAME = b"\x9d\x01\x2a"
_LOSSLESS_SIGNATURE = 0x2F
_SIDE_MASK = 0x3FFF  # 14 bits


class Header(NamedTuple):
    """Size of an image, and whether it has alpha, as the first chunk of its file declares.

    Attributes
    ----------
    width, height
        In pixels.
    has_alpha
        Whether there is an alpha channel.
    """

    width: int
    height: int
    has_alpha: bool


def read_header(file: BinaryIO) -> Header:
    """Read the first chunk, and check that the file is as long as it declares.

    Raises
    ------
    ReadError
        If the file is damaged, truncated, or an animation.
    """
    size = os.fstat(file.fileno()).st_size
    file.seek(4)
    declared = 8 + int.from_bytes(file.read(4), "little")
    if size < declared:
        raise truncated_error(size / declared, "file")
    file.seek(_RIFF_HEADER_BYTES)
    kind, _, body = _FIRST_CHUNK.unpack(file.read(_FIRST_CHUNK.size).ljust(_FIRST_CHUNK.size, b"\0"))
    if kind == b"VP8X":
        if body[0] & _ANIMATION_FLAG:
            raise ReadError("this WebP is an animation", "save its frames as separate images")
        width, height = (1 + int.from_bytes(body[start : start + 3], "little") for start in (4, 7))
        return Header(width, height, bool(body[0] & _ALPHA_FLAG))
    if kind == b"VP8L" and body[0] == _LOSSLESS_SIGNATURE:
        bits = int.from_bytes(body[1:5], "little")
        return Header(1 + (bits & _SIDE_MASK), 1 + (bits >> 14 & _SIDE_MASK), bool(bits >> 28 & 1))
    if kind == b"VP8 " and body[3:6] == _KEY_FRAME:
        width, height = struct.unpack("<HH", body[6:])
        return Header(width & _SIDE_MASK, height & _SIDE_MASK, has_alpha=False)
    raise ReadError("the WebP is damaged: its header is not valid", COPY_AGAIN)


def iter_chunks(data: bytes) -> Iterator[Chunk]:
    """Yield every complete chunk of a file; raise `ReadError` if there are too many."""
    start, end = _RIFF_HEADER_BYTES, min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    for _ in range(MAX_CHUNKS):
        if start + 8 > end:
            return
        kind, length = struct.unpack_from("<4sI", data, start)
        if start + 8 + length > end:
            return
        yield Chunk(kind, data[start + 8 : start + 8 + length])
        start += 8 + length + length % 2
    raise ReadError(
        f"this WebP has more than {MAX_CHUNKS:,} chunks, the most that imgpool reads", "save it again as WebP or PNG"
    )


def join_chunks(pixels: Iterable[Chunk], header: Header, metadata: Mapping[str, bytes]) -> bytes:
    """Return the bytes of a file.

    Parameters
    ----------
    pixels
        Chunks of kinds `PIXEL_KINDS`.
    header
        Size and alpha of the image.
    metadata
        Bodies of the chunks for "icc", "exif" and "xmp", as far as there are any.
    """
    flags = _ALPHA_FLAG * header.has_alpha
    for name, flag in (("icc", _ICC_FLAG), ("exif", _EXIF_FLAG), ("xmp", _XMP_FLAG)):
        flags |= flag * (name in metadata)
    canvas = (header.width - 1).to_bytes(3, "little") + (header.height - 1).to_bytes(3, "little")
    before = [Chunk(b"VP8X", bytes([flags, 0, 0, 0]) + canvas), *_named(b"ICCP", metadata.get("icc"))]
    after = [*_named(b"EXIF", metadata.get("exif")), *_named(b"XMP ", metadata.get("xmp"))]
    packed = b"".join(map(_pack, (*before, *pixels, *after)))
    return b"RIFF" + struct.pack("<I", 4 + len(packed)) + b"WEBP" + packed


def _named(kind: bytes, body: bytes | None) -> list[Chunk]:
    return [Chunk(kind, body)] if body else []


def _pack(chunk: Chunk) -> bytes:
    return chunk.kind + struct.pack("<I", len(chunk.body)) + chunk.body + b"\0" * (len(chunk.body) % 2)
