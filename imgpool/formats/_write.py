"""Writing a file whose bytes are all there."""

import os
from collections.abc import Sequence

from imgpool.core.format import FilePath

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
_SMALL = 1 << 16  # bytes that are sooner copied than written one after the other


def write_pieces(path: FilePath, pieces: Sequence[bytes | bytearray | memoryview]) -> None:
    """Write a file, in as few calls as go; an existing one is replaced."""
    if sum(map(len, pieces)) <= _SMALL:
        pieces = [b"".join(pieces)]
    descriptor = os.open(path, _FLAGS, 0o666)
    try:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)
