"""Images and helpers for tests of the formats of photos: JPEG, WebP, BMP and GIF."""

import struct

import numpy as np

from imgpool.core.image import Image, Metadata

ICC = bytes(16) + b"RGB " + bytes(range(256)) * 300  # more than one JPEG segment
XMP = b"<x:xmpmeta/>"
KEYWORD = b"\x1c\x02\x19\0\x03cat"  # IPTC record 2, data set 25


def exif(orientation):
    return b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0" + struct.pack("<HH", orientation, 0) + b"\0\0\0\0camera's own"


def noise(shape):
    return np.random.default_rng(7).integers(0, 256, shape, np.uint8)


def scene(height=48, width=64):
    """Return a smooth picture with colours, as lossy formats are made for."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 3, y * 4, 255 - x - y], axis=-1).clip(0, 255).astype(np.uint8)


def image(pixels, pixel_size=None, **metadata):
    return Image(pixels, "YX" if pixels.ndim == 2 else "YXS", pixel_size, Metadata(**metadata))


def write_and_read(format_, path, original, **options):
    """Write and read an image; return it with the names of the lost metadata."""
    lost = format_.write(original, path, **options)
    back = format_.read(path)
    assert back.properties == format_.properties(path)
    return back, lost
