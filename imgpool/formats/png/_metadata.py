"""What the chunks beside a PNG's pixels say, and the chunks that say what an image's metadata does."""

import binascii
import struct
import zlib
from collections.abc import Iterable
from typing import Any

from imgpool.core.exif import PREFIX
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.formats._chunk import Chunk
from imgpool.formats._lost import fitting_icc
from imgpool.formats._resolution import Dpi, kept_by_density, pixel_size_or_dpi, whole_density
from imgpool.formats.png._chunks import inflate

_NOTHING = Metadata()

XMP = b"XML:com.adobe.xmp"

_PER_METRE = 1  # the unit of a pHYs chunk; 0 would be a mere aspect ratio
_MOST = 2**31 - 1  # the largest number in a PNG
_COLOUR = {b"gAMA", b"cHRM", b"sRGB", b"cICP"}
_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
_RAW_EXIF = {b"Raw profile type exif", b"Raw profile type APP1"}  # ImageMagick's way before there was eXIf


def parse_resolution(chunks: Iterable[Chunk]) -> tuple[PixelSize | None, Dpi | None]:
    """The pixel size or the resolution for print that a pHYs chunk gives; see `pixel_size_or_dpi`."""
    for kind, body in chunks:
        if kind == b"pHYs" and len(body) == 9 and body[8] == _PER_METRE:  # noqa: PLR2004 - bytes
            horizontal, vertical = struct.unpack(">II", body[:8])
            return pixel_size_or_dpi(horizontal, vertical, "m")
    return None, None


def parse_metadata(chunks: Iterable[Chunk]) -> tuple[PixelSize | None, Metadata]:
    """The pixel size and the metadata; texts that imgpool has no word for go into ``extra`` as they are."""
    chunks = [chunk for chunk in chunks if chunk.kind != b"IHDR"]
    if not chunks:
        return None, _NOTHING
    pixel_size, dpi = parse_resolution(chunks)
    found: dict[str, Any] = {}
    others = list[Chunk]()
    for chunk in chunks:
        name, value = _parse(chunk)
        if name:
            found.setdefault(name, value)
        else:
            others.append(chunk)
    extra = {
        "xmp": found.get("xmp"),
        "png_colour": tuple(chunk for chunk in others if chunk.kind in _COLOUR),
        "png_texts": tuple(chunk for chunk in others if chunk.kind in _TEXTS),
    }
    return pixel_size, Metadata(
        icc=found.get("icc"),
        exif=found.get("exif") or found.get("raw_exif"),
        dpi=dpi,
        description=found.get("description", ""),
        extra={name: value for name, value in extra.items() if value},
    )


def metadata_chunks(image: Image) -> tuple[list[Chunk], set[str]]:
    """The chunks to stand between IHDR and IDAT, and the names of what they keep."""
    metadata = image.metadata
    icc = fitting_icc(image)
    said = {
        "icc": Chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc)) if icc else None,
        "exif": Chunk(b"eXIf", metadata.exif) if metadata.exif else None,
        "description": _description(metadata.description),
        "xmp": Chunk(b"iTXt", XMP + bytes(5) + metadata.extra["xmp"]) if "xmp" in metadata.extra else None,
    }
    kept = {name for name, chunk in said.items() if chunk}
    written = [chunk for chunk in said.values() if chunk]
    resolution = whole_density(image, "m", _MOST)
    if resolution:
        written.append(Chunk(b"pHYs", struct.pack(">IIB", *resolution, _PER_METRE)))
        kept |= kept_by_density(image)
    # what is said of colour must come early, the rest need not; and only one of iCCP and sRGB may stand
    colour = [chunk for chunk in metadata.extra.get("png_colour", ()) if not (icc and chunk.kind == b"sRGB")]
    return [*colour, *written, *metadata.extra.get("png_texts", ())], kept | {"texts"}


def _parse(chunk: Chunk) -> tuple[str, object]:
    """The metadata's name for what a chunk says, and its value; an empty name where there is none."""
    kind, body = chunk
    if kind == b"eXIf":
        return "exif", body.removeprefix(PREFIX)
    try:
        if kind == b"iCCP":
            return "icc", inflate(body.partition(b"\0")[2][1:])
        if kind in _TEXTS:
            return _parse_text(kind, body)
    except ValueError:  # compressed, and damaged since long before the checksum was made
        return "", None
    return "", None


def _parse_text(kind: bytes, body: bytes) -> tuple[str, object]:
    keyword, _, rest = body.partition(b"\0")
    if keyword == XMP:
        return "xmp", _text(kind, rest)
    if keyword == b"Description":
        return "description", _text(kind, rest).decode("utf-8" if kind == b"iTXt" else "latin-1")
    if keyword in _RAW_EXIF:
        return "raw_exif", _raw_profile(_text(kind, rest)).removeprefix(PREFIX)
    return "", None


def _text(kind: bytes, rest: bytes) -> bytes:
    """The text behind the keyword of a chunk, decompressed."""
    if kind == b"tEXt":
        return rest
    if kind == b"zTXt":
        return inflate(rest[1:])
    compressed, text = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
    return inflate(text) if compressed else text


def _raw_profile(text: bytes) -> bytes:
    """The bytes that ImageMagick wrote as a name, a length, and lines of hexadecimal digits."""
    lines = text.strip().split(b"\n")
    try:
        return binascii.unhexlify(b"".join(lines[2:]))
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _description(text: str) -> Chunk | None:
    """Latin-1 where that holds the text, for every reader knows it; else UTF-8."""
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
