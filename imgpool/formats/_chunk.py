"""What PNG and WebP files are made of."""

from typing import NamedTuple


class Chunk(NamedTuple):
    """One chunk: its four-letter kind, and what it holds."""

    kind: bytes
    body: bytes
