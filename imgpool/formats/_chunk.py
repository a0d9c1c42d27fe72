"""The chunk, of which PNG and WebP files consist."""

from typing import NamedTuple


class Chunk(NamedTuple):
    """One chunk: its kind (four letters) and its content."""

    kind: bytes
    body: bytes
