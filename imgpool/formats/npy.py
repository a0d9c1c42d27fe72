"""NumPy's .npy: one array, no metadata."""

import os
import warnings
from functools import cached_property
from typing import BinaryIO

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.errors import ReadError
from imgpool.core.format import FilePath, Format
from imgpool.core.image import Image, Properties, guess_axes
from imgpool.core.part import Part
from imgpool.core.refusal import refuse
from imgpool.formats._file_reader import FileReader
from imgpool.formats._lost import lost
from imgpool.formats._sniff import COPY_AGAIN
from imgpool.formats._truncated import truncated

__all__ = ["NPY"]

KINDS = "buif"  # bool, unsigned, signed, float
WIDEST = 8  # bytes of a number; wider ones differ from machine to machine


class Npy(Format):
    """NPY: an array of any integer or float type, with up to five dimensions.

    The file has no place for the names of axes. They are guessed from the shape, as by
    `imgpool.core.image.guess_axes`, and an image whose axes would not be guessed again is refused; as is all that
    numpy would unpickle.
    """

    name = "npy"
    extensions = (".npy",)
    holds = "integers and floats, with the axes YX, ZYX, TZYX or TCZYX, and RGB or RGBA"

    def can_hold(self, properties: Properties) -> bool:
        """See `Format.can_hold`."""
        dtype = properties.dtype
        try:
            guessed = guess_axes(properties.shape)
        except ValueError:
            return False
        return dtype.kind in KINDS and dtype.itemsize <= WIDEST and guessed == properties.axes

    def open(self, path: FilePath) -> "NpyReader":
        """See `Format.open`."""
        return NpyReader(path)

    def write(self, image: Image, path: FilePath) -> tuple[str, ...]:
        """Write an array."""
        if not self.can_hold(image.properties):
            raise refuse(self, image.properties)
        losses = lost(image)
        with open(path, "wb") as file:
            np.lib.format.write_array(file, np.ascontiguousarray(image.pixels), allow_pickle=False)
        return losses


class NpyReader(FileReader):
    """Reader of NPY files."""

    kind = "NPY"

    @cached_property
    def properties(self) -> Properties:
        """See `Reader.properties`."""
        self._check_kind()
        shape, dtype = _header(self._file)
        if dtype.kind not in KINDS or dtype.itemsize > WIDEST:
            raise ReadError(f"the array holds {dtype}, and an image is made of integers or floats",
                            "save it as one of numpy's integer or float types")  # fmt: skip
        properties = Properties(shape, dtype.newbyteorder("="), _axes(shape))
        available, needed = os.fstat(self._file.fileno()).st_size - self._file.tell(), properties.nbytes
        if available < needed:
            raise truncated(available / needed, "array")
        if available > needed:
            raise ReadError("the file holds more than one array", "save each as a file of its own")
        return properties

    def read(self, part: Part | None = None) -> Image:
        """See `Reader.read`."""
        axes = self.properties.axes
        self._file.seek(0)
        pixels: Pixels = np.lib.format.read_array(self._file, allow_pickle=False)
        return (part or Part()).crop(Image(np.ascontiguousarray(pixels), axes))


def _header(file: BinaryIO) -> tuple[tuple[int, ...], "np.dtype[np.generic]"]:
    """The shape and dtype; the file is left where the numbers begin."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            version = np.lib.format.read_magic(file)
            shape, _, dtype = readers[version](file)
    except Exception as error:  # noqa: BLE001 - numpy parses the header as Python, and Python's parser raises much
        raise ReadError(f"the NPY is damaged: its header makes no sense ({type(error).__name__})", COPY_AGAIN) from None
    if any(length < 0 for length in shape):
        raise ReadError("the NPY is damaged: a length is negative", COPY_AGAIN)
    return shape, dtype


def _axes(shape: tuple[int, ...]) -> str:
    if len(shape) < 2 or 0 in shape:  # noqa: PLR2004 - Y and X
        raise ReadError(f"an array of shape {shape} is no image", "save one with at least two dimensions, none of 0")
    try:
        return guess_axes(shape)
    except ValueError:
        raise ReadError(f"an array of shape {shape} has too many dimensions", "save at most T, C, Z, Y and X") from None


NPY = Npy()
