"""The segments of a JPEG file that hold metadata, and the resolution in its JFIF header."""

import os
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from imgpool.core.errors import ReadError
from imgpool.core.exif import PREFIX
from imgpool.core.image import Image
from imgpool.formats._errors import COPY_AGAIN
from imgpool.formats._lost_metadata import matching_icc
from imgpool.formats._pillow import comment_bytes
from imgpool.formats._resolution import Unit, integer_pixels_per_unit, pixels_per_unit

MAX_SEGMENT_BYTES = 65_533
MAX_ICC_SEGMENTS = 255

MAX_READ_SEGMENTS = 4096
"""Most segments before the pixels of a file that is read; colour profiles and depth maps take a few hundred."""

MAX_STRAY_BYTES = 1 << 16
"""Most bytes between segments, such as fill bytes; Pillow skips them one by one. Smaller files are not checked."""

MAX_EXIF_BYTES = 16 << 20
"""Most bytes of EXIF in a file that is read; Pillow joins them anew for each segment."""

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

_REMOVE_METADATA = "remove its metadata: exiftool -all= FILE"
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
_APP1, _START_OF_SCAN = 0xE1, 0xDA
_FIRST_MARKER = 0xC0  # the codes below are reserved
_WITHOUT_CONTENT = {
    *range(0xD0, 0xDA),  # restart, start and end of image
    *(0xC8, *range(0xF0, 0xFE)),  # reserved: they may have content, but Pillow looks for markers in it
}

Segments = dict[str, tuple[bytes, ...]]
"""Contents of the segments, by the name of the metadata they hold."""


def check_segments(file: BinaryIO) -> None:
    """Check that the segments before the pixels are few enough to be parsed; damage is left to the parser.

    Raises
    ------
    ReadError
        If there are too many segments, too many bytes between them, or too much EXIF.
    """
    if os.fstat(file.fileno()).st_size <= MAX_STRAY_BYTES:
        return
    position, stray, exif = 2, 0, 0
    for _ in range(MAX_READ_SEGMENTS):
        segment = _next_segment(file, position)
        position, stray, exif = segment.end, stray + segment.stray, exif + segment.exif
        if stray > MAX_STRAY_BYTES:
            raise ReadError(f"the JPEG is damaged: it has more than {MAX_STRAY_BYTES:,} fill bytes in its header",
                            COPY_AGAIN)  # fmt: skip
        if exif > MAX_EXIF_BYTES:
            raise ReadError(f"it has more than {MAX_EXIF_BYTES >> 20} MiB of EXIF, the most that imgpool reads",
                            _REMOVE_METADATA)  # fmt: skip
        if segment.code == _START_OF_SCAN or segment.code < _FIRST_MARKER:
            return
    raise ReadError(f"its header has more than {MAX_READ_SEGMENTS:,} segments, the most that imgpool reads",
                    _REMOVE_METADATA)  # fmt: skip


class _Segment(NamedTuple):
    """A segment of a file.

    Attributes
    ----------
    code
        Second byte of its marker; 0 if there is no further segment.
    stray
        Number of bytes before it that belong to no segment.
    exif
        Size in bytes, if it contains EXIF; otherwise 0.
    end
        Position of its end.
    """

    code: int
    stray: int
    exif: int
    end: int


def _next_segment(file: BinaryIO, position: int) -> _Segment:
    """Return the first segment from a position on."""
    file.seek(position)
    block = file.read(4)
    if not (marker := _MARKER.match(block)):
        block += file.read(MAX_STRAY_BYTES)
        marker = _MARKER.search(block)
    if not marker:
        return _Segment(0, len(block), 0, position + len(block))
    code, start = marker[0][1], position + marker.end()
    if code in _WITHOUT_CONTENT:
        return _Segment(code, marker.start(), 0, start)
    file.seek(start)
    head = file.read(2 + len(PREFIX))
    size = max(2, int.from_bytes(head[:2]))  # of the content, with this number itself
    is_exif = code == _APP1 and head[2:] == PREFIX
    return _Segment(code, marker.start(), size if is_exif else 0, start + size)


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
