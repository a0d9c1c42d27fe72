"""A format for imgpool: PGM, grey images as the Netpbm tools write them."""

import os
import re
from functools import cached_property

import numpy as np

from imgpool.plugins import (
    FilePath,
    Format,
    Image,
    Part,
    Properties,
    Reader,
    ReadError,
    cannot_hold_error,
    not_stored,
    truncated_error,
    wrong_file_error,
)

HEADER = re.compile(rb"P5\s+(?:#.*\n\s*)*(\d+)\s+(\d+)\s+(\d+)\s")
HEAD_BYTES = 512
DTYPES = {0xFF: np.dtype(np.uint8), 0xFFFF: np.dtype(np.uint16)}  # by the value of white


class Pgm(Format):
    """PGM: not compressed, 8-bit or 16-bit grey; no metadata."""

    name = "pgm"
    extensions = (".pgm",)
    holds = "one page of 8-bit or 16-bit grey"

    def can_hold(self, properties: Properties) -> bool:
        """Whether an image can be written without changing a value."""
        return properties.axes == "YX" and properties.dtype in DTYPES.values()

    def open(self, path: FilePath) -> "PgmReader":
        """Open a file for reading."""
        return PgmReader(path)

    def write(self, image: Image, path: FilePath) -> tuple[str, ...]:
        """Write an image, and return the names of the metadata that the file does not store."""
        if not self.can_hold(image.properties):
            raise cannot_hold_error(self, image.properties)
        missing = not_stored(image)
        height, width = image.pixels.shape
        header = f"P5\n{width} {height}\n{np.iinfo(image.pixels.dtype).max}\n"
        with open(path, "wb") as file:
            file.write(header.encode() + image.pixels.astype(image.pixels.dtype.newbyteorder(">")).tobytes())
        return missing


class PgmReader(Reader):
    """Reader of PGM files."""

    def __init__(self, path: FilePath) -> None:
        self._path = path
        self._file = open(path, "rb")  # noqa: SIM115 - close() closes it

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @cached_property
    def properties(self) -> Properties:
        """Shape, dtype and axes, from the header; it is checked against the file's size before pixels are read."""
        self._file.seek(0)
        head = self._file.read(HEAD_BYTES)
        if not head.startswith(b"P5"):
            raise wrong_file_error(self._path, head, "PGM")
        match = HEADER.match(head)
        if not match:
            raise ReadError("the PGM is damaged: its header is invalid", "copy it again")
        width, height, white = map(int, match.groups())
        if not (width and height and white in DTYPES):
            raise ReadError(f"a PGM of {width}×{height} pixels with white at {white} is not supported", "convert it")
        properties = Properties((height, width), DTYPES[white], "YX")
        self._start = match.end()
        available = os.fstat(self._file.fileno()).st_size - self._start
        if available < properties.nbytes:
            raise truncated_error(available / properties.nbytes)
        return properties

    def read(self, part: Part | None = None) -> Image:
        """Read an image, or a part of it."""
        properties = self.properties
        self._file.seek(self._start)
        stored = np.frombuffer(self._file.read(properties.nbytes), properties.dtype.newbyteorder(">"))
        image = Image(stored.reshape(properties.shape).astype(properties.dtype), "YX")
        return (part or Part()).crop(image)


PGM = Pgm()
