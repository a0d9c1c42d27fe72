"""The chunks of a PNG file: taken apart with every checksum tested, and put together.

PNG specification, third edition: https://www.w3.org/TR/png-3/
"""

import struct
import zlib
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

from imgpool.core.errors import ReadError
from imgpool.formats._chunk import Chunk
from imgpool.formats._sniff import COPY_AGAIN
from imgpool.formats._truncated import truncated

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND\xae\x42\x60\x82"
PALETTE = 3  # the colour type
INFLATED_LIMIT = 64 << 20  # bytes: no text or profile is that long; a forged one may be

_FIRST_READ = 1 << 16  # bytes: all of a small file, and the header of most large ones
_FRAME = struct.Struct(">I4s")  # the length of a chunk's body, and its kind
_NUMBER = struct.Struct(">I")
_FRAMED = 12  # bytes of a chunk beside its body

_SAMPLES = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # by colour type
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_PIXELS = {b"IDAT", b"IEND"}
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
    end
        Where that begins in the file.
    """

    width: int
    height: int
    depth: int
    colour: int
    samples: int
    chunks: list[Chunk]
    end: int

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


class Picture(NamedTuple):
    """What follows the header.

    Attributes
    ----------
    packed
        The PNG file that holds the picture and nothing beside it: of other chunks, libpng would complain.
    packed_size
        The bytes of compressed pixels in it.
    chunks
        Every chunk from the first IDAT on that belongs not to the picture.
    """

    packed: bytes
    packed_size: int
    chunks: list[Chunk]


def read_start(file: BinaryIO) -> bytes:
    """The first bytes of a file: all of a small one."""
    return file.read(_FIRST_READ)


def read_header(file: BinaryIO, start: bytes) -> tuple[Header, bytes]:
    """Read up to the first IDAT chunk, from an unbuffered file of which `start` has been read.

    Returns
    -------
    header, start
        And all that has been read by now.

    Raises
    ------
    ReadError
        If the file is damaged, truncated, or an animation.
    """
    while True:
        try:
            return _split_header(start), start
        except _TruncatedError:
            more = file.read(len(start))
            if not more:
                raise
            start += more


def split_rest(data: bytes, header: Header) -> Picture:
    """Take apart a whole file from the first IDAT chunk on.

    Raises
    ------
    ReadError
        If the file is damaged or truncated; in the latter case it says how much of the picture is there.
    """
    view, position, kind = memoryview(data), header.end, b""
    pixels = list[memoryview]()  # whole chunks
    others = list[Chunk]()
    packed_size = 0
    while kind != b"IEND":
        try:
            kind, end = _check_chunk(data, position)
        except _TruncatedError:
            bodies = [*(chunk[8:-4] for chunk in pixels), view[position + 8 :]]
            raise truncated(_inflated_size(bodies) / header.raw_size) from None
        if kind in _PIXELS:
            pixels.append(view[position:end])
            packed_size += end - position - _FRAMED
        else:
            others.append(Chunk(kind, data[position + 8 : end - 4]))
        position = end
    bare = not others and (len(header.chunks) == 1 or header.tables == header.chunks)
    packed = data if bare else b"".join((SIGNATURE, join(header.tables), *pixels))
    return Picture(packed, packed_size, others)


def join(chunks: Iterable[Chunk]) -> bytes:
    """The bytes of these chunks, with their lengths and checksums."""
    return b"".join(piece for chunk in chunks for piece in pieces(*chunk))


def pieces(kind: bytes, body: bytes | memoryview) -> tuple[bytes, bytes | memoryview, bytes]:
    """A chunk as it stands in a file, its body not copied."""
    return _FRAME.pack(len(body), kind), body, _NUMBER.pack(zlib.crc32(body, zlib.crc32(kind)))


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
    """The file ends within a chunk."""

    def __init__(self) -> None:
        super().__init__("truncated: the file ends within its header", COPY_AGAIN)


def _split_header(data: bytes) -> Header:
    position, chunks = len(SIGNATURE), list[Chunk]()
    while True:
        length, kind = _frame(data, position)
        if kind == b"IDAT":
            return _parse_header(chunks, position)
        _, end = _check_chunk(data, position)
        if kind == b"IEND":
            raise ReadError("the PNG holds no picture", COPY_AGAIN)
        chunks.append(Chunk(kind, data[position + 8 : position + 8 + length]))
        position = end


def _frame(data: bytes, position: int) -> tuple[int, bytes]:
    """The length and the kind of the chunk that begins here."""
    if position + 8 > len(data):
        raise _TruncatedError
    length, kind = _FRAME.unpack_from(data, position)
    if not kind.isalpha():
        raise _damaged()
    return length, kind


def _check_chunk(data: bytes, position: int) -> tuple[bytes, int]:
    """The kind of the chunk that begins here, and where it ends; its checksum is tested."""
    length, kind = _frame(data, position)
    end = position + 8 + length
    if end + 4 > len(data):
        raise _TruncatedError
    if zlib.crc32(memoryview(data)[position + 4 : end]).to_bytes(4) != data[end : end + 4]:
        raise _damaged()
    return kind, end + 4


def _damaged() -> ReadError:
    return ReadError("the PNG is damaged: a checksum is wrong", COPY_AGAIN)


def _parse_header(chunks: list[Chunk], end: int) -> Header:
    kind, body = chunks[0] if chunks else (b"", b"")
    if kind != b"IHDR" or len(body) != 13:  # noqa: PLR2004 - bytes, says the specification
        raise ReadError("the PNG is damaged: its header is missing", COPY_AGAIN)
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", body)
    if not (width and height) or depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
        raise ReadError("the PNG is damaged: its header makes no sense", COPY_AGAIN)
    transparent = next((chunk for chunk in chunks if chunk.kind == b"tRNS"), None)
    if transparent and len(transparent.body) not in _TRANSPARENT_SIZES.get(colour, ()):
        raise ReadError("the PNG is damaged: its transparency makes no sense", COPY_AGAIN)
    frames = next((int.from_bytes(body[:4]) for kind, body in chunks if kind == b"acTL"), 1)
    if frames > 1:
        raise ReadError(f"this PNG is an animation of {frames} frames", "save its frames as pictures of their own")
    return Header(width, height, depth, colour, _SAMPLES[colour] + bool(transparent), chunks, end)


def _inflated_size(bodies: Iterable[memoryview]) -> int:
    """How many bytes of pixels there are in an incomplete stream."""
    inflater, size = zlib.decompressobj(), 0
    try:
        for body in bodies:
            rest: bytes | memoryview = body
            while rest:
                size += len(inflater.decompress(rest, 1 << 20))
                rest = inflater.unconsumed_tail
    except zlib.error:
        pass
    return size
