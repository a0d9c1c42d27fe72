"""NPY, NumPy's file format: one array, no metadata."""

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
from imgpool.formats._errors import COPY_AGAIN, truncated_error
from imgpool.formats._file_reader import FileReader
from imgpool.formats._lost_metadata import not_stored

__all__ = ["NPY"]

DTYPE_KINDS = "buif"
"""NumPy's letters for the supported kinds of dtype: bool, unsigned, signed, float."""

MAX_ITEM_BYTES = 8
"""Largest item of a supported dtype; larger floats differ between machines."""

MAX_HEADER_BYTES = 10_000
"""Longest header; that of an image has 118 bytes."""

MAX_LENGTH = 2**63 - 1
MAX_DIMENSIONS = 64
"""Most dimensions of an array of NumPy."""

_LENGTH_BYTES = {(1, 0): 2, (2, 0): 4}
"""Bytes of the field with the length of the header, by version."""


class Npy(Format):
    """NPY: an array of any integer or float type, with up to five dimensions.

    The file does not store the axes. They are guessed from the shape, as by `imgpool.core.image.guess_axes`; an image
    whose axes would be guessed differently is refused. Pickled objects are refused as well.
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
        return _is_supported(dtype) and guessed == properties.axes

    def open(self, path: FilePath) -> "NpyReader":
        """See `Format.open`."""
        return NpyReader(path)

    def write(self, image: Image, path: FilePath) -> tuple[str, ...]:
        """Write an array."""
        if not self.can_hold(image.properties):
            raise refuse(self, image.properties)
        lost = not_stored(image)
        with open(path, "wb") as file:
            np.lib.format.write_array(file, np.ascontiguousarray(image.pixels), allow_pickle=False)
        return lost


class NpyReader(FileReader):
    """Reader of NPY files."""

    kind = "NPY"

    @cached_property
    def properties(self) -> Properties:
        """See `Reader.properties`."""
        self._check_signature()
        shape, dtype = _parse_header(self._file)
        if not _is_supported(dtype):
            raise ReadError(f"its array has the type {dtype}, and images are integers or floats of up to 64 bits",
                            "save it as one of numpy's integer or float types")  # fmt: skip
        properties = Properties(shape, dtype.newbyteorder("="), _guess_axes(shape))
        available, needed = os.fstat(self._file.fileno()).st_size - self._file.tell(), properties.nbytes
        if available < needed:
            raise truncated_error(available / needed, "array")
        if available > needed:
            raise ReadError("the file has more data than its array", "save each array in a file of its own")
        return properties

    def read(self, part: Part | None = None) -> Image:
        """See `Reader.read`."""
        axes = self.properties.axes
        self._file.seek(0)
        pixels: Pixels = np.lib.format.read_array(self._file, allow_pickle=False)
        return (part or Part()).crop(Image(np.ascontiguousarray(pixels), axes))


def _is_supported(dtype: "np.dtype[np.generic]") -> bool:
    return dtype.kind in DTYPE_KINDS and dtype.itemsize <= MAX_ITEM_BYTES


def _parse_header(file: BinaryIO) -> tuple[tuple[int, ...], "np.dtype[np.generic]"]:
    """Return shape and dtype, and leave the file at the start of the numbers."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    file.seek(0)
    try:
        version = np.lib.format.read_magic(file)
        _check_header_length(file, _LENGTH_BYTES[version])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about headers that Python 2 wrote
            shape, _, dtype = readers[version](file, max_header_size=MAX_HEADER_BYTES)
    except ReadError:
        raise
    except Exception:  # noqa: BLE001 - NumPy parses the header as Python code, which can raise many types
        raise ReadError("the NPY is damaged: its header cannot be parsed", COPY_AGAIN) from None
    _check_lengths(shape)
    return shape, dtype


def _check_header_length(file: BinaryIO, length_bytes: int) -> None:
    """Check the length of the header before it is read, and leave the file where it is."""
    start = file.tell()
    length = int.from_bytes(file.read(length_bytes), "little")
    if length > MAX_HEADER_BYTES:
        raise ReadError(f"the NPY is damaged: its header declares a length of {length:,} bytes", COPY_AGAIN)
    file.seek(start)


def _check_lengths(shape: tuple[int, ...]) -> None:
    """Raise `ReadError` unless every length is one that an array can have; Python counts True as a number."""
    if any(type(length) is not int for length in shape):
        raise ReadError("the NPY is damaged: a length in its shape is not an integer", COPY_AGAIN)
    if any(length < 0 for length in shape):
        raise ReadError("the NPY is damaged: a length is negative", COPY_AGAIN)
    if any(length > MAX_LENGTH for length in shape):
        raise ReadError("the NPY is damaged: a length is larger than any file", COPY_AGAIN)
    if len(shape) > MAX_DIMENSIONS:
        raise ReadError(f"an array of {len(shape)} dimensions has too many", "save at most T, C, Z, Y and X")


def _guess_axes(shape: tuple[int, ...]) -> str:
    if len(shape) < 2 or 0 in shape:  # noqa: PLR2004 - Y and X
        raise ReadError(f"an array of shape {shape} is not an image",
                        "save one with at least two dimensions, none of length 0")  # fmt: skip
    try:
        return guess_axes(shape)
    except ValueError:
        raise ReadError(f"an array of shape {shape} has too many dimensions", "save at most T, C, Z, Y and X") from None


NPY = Npy()
