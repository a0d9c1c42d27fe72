"""The picture of a PNG file, compressed."""

import struct

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.formats._chunk import Chunk
from imgpool.formats.png import _chunks as chunks

_HEADER_END = 33  # bytes: the signature and the IHDR chunk
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by samples
_UP = 2  # the filter that stores a row as differences from the one above
_FLAT = 1 / 8  # share of a picture's bytes that differ from the one above, in masks and drawings
_SMALLEST = 2**10  # bytes of a picture; with fewer, libdeflate's larger tables cost more time than they save
_LARGEST = 2**30  # bytes of a picture that is compressed as a whole; libpng holds no second copy of a larger one

Encoded = tuple[bytes, list[bytes | memoryview]]


def encode_fast(pixels: Pixels) -> Encoded:
    """Compress differences between rows with libdeflate: up to twice as fast as libpng, and rarely larger.

    Where nearly all of a row repeats the one above, libpng's run lengths are as fast, and a quarter smaller.

    Parameters
    ----------
    pixels
        Of 8 or 16 bits: (Y, X) or (Y, X, S).

    Returns
    -------
    header, picture
        The beginning of the file, and pieces of the rest; other chunks may stand between them.
    """
    import imagecodecs

    if not _SMALLEST <= pixels.nbytes <= _LARGEST:
        return encode(pixels, 1)
    differences = _differences(pixels)
    if np.count_nonzero(differences) < differences.size * _FLAT:
        return encode(pixels, 1)
    height, width, *samples = pixels.shape
    colour = _COLOUR_TYPES[samples[0] if samples else 1]
    header = Chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, colour, 0, 0, 0))
    stream = bytes(imagecodecs.deflate_encode(differences, 1))  # type: ignore[arg-type] # any buffer
    return chunks.SIGNATURE + chunks.join([header]), [*chunks.pieces(b"IDAT", stream), *chunks.pieces(b"IEND", b"")]


def encode(pixels: Pixels, level: int) -> Encoded:
    """Compress with libpng at any level; at level 1, run lengths of differences between rows. See `encode_fast`."""
    import imagecodecs

    options = {"strategy": 3, "filter": 0x20} if level == 1 else {}
    encoded = bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels), level=level, **options))
    return encoded[:_HEADER_END], [memoryview(encoded)[_HEADER_END:]]


def _differences(pixels: Pixels) -> Pixels:
    """The filtered rows, each with the number of its filter before it."""
    ordered = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">"))
    rows = ordered.view(np.uint8).reshape(len(pixels), -1)
    filtered = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return filtered
