"""The colour space of the landscape: an ICC profile for Display P3, built from its published definition."""

import struct

import numpy as np

from scenes.optics import Light

RED, GREEN, BLUE, WHITE = (0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.3127, 0.3290)  # chromaticities x, y
D50 = np.array([0.9642, 1.0, 0.8249])  # the white of ICC's connection space
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
TONE_CURVE = (
    2.4,
    1 / 1.055,
    0.055 / 1.055,
    1 / 12.92,
    0.04045,
)  # of sRGB: exponent, slope, offset, slope and end of the linear part


def profile() -> bytes:
    """Return an ICC 4.3 display profile: three primaries, a white point and a tone curve."""
    adaptation = _adaptation()
    primaries = adaptation @ _primaries()
    curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + _fixed(TONE_CURVE)
    tags = {
        b"desc": _text("Display P3"),
        b"cprt": _text("Written by imgpool's make_samples.py; use it as you like"),
        b"wtpt": b"XYZ \0\0\0\0" + _fixed(D50),
        b"chad": b"sf32\0\0\0\0" + _fixed(adaptation.ravel()),
        b"rXYZ": b"XYZ \0\0\0\0" + _fixed(primaries[:, 0]),
        b"gXYZ": b"XYZ \0\0\0\0" + _fixed(primaries[:, 1]),
        b"bXYZ": b"XYZ \0\0\0\0" + _fixed(primaries[:, 2]),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    return _assemble(tags)


def _xyz(chromaticity: tuple[float, float]) -> Light:
    x, y = chromaticity
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _primaries() -> Light:
    """Return the XYZ values of red, green and blue as columns, scaled so that their sum is white."""
    columns = np.stack([_xyz(RED), _xyz(GREEN), _xyz(BLUE)], axis=1)
    scaled: Light = columns * np.linalg.solve(columns, _xyz(WHITE))
    return scaled


def _adaptation() -> Light:
    """Return the Bradford matrix that adapts colours from the display's white point to D50."""
    gain = (BRADFORD @ D50) / (BRADFORD @ _xyz(WHITE))
    matrix: Light = np.linalg.inv(BRADFORD) @ np.diag(gain) @ BRADFORD
    return matrix


def _fixed(numbers: Light | tuple[float, ...]) -> bytes:
    """Encode numbers as ICC's s15Fixed16Number."""
    return b"".join(struct.pack(">i", round(float(number) * 65536)) for number in numbers)


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(encoded), 28) + encoded


def _assemble(tags: dict[bytes, bytes]) -> bytes:
    """Concatenate header, tag table and tag data; equal data are stored once."""
    table, data = b"", b""
    start = 128 + 4 + 12 * len(tags)
    offsets: dict[bytes, int] = {}
    for signature, content in tags.items():
        if content not in offsets:
            offsets[content] = start + len(data)
            data += content + bytes(-len(content) % 4)
        table += signature + struct.pack(">II", offsets[content], len(content))
    created = struct.pack(">6H", 2026, 1, 1, 0, 0, 0)
    header = struct.pack(">I4xI", start + len(data), 0x04300000) + b"mntrRGB XYZ " + created + b"acsp"
    header = header.ljust(68, b"\0") + _fixed(D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data
