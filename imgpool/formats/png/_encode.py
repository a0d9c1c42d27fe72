"""Compression of the pixels of a PNG file."""

import struct

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.formats._chunk import Chunk
from imgpool.formats.png._chunks import SIGNATURE, pack_chunk, pack_chunks

FAST_LEVEL = 1
"""Compression level for which `encode_fast` is used."""

MIN_LIBDEFLATE_BYTES = 2**10
"""Size of the pixels below which libdeflate's larger tables cost more time than they save."""

MAX_LIBDEFLATE_BYTES = 2**30
"""Size of the pixels above which libpng is used: it does not need a second copy."""

_MIN_CHANGED_FRACTION = 1 / 8  # of bytes that differ from the row above; masks and drawings have fewer
_HEADER_END = 33  # size of the signature and the IHDR chunk in bytes
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by number of samples
_UP_FILTER = 2  # stores a row as its difference from the row above
_RUN_LENGTHS, _ONLY_UP_FILTER = 3, 0x20  # libpng's numbers for a strategy and a set of filters

Encoded = tuple[bytes, list[bytes | memoryview]]


def encode_fast(pixels: Pixels) -> Encoded:
    """Compress the differences between rows with libdeflate: up to twice as fast as libpng, and rarely larger.

    If nearly every row repeats the one above, the run lengths of libpng are as fast and a quarter smaller; then they
    are used.

    Parameters
    ----------
    pixels
        Of 8 or 16 bits and shape (Y, X) or (Y, X, S).

    Returns
    -------
    header, blocks
        The start of the file, and the rest of it; other chunks can be inserted in between.
    """
    import imagecodecs

    if not MIN_LIBDEFLATE_BYTES <= pixels.nbytes <= MAX_LIBDEFLATE_BYTES:
        return encode(pixels, FAST_LEVEL)
    filtered = _filter_rows(pixels)
    if np.count_nonzero(filtered) < filtered.size * _MIN_CHANGED_FRACTION:
        return encode(pixels, FAST_LEVEL)
    height, width, *samples = pixels.shape
    colour_type = _COLOUR_TYPES[samples[0] if samples else 1]
    header = Chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, colour_type, 0, 0, 0))
    stream = bytes(imagecodecs.deflate_encode(filtered, 1))  # type: ignore[arg-type] # any buffer
    return SIGNATURE + pack_chunks([header]), [*pack_chunk(b"IDAT", stream), *pack_chunk(b"IEND", b"")]


def encode(pixels: Pixels, level: int) -> Encoded:
    """Compress with libpng; at `FAST_LEVEL`, the run lengths of the differences between rows. See `encode_fast`."""
    import imagecodecs

    options = {"strategy": _RUN_LENGTHS, "filter": _ONLY_UP_FILTER} if level == FAST_LEVEL else {}
    encoded = bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels), level=level, **options))
    return encoded[:_HEADER_END], [memoryview(encoded)[_HEADER_END:]]


def _filter_rows(pixels: Pixels) -> Pixels:
    """Return the differences between rows, each row with the number of its filter in front."""
    big_endian = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">"))
    rows = big_endian.view(np.uint8).reshape(len(pixels), -1)
    filtered = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP_FILTER
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return filtered
