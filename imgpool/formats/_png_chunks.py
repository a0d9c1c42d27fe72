"""The chunks of a PNG file: taken apart with every checksum tested, and put together.

PNG specification, third edition: https://www.w3.org/TR/png-3/
"""

import os
import struct
import zlib
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

from imgpool.core.errors import ReadError
from imgpool.formats._chunk import Chunk
from imgpool.formats._sniff import COPY_AGAIN
from imgpool.formats._truncated import truncated

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PALETTE = 3  # the colour type
INFLATED_LIMIT = 64 << 20  # bytes: no text or profile is that long; a forged one may be

_SAMPLES = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # by colour type
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_TRANSPARENT_SIZES = {0: {2}, 2: {6}, 3: range(1, 257)}  # bytes of a tRNS chunk, by colour type


class Header(NamedTuple):
    """The IHDR chunk, and what stands between it and the pixels.

    Attributes
    ----------
    width, height
        In pixels.
    depth
        Bits per sample as stored.
    colour
        The colour type, as the specification numbers them.
    samples
        Per pixel as decoded: a palette's index is three, and a tRNS chunk gives one more.
    chunks
        Every chunk before the first IDAT.
    """

    width: int
    height: int
    depth: int
    colour: int
    samples: int
    chunks: list[Chunk]

    @property
    def raw_size(self) -> int:
        """The bytes that the pixels take when inflated; with interlacing a few more."""
        samples = 1 if self.colour == PALETTE else _SAMPLES[self.colour]
        return self.height * (1 + (self.width * self.depth * samples + 7) // 8)

    @property
    def tables(self) -> list[Chunk]:
        """The chunks before the pixels without which these would not be understood."""
        first = {chunk.kind: chunk for chunk in reversed(self.chunks)}
        palette = [first[b"PLTE"]] if self.colour == PALETTE and b"PLTE" in first else []
        return [first[b"IHDR"], *palette, *([first[b"tRNS"]] if b"tRNS" in first else [])]


def read_header(file: BinaryIO) -> Header:
    """Read up to the first IDAT chunk; the file is left there.

    Raises
    ------
    ReadError
        If the file is damaged, truncated, or an animation.
    """
    file.seek(len(SIGNATURE))
    chunks = list[Chunk]()
    while True:
        length, kind = _read_frame(file)
        if kind == b"IDAT":
            break
        chunks.append(_read_body(file, length, kind))
        if kind == b"IEND":
            raise ReadError("the PNG holds no picture", COPY_AGAIN)
    file.seek(-8, os.SEEK_CUR)
    header = _parse_header(chunks)
    frames = next((int.from_bytes(body[:4]) for kind, body in chunks if kind == b"acTL"), 1)
    if frames > 1:
        raise ReadError(f"this PNG is an animation of {frames} frames", "save its frames as pictures of their own")
    return header


def read_rest(file: BinaryIO, header: Header) -> list[Chunk]:
    """Read from the first IDAT chunk to the end.

    Raises
    ------
    ReadError
        If the file is damaged or truncated; in the latter case it says how much of the picture is there.
    """
    chunks = list[Chunk]()
    while not chunks or chunks[-1].kind != b"IEND":
        try:
            chunks.append(_read_body(file, *_read_frame(file)))
        except _TruncatedError as error:
            bodies = [*(body for kind, body in chunks if kind == b"IDAT"), error.remainder]
            raise truncated(_inflated_size(bodies) / header.raw_size) from None
    return chunks


def join(chunks: Iterable[Chunk]) -> bytes:
    """The bytes of these chunks, with their lengths and checksums."""
    return b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
        for kind, body in chunks
    )


def inflate(body: bytes) -> bytes:
    """Decompress a text or profile; raise ``ValueError`` where it is damaged or forged."""
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(body, INFLATED_LIMIT)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not inflater.eof:
        raise ValueError("incomplete, or far too long")
    return text


class _TruncatedError(ReadError):
    """The file ends within a chunk, of whose body `remainder` is there."""

    def __init__(self, remainder: bytes) -> None:
        super().__init__("truncated: the file ends within its header", COPY_AGAIN)
        self.remainder = remainder


def _read_frame(file: BinaryIO) -> tuple[int, bytes]:
    frame = file.read(8)
    if len(frame) < 8:  # noqa: PLR2004 - length and kind
        raise _TruncatedError(b"")
    length, kind = struct.unpack(">I4s", frame)
    if not kind.isalpha():
        raise _damaged()
    return length, kind


def _read_body(file: BinaryIO, length: int, kind: bytes) -> Chunk:
    there = os.fstat(file.fileno()).st_size - file.tell()
    if length + 4 > there:  # asked before reading, for a forged length would allocate gigabytes
        raise _TruncatedError(file.read(min(length, max(there, 0))) if kind == b"IDAT" else b"")
    body = file.read(length)
    if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(file.read(4)):
        raise _damaged()
    return Chunk(kind, body)


def _damaged() -> ReadError:
    return ReadError("the PNG is damaged: a checksum is wrong", COPY_AGAIN)


def _parse_header(chunks: list[Chunk]) -> Header:
    kind, body = chunks[0] if chunks else (b"", b"")
    if kind != b"IHDR" or len(body) != 13:  # noqa: PLR2004 - bytes, says the specification
        raise ReadError("the PNG is damaged: its header is missing", COPY_AGAIN)
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", body)
    if not (width and height) or depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
        raise ReadError("the PNG is damaged: its header makes no sense", COPY_AGAIN)
    transparent = next((chunk for chunk in chunks if chunk.kind == b"tRNS"), None)
    if transparent and len(transparent.body) not in _TRANSPARENT_SIZES.get(colour, ()):
        raise ReadError("the PNG is damaged: its transparency makes no sense", COPY_AGAIN)
    return Header(width, height, depth, colour, _SAMPLES[colour] + bool(transparent), chunks)


def _inflated_size(bodies: Iterable[bytes]) -> int:
    """How many bytes of pixels there are in an incomplete stream."""
    inflater, size = zlib.decompressobj(), 0
    try:
        for body in bodies:
            rest = body
            while rest:
                size += len(inflater.decompress(rest, 1 << 20))
                rest = inflater.unconsumed_tail
    except zlib.error:
        pass
    return size
