"""Write a file from several blocks."""

import os
from collections.abc import Sequence

from imgpool.core.format import FilePath
from imgpool.system.files import open_binary

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_MAX_JOINED_BYTES = 1 << 16  # up to here, joining the blocks is faster than writing them one by one


def write_file(path: FilePath, blocks: Sequence[bytes | bytearray | memoryview]) -> None:
    """Write a file with as few system calls as possible; an existing file is replaced."""
    if sum(map(len, blocks)) <= _MAX_JOINED_BYTES:
        blocks = [b"".join(blocks)]
    descriptor = open_binary(path, _FLAGS)
    try:
        for block in blocks:
            rest = memoryview(block)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)
