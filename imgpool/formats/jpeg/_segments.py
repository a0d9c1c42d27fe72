"""The segments of a JPEG file that hold metadata, and the resolution in its JFIF header."""

import struct
from collections.abc import Iterator

from imgpool.core.exif import PREFIX
from imgpool.core.image import Image
from imgpool.formats._lost_metadata import matching_icc
from imgpool.formats._pillow import comment_bytes
from imgpool.formats._resolution import Unit, integer_pixels_per_unit, pixels_per_unit

MAX_SEGMENT_BYTES = 65_533
MAX_ICC_SEGMENTS = 255

RESOLUTION_UNITS: dict[int, Unit] = {1: "inch", 2: "cm"}
"""Units of the resolution, by their number in a JFIF header."""

_MAX_RESOLUTION = 0xFFFF
_RESOLUTION = slice(13, 18)  # bytes of a file that starts with a JFIF header: unit, horizontal, vertical
_MARKERS = {
    "exif": b"\xff\xe1",
    "xmp": b"\xff\xe1",
    "icc": b"\xff\xe2",
    "iptc": b"\xff\xed",
    "description": b"\xff\xfe",
}
_XMP_PREFIX, _ICC_PREFIX = b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_MAX_ICC_BYTES = MAX_SEGMENT_BYTES - len(_ICC_PREFIX) - 2  # in one segment, after its number and the count of all

Segments = dict[str, tuple[bytes, ...]]
"""Contents of the segments, by the name of the metadata they hold."""


def metadata_segments(image: Image) -> Segments:
    """Return the segments for the metadata of an image; what does not fit into a segment is omitted."""
    extra = image.metadata.extra
    exif, xmp, comment = image.metadata.exif, extra.get("xmp"), comment_bytes(image.metadata.description)
    segments = {
        "exif": (PREFIX + exif,) if exif else (),
        "xmp": (_XMP_PREFIX + xmp,) if xmp else (),
        "icc": _split_icc(matching_icc(image) or b""),
        "iptc": extra.get("jpeg_iptc", ()),
        "description": (comment,) if comment else (),
    }
    return {
        name: contents for name, contents in segments.items() if contents and _max_length(contents) <= MAX_SEGMENT_BYTES
    }


def pack_segments(segments: Segments) -> Iterator[bytes]:
    """Yield the bytes of each segment, as they follow the JFIF header."""
    for name, contents in segments.items():
        for content in contents:
            yield _MARKERS[name] + struct.pack(">H", len(content) + 2) + content


def set_resolution(header: bytearray, image: Image) -> bool:
    """Set the resolution in a JFIF header, in the unit with the smaller rounding error; return whether it fits."""
    fields = list[tuple[float, bytes]]()
    for number, unit in RESOLUTION_UNITS.items():
        rounded, exact = integer_pixels_per_unit(image, unit, _MAX_RESOLUTION), pixels_per_unit(image, unit)
        if rounded and exact:
            error = max(abs(stored / value - 1) for stored, value in zip(rounded, exact, strict=True))
            fields.append((error, struct.pack(">BHH", number, *rounded)))
    if not fields:
        return False
    _, header[_RESOLUTION] = min(fields)
    return True


def _max_length(contents: tuple[bytes, ...]) -> int:
    return max(map(len, contents))


def _split_icc(profile: bytes) -> tuple[bytes, ...]:
    """Split a profile into numbered segments; return none if there are too many."""
    pieces = [profile[start : start + _MAX_ICC_BYTES] for start in range(0, len(profile), _MAX_ICC_BYTES)]
    if len(pieces) > MAX_ICC_SEGMENTS:
        return ()
    return tuple(_ICC_PREFIX + bytes((number, len(pieces))) + piece for number, piece in enumerate(pieces, 1))
