"""Split a PNG file into chunks, checking every checksum, and put chunks together.

PNG specification, third edition: https://www.w3.org/TR/png-3/
"""

import struct
import zlib
from collections.abc import Iterable, Sized
from typing import BinaryIO, NamedTuple

from imgpool.core.errors import ReadError
from imgpool.formats._chunk import Chunk
from imgpool.formats._errors import COPY_AGAIN, truncated_error

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND\xae\x42\x60\x82"
PALETTE = 3
"""Colour type of an image with a palette."""

MAX_INFLATED_BYTES = 64 << 20
"""Largest text or profile that is decompressed; a longer one is forged."""

MAX_CHUNKS = 10_000
"""Most chunks besides those of the pixels."""

MAX_PIXEL_CHUNKS = 1_000_000

MAX_HEADER_BYTES = 128 << 20
"""Most bytes before the pixels."""

_FIRST_READ_BYTES = 1 << 16  # a small file as a whole, and the header of most large files
_INFLATE_BLOCK_BYTES = 1 << 20
_FRAME = struct.Struct(">I4s")  # the length of a chunk's body, and its kind
_UINT32 = struct.Struct(">I")
_FRAME_BYTES = 12  # of a chunk, in addition to its body
_IHDR = struct.Struct(">IIBBBBB")

_SAMPLES = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # by colour type
_BIT_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}  # by colour type
_PIXEL_KINDS = {b"IDAT", b"IEND"}
_TRANSPARENCY_SIZES = {0: {2}, 2: {6}, 3: range(1, 257)}  # of a tRNS chunk in bytes, by colour type


class Header(NamedTuple):
    """The IHDR chunk and the other chunks before the pixels.

    Attributes
    ----------
    width, height
        In pixels.
    bit_depth
        Bits per sample as stored.
    colour_type
        Number of the colour type in the specification.
    samples
        Samples per pixel after decoding: an index into a palette gives three, and a tRNS chunk adds one.
    chunks
        All chunks before the first IDAT chunk.
    end
        Position of the first IDAT chunk in the file.
    """

    width: int
    height: int
    bit_depth: int
    colour_type: int
    samples: int
    chunks: list[Chunk]
    end: int

    @property
    def inflated_size(self) -> int:
        """Size of the decompressed pixels in bytes; interlacing adds a few more."""
        samples = 1 if self.colour_type == PALETTE else _SAMPLES[self.colour_type]
        return self.height * (1 + (self.width * self.bit_depth * samples + 7) // 8)

    @property
    def decoding_chunks(self) -> list[Chunk]:
        """The chunks that are needed to decode the pixels: IHDR, PLTE and tRNS."""
        first = {chunk.kind: chunk for chunk in reversed(self.chunks)}
        palette = [first[b"PLTE"]] if self.colour_type == PALETTE and b"PLTE" in first else []
        return [first[b"IHDR"], *palette, *([first[b"tRNS"]] if b"tRNS" in first else [])]


class PixelChunks(NamedTuple):
    """The pixels of a file, still compressed.

    Attributes
    ----------
    png
        A PNG file with the pixels and no other chunks, about which libpng would complain.
    deflated_size
        Size of the compressed pixels in bytes.
    other_chunks
        Chunks after the first IDAT chunk that do not belong to the pixels.
    """

    png: bytes
    deflated_size: int
    other_chunks: list[Chunk]


def read_start(file: BinaryIO) -> bytes:
    """Read the first bytes of a file: a small file as a whole."""
    return file.read(_FIRST_READ_BYTES)


def read_header(file: BinaryIO, start: bytes) -> tuple[Header, bytes]:
    """Read up to the first IDAT chunk.

    Parameters
    ----------
    file
        An unbuffered file.
    start
        What has been read from it.

    Returns
    -------
    header, start
        The header, and all that has now been read.

    Raises
    ------
    ReadError
        If the file is damaged, truncated, or an animation, or has more metadata than imgpool reads.
    """
    while True:
        try:
            return _split_header(start), start
        except _TruncatedError:
            if len(start) >= MAX_HEADER_BYTES:
                raise _too_much("MB of metadata", MAX_HEADER_BYTES // 10**6) from None
            more = file.read(len(start))
            if not more:
                raise
            start += more


def split_pixels(data: bytes, header: Header) -> PixelChunks:
    """Split a whole file from its first IDAT chunk on.

    Raises
    ------
    ReadError
        If the file is damaged or truncated, or has more chunks than imgpool reads. If it is truncated, the message
        says how much of the picture is present.
    """
    view, position, kind = memoryview(data), header.end, b""
    pixels = list[memoryview]()  # whole chunks
    others = list[Chunk]()
    deflated_size = 0
    while kind != b"IEND":
        try:
            kind, end = _check_chunk(data, position)
        except _TruncatedError:
            bodies = [*(chunk[8:-4] for chunk in pixels), view[position + 8 :]]
            raise truncated_error(_inflated_size(bodies) / header.inflated_size) from None
        if kind in _PIXEL_KINDS:
            pixels.append(view[position:end])
            deflated_size += end - position - _FRAME_BYTES
        else:
            others.append(Chunk(kind, data[position + 8 : end - 4]))
        position = end
        _check_number(others, MAX_CHUNKS)
        _check_number(pixels, MAX_PIXEL_CHUNKS)
    has_only_pixels = not others and (len(header.chunks) == 1 or header.decoding_chunks == header.chunks)
    png = data if has_only_pixels else b"".join((SIGNATURE, pack_chunks(header.decoding_chunks), *pixels))
    return PixelChunks(png, deflated_size, others)


def pack_chunks(chunks: Iterable[Chunk]) -> bytes:
    """Return the bytes of chunks, with their lengths and checksums."""
    return b"".join(block for chunk in chunks for block in pack_chunk(*chunk))


def pack_chunk(kind: bytes, body: bytes | memoryview) -> tuple[bytes, bytes | memoryview, bytes]:
    """Return the blocks of a chunk; its body is not copied."""
    return _FRAME.pack(len(body), kind), body, _UINT32.pack(zlib.crc32(body, zlib.crc32(kind)))


def inflate(body: bytes) -> bytes:
    """Decompress a text or profile; raise ``ValueError`` if it is damaged or forged."""
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(body, MAX_INFLATED_BYTES)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not inflater.eof:
        raise ValueError("incomplete, or far too long")
    return content


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
            raise ReadError("the PNG contains no picture", COPY_AGAIN)
        chunks.append(Chunk(kind, data[position + 8 : position + 8 + length]))
        position = end
        _check_number(chunks, MAX_CHUNKS)


def _frame(data: bytes, position: int) -> tuple[int, bytes]:
    """Return the length and the kind of the chunk at a position."""
    if position + 8 > len(data):
        raise _TruncatedError
    length, kind = _FRAME.unpack_from(data, position)
    if not kind.isalpha():
        raise _damaged("a checksum is wrong")
    return length, kind


def _check_chunk(data: bytes, position: int) -> tuple[bytes, int]:
    """Return the kind and the end of the chunk at a position, after checking its checksum."""
    length, kind = _frame(data, position)
    end = position + 8 + length
    if end + 4 > len(data):
        raise _TruncatedError
    if zlib.crc32(memoryview(data)[position + 4 : end]).to_bytes(4) != data[end : end + 4]:
        raise _damaged("a checksum is wrong")
    return kind, end + 4


def _parse_header(chunks: list[Chunk], end: int) -> Header:
    """Parse the chunks before the pixels, which start at `end`."""
    kind, body = chunks[0] if chunks else (b"", b"")
    if kind != b"IHDR" or len(body) != _IHDR.size:
        raise _damaged("its header is missing")
    width, height, bit_depth, colour_type, *methods = _IHDR.unpack(body)
    if not _is_valid(width, height, bit_depth, colour_type, methods):
        raise _damaged("its header is not valid")
    transparency = next((chunk for chunk in chunks if chunk.kind == b"tRNS"), None)
    if transparency and len(transparency.body) not in _TRANSPARENCY_SIZES.get(colour_type, ()):
        raise _damaged("its transparency is not valid")
    _check_still(chunks)
    samples = _SAMPLES[colour_type] + bool(transparency)
    return Header(width, height, bit_depth, colour_type, samples, chunks, end)


def _is_valid(width: int, height: int, bit_depth: int, colour_type: int, methods: list[int]) -> bool:
    compression, filtering, interlacing = methods
    return (
        width > 0
        and height > 0
        and bit_depth in _BIT_DEPTHS.get(colour_type, ())
        and compression == filtering == 0
        and interlacing in {0, 1}
    )


def _check_still(chunks: list[Chunk]) -> None:
    """Raise `ReadError` for an animation of several frames."""
    frames = next((int.from_bytes(body[:4]) for kind, body in chunks if kind == b"acTL"), 1)
    if frames > 1:
        raise ReadError(f"this PNG is an animation of {frames} frames", "save its frames as separate images")


def _check_number(chunks: Sized, maximum: int) -> None:
    if len(chunks) > maximum:
        raise _too_much("chunks", maximum)


def _too_much(what: str, maximum: int) -> ReadError:
    return ReadError(
        f"this PNG has more than {maximum:,} {what}, the most that imgpool reads",
        "save it again, or remove its metadata: exiftool -all= FILE",
    )


def _damaged(problem: str) -> ReadError:
    return ReadError(f"the PNG is damaged: {problem}", COPY_AGAIN)


def _inflated_size(bodies: Iterable[memoryview]) -> int:
    """Return the size in bytes of what an incomplete stream decompresses to."""
    inflater, size = zlib.decompressobj(), 0
    try:
        for body in bodies:
            rest: bytes | memoryview = body
            while rest:
                size += len(inflater.decompress(rest, _INFLATE_BLOCK_BYTES))
                rest = inflater.unconsumed_tail
    except zlib.error:
        pass
    return size
