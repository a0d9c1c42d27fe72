"""The chunk: what PNG and WebP files consist of."""

from typing import NamedTuple


class Chunk(NamedTuple):
    """One chunk: its kind, four letters, and its content."""

    kind: bytes
    body: bytes
