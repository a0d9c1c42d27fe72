"""EXIF in a TIFF file: some tags of the first directory, and two directories that it points to.

An EXIF block, as in JPEG and PNG, is a TIFF file of its own. Reading collects the tags from the directory of the image
into such a block; writing puts them back. The thumbnail is not copied. Maker notes are copied unchanged; if they point
to bytes outside themselves, these offsets become invalid.
"""

import io
import struct
from typing import BinaryIO

from imgpool.formats.tiff._ifd import (
    EXIF_IFD,
    GPS_IFD,
    SHORT,
    DirectoryError,
    Layout,
    Tags,
    Value,
    add_tags,
    pack_directory,
    read_header,
    read_tags,
)

ORIENTATION, SOFTWARE = 274, 305
_CAMERA = {271, 272, 306, 315, 33432}  # make, model, time, artist, copyright
_RATINGS = {18246, 18249, *range(40091, 40096)}  # with the titles that Windows stores

EXIF_TAGS = {ORIENTATION, SOFTWARE, EXIF_IFD, GPS_IFD, *_CAMERA, *_RATINGS}

_UPRIGHT = b"\1"


def read_exif(file: BinaryIO) -> bytes | None:
    """Return the EXIF block of a TIFF's first directory; None if it has only the software and an upright orientation.

    Raises
    ------
    DirectoryError
        If a directory is outside the file.
    """
    layout, offset = read_header(file)
    tags = read_tags(file, layout, offset, EXIF_TAGS)
    if tags.keys() <= {SOFTWARE} or (tags.keys() <= {SOFTWARE, ORIENTATION} and _is_upright(tags)):
        return None
    return _pack_block(tags, layout)


def write_exif(file: BinaryIO, exif: bytes) -> bool:
    """Add the tags of an EXIF block to the first directory of a TIFF; return False if the block is damaged."""
    block = io.BytesIO(exif)
    try:
        layout, offset = read_header(block)
        tags = read_tags(block, layout, offset, EXIF_TAGS)
    except (DirectoryError, struct.error):
        return False
    if tags:
        add_tags(file, tags, layout.order)
    return True


def _pack_block(tags: Tags, layout: Layout) -> bytes:
    classic = Layout(layout.order, big=False)
    header = (b"II*\0" if layout.order == "<" else b"MM\0*") + classic.offset_format.pack(8)
    return header + pack_directory(tags, classic, 8)


def _is_upright(tags: Tags) -> bool:
    value = tags.get(ORIENTATION, Value(SHORT, 1, _UPRIGHT))
    return not isinstance(value.data, dict) and value.data.strip(b"\0") in {_UPRIGHT, b""}
