"""Files whose headers declare or contain far more than those of images do."""

import io
import struct
import zlib

import numpy as np
from PIL import Image as PillowImage

OME = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
    '<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="1" SizeY="1" SizeC="1" SizeZ="1" '
    'SizeT="{planes}">{data}</Pixels></Image>{annotations}</OME>'
)

MODULO = (
    '<StructuredAnnotations><XMLAnnotation ID="A:0" Namespace="openmicroscopy.org/omero/dimension/modulo"><Value>'
    '<Modulo><ModuloAlongT Type="phase" Start="0" End="1e12" Step="1"/></Modulo></Value></XMLAnnotation>'
    "</StructuredAnnotations>"
)

COLOURS = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


def directory(entries, following=0):
    """Return a directory of a classic TIFF: entries are (tag, type, count, value or position)."""
    lines = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return struct.pack("<H", len(entries)) + lines + struct.pack("<I", following)


def tiff(description=b"", *, more=(), pages=1, padding=0):
    """Return a TIFF whose pages share one pixel.

    Parameters
    ----------
    description
        Of the first page.
    more
        Further tags of the first page.
    pages
        Number of pages. All but the first have only two tags.
    padding
        Bytes that follow the pixel; they start at the position 1000.
    """
    first = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 998)]
    first += [(277, 3, 1, 1), (278, 4, 1, 1), (279, 4, 1, 1), *more]
    position = 1000 + padding
    if description:
        first.append((270, 2, len(description) + 1, position))
    following = position + len(description) + 1
    later = [(256, 4, 1, 1), (273, 4, 1, 998)]
    size = len(directory(later))
    head = b"II*\0\x08\0\0\0" + directory(first, following if pages > 1 else 0)
    links = [following + number * size for number in range(1, pages - 1)] + [0]
    chain = b"".join(directory(later, link) for link in links) if pages > 1 else b""
    return head.ljust(1000 + padding, b"\1") + description + b"\0" + chain


def ome(planes=1, data='<TiffData IFD="0"/>', annotations=""):
    """Return an OME-TIFF with one page."""
    return tiff(OME.format(planes=planes, data=data, annotations=annotations).encode())


def photo(kind):
    """Return a picture of a few hundred bytes, as a file."""
    buffer = io.BytesIO()
    PillowImage.fromarray(COLOURS).save(buffer, kind)
    return buffer.getvalue()


def jpeg(inserted, length=0):
    """Return a JPEG with bytes between its first two segments, and at least `length` bytes at its end."""
    data = photo("JPEG")
    return data[:2] + inserted + data[2:] + bytes(length)


def png(inserted):
    """Return a PNG with bytes after its first chunk."""
    data = photo("PNG")
    return data[:33] + inserted + data[33:]


def png_chunk(kind, body=b""):
    """Return one chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def webp(chunks):
    """Return a WebP with empty chunks of an unknown kind at its end."""
    data = photo("WEBP") + b"abcd\0\0\0\0" * chunks
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def gif(inserted, pictures=1):
    """Return a GIF with bytes before its pictures; each has 1×1 pixel."""
    picture = b",\0\0\0\0\1\0\1\0\0\2\2D\1\0"
    return b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff" + inserted + picture * pictures + b";"


def npy(header, version=b"\1\0"):
    """Return the start of an NPY file with a header of any text."""
    length = struct.pack("<H" if version == b"\1\0" else "<I", len(header))
    return b"\x93NUMPY" + version + length + header.encode()


def npy_shape(shape):
    """Return the start of an NPY file of bytes with a shape as text."""
    return npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}")
