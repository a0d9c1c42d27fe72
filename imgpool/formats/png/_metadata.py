"""Metadata in the chunks of a PNG: parsed from them, and written as chunks."""

import binascii
import struct
import zlib
from collections.abc import Iterable
from typing import Any

from imgpool.core.exif import PREFIX
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.formats._chunk import Chunk
from imgpool.formats._lost_metadata import matching_icc
from imgpool.formats._resolution import Dpi, integer_pixels_per_unit, pixel_size_or_dpi, stored_by_resolution
from imgpool.formats.png._chunks import inflate

XMP_KEYWORD = b"XML:com.adobe.xmp"

_NO_METADATA = Metadata()
_RESOLUTION = struct.Struct(">IIB")  # the pHYs chunk: horizontal, vertical, unit
_PER_METRE = 1  # value of its unit; 0 means that only the ratio is known
_MAX_INTEGER = 2**31 - 1  # in a PNG
_COLOUR_KINDS = {b"gAMA", b"cHRM", b"sRGB", b"cICP"}
_TEXT_KINDS = {b"tEXt", b"zTXt", b"iTXt"}
_RAW_EXIF_KEYWORDS = {b"Raw profile type exif", b"Raw profile type APP1"}  # ImageMagick's, from before eXIf existed


def parse_resolution(chunks: Iterable[Chunk]) -> tuple[PixelSize | None, Dpi | None]:
    """Return the pixel size or the resolution for print in a pHYs chunk; see `pixel_size_or_dpi`."""
    for kind, body in chunks:
        if kind == b"pHYs" and len(body) == _RESOLUTION.size:
            horizontal, vertical, unit = _RESOLUTION.unpack(body)
            if unit == _PER_METRE:
                return pixel_size_or_dpi(horizontal, vertical, "m")
    return None, None


def parse_metadata(chunks: Iterable[Chunk]) -> tuple[PixelSize | None, Metadata]:
    """Return the pixel size and the metadata; texts without a field of their own go into ``extra`` unchanged."""
    chunks = [chunk for chunk in chunks if chunk.kind != b"IHDR"]
    if not chunks:
        return None, _NO_METADATA
    pixel_size, dpi = parse_resolution(chunks)
    values, others = _parse_chunks(chunks)
    extra = {
        "xmp": values.get("xmp"),
        "png_colour": _of_kinds(others, _COLOUR_KINDS),
        "png_texts": _of_kinds(others, _TEXT_KINDS),
    }
    return pixel_size, Metadata(
        icc=values.get("icc"),
        exif=values.get("exif") or values.get("raw_exif"),
        dpi=dpi,
        description=values.get("description", ""),
        extra={name: value for name, value in extra.items() if value},
    )


def metadata_chunks(image: Image) -> tuple[list[Chunk], set[str]]:
    """Return the chunks to insert between IHDR and IDAT, and the names of the metadata that they store."""
    icc, chunks = matching_icc(image), _named_chunks(image)
    stored = {*chunks, "texts"}
    written = list(chunks.values())
    resolution = integer_pixels_per_unit(image, "m", _MAX_INTEGER)
    if resolution:
        written.append(Chunk(b"pHYs", _RESOLUTION.pack(*resolution, _PER_METRE)))
        stored |= stored_by_resolution(image)
    # Chunks about colour must come first, and a file must not have both iCCP and sRGB.
    extra = image.metadata.extra
    colour = [chunk for chunk in extra.get("png_colour", ()) if not (icc and chunk.kind == b"sRGB")]
    return [*colour, *written, *extra.get("png_texts", ())], stored


def _named_chunks(image: Image) -> dict[str, Chunk]:
    """Return a chunk for each kind of metadata that the image has, by the name of the metadata."""
    metadata, icc = image.metadata, matching_icc(image)
    xmp = metadata.extra.get("xmp")
    chunks = {
        "icc": Chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc)) if icc else None,
        "exif": Chunk(b"eXIf", metadata.exif) if metadata.exif else None,
        "description": _description_chunk(metadata.description),
        "xmp": None if xmp is None else Chunk(b"iTXt", XMP_KEYWORD + bytes(5) + xmp),
    }
    return {name: chunk for name, chunk in chunks.items() if chunk}


def _parse_chunks(chunks: Iterable[Chunk]) -> tuple[dict[str, Any], list[Chunk]]:
    """Return the values of the metadata by name, the first of each; and the chunks without a known name."""
    values: dict[str, Any] = {}
    others = list[Chunk]()
    for chunk in chunks:
        name, value = _parse(chunk)
        if name:
            values.setdefault(name, value)
        else:
            others.append(chunk)
    return values, others


def _of_kinds(chunks: list[Chunk], kinds: set[bytes]) -> tuple[Chunk, ...]:
    return tuple(chunk for chunk in chunks if chunk.kind in kinds)


def _parse(chunk: Chunk) -> tuple[str, object]:
    """Return the name of the metadata in a chunk, and its value; an empty name if there is none."""
    kind, body = chunk
    if kind == b"eXIf":
        return "exif", body.removeprefix(PREFIX)
    try:
        if kind == b"iCCP":
            return "icc", inflate(body.partition(b"\0")[2][1:])
        if kind in _TEXT_KINDS:
            return _parse_text(kind, body)
    except ValueError:  # the compressed content was already damaged when its checksum was computed
        return "", None
    return "", None


def _parse_text(kind: bytes, body: bytes) -> tuple[str, object]:
    keyword, _, rest = body.partition(b"\0")
    if keyword == XMP_KEYWORD:
        return "xmp", _text(kind, rest)
    if keyword == b"Description":
        return "description", _text(kind, rest).decode("utf-8" if kind == b"iTXt" else "latin-1")
    if keyword in _RAW_EXIF_KEYWORDS:
        return "raw_exif", _parse_raw_profile(_text(kind, rest)).removeprefix(PREFIX)
    return "", None


def _text(kind: bytes, rest: bytes) -> bytes:
    """Return the text after the keyword of a chunk, decompressed."""
    if kind == b"tEXt":
        return rest
    if kind == b"zTXt":
        return inflate(rest[1:])
    compressed, text = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
    return inflate(text) if compressed else text


def _parse_raw_profile(text: bytes) -> bytes:
    """Decode what ImageMagick writes: a name, a length, and lines of hexadecimal digits."""
    lines = text.strip().split(b"\n")
    try:
        return binascii.unhexlify(b"".join(lines[2:]))
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _description_chunk(text: str) -> Chunk | None:
    """Return a chunk in Latin-1, which every reader supports, or in UTF-8 if the text needs it."""
    if not text or "\0" in text:
        return None
    try:
        return Chunk(b"tEXt", b"Description\0" + text.encode("latin-1"))
    except UnicodeEncodeError:
        pass
    try:
        return Chunk(b"iTXt", b"Description" + bytes(5) + text.encode())
    except UnicodeEncodeError:  # surrogates
        return None
